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
        assert visit.principal is not None
        device = default_device(site.core, visit.principal, named)
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
        wanted = [part.partition(";")[0].strip() for part in _accept(scope).split(",")]
        html = "text/html" in wanted
        if not html or "application/json" in wanted[: wanted.index("text/html")]:
            return Match.NONE, {}
        return route_class.matches(route, scope)

    return type("BrowsersRoute", (route_class,), {"matches": matches})


def _accept(scope: Scope) -> str:
    return Headers(scope=scope).get("accept", "")
