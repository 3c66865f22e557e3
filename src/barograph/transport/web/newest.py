"""The parameters service's page: a device's newest values, which refresh themselves.

It shares the address `/last` with that service's JSON (`http/systems/parameters.py`), which the
page's script asks for; a browser's `Accept` header tells them apart.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from barograph.transport.http.accepted import accepted
from barograph.transport.http.systems.parameters import DEFAULT_DEVICE, default_device
from barograph.transport.web.overview import newest_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """`GET /last` for browsers."""
    pages = APIRouter(**{**options, "route_class": _for_browsers(options["route_class"])})

    @pages.get("/last")
    def newest(
        visit: Annotated[Visit, Depends(visits.known)],
        named: Annotated[str, Query(alias="device", max_length=384)] = "",
    ) -> HTMLResponse:
        device = default_device(site.core, visit.asker, named)
        page = visit.page(
            "newest.html",
            name=DEFAULT_DEVICE if device is None else device.name,
            device=device,
            rows=[] if device is None else newest_of(site.core, device),
        )
        page.headers["Vary"] = "Accept"
        return page

    return pages


def _for_browsers(route_class: type[APIRoute]) -> type[APIRoute]:
    """The route class, for requests that would rather have HTML than JSON."""

    def matches(route: APIRoute, scope: Scope) -> tuple[Match, Scope]:
        accept = ",".join(Headers(scope=scope).getlist("accept"))
        return route_class.matches(route, scope) if _rather_html(accept) else (Match.NONE, {})

    return type("BrowsersRoute", (route_class,), {"matches": matches})


def _rather_html(accept: str) -> bool:
    """Whether this `Accept` header weighs HTML above JSON (RFC 9110, 12.5.1).

    Of two that weigh the same, the one that is named first; who names neither gets JSON.
    """
    weights = accepted(accept)

    def weight_of(*ranges: str) -> float:
        return next((weights[one] for one in ranges if one in weights), 0.0)

    html = weight_of("text/html", "text/*", "*/*")
    json = weight_of("application/json", "application/*", "*/*")
    if html != json:
        return html > json
    named = [kind for kind in weights if kind in {"text/html", "application/json"}]
    return html > 0 and named[:1] == ["text/html"]
