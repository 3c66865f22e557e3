"""The dashboard, put together: its pages and the files they load."""

from fastapi import APIRouter, Request, Response

from barograph.services.core import Core
from barograph.services.system import System
from barograph.transport.http.accepted import accepted
from barograph.transport.http.joined import joined
from barograph.transport.web import (
    analytics,
    api_docs,
    audit_log,
    dashboards,
    device,
    device_changes,
    device_exchange,
    installing,
    inventory,
    mqtt_docs,
    newest,
    overview,
    people,
    profile,
    reports,
    sharing,
    sign_in,
)
from barograph.transport.web import system as system_page
from barograph.transport.web.language import marked
from barograph.transport.web.mqtt_docs import Describe
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, finished, not_found, page_route
from barograph.transport.web.snippets import MqttAddress

_PARTS = (
    overview,
    sharing,
    device,
    device_changes,
    device_exchange,
    sign_in,
    audit_log,
    people,
    profile,
    inventory,
    analytics,
    dashboards,
    reports,
    installing,
)


def router(
    core: Core,
    *,
    newest_page: bool = True,
    mqtt: MqttAddress | None = None,
    describe_mqtt: Describe | None = None,
    system: System | None = None,
) -> APIRouter:
    """Every page of the dashboard. None of them is part of the API's schema.

    `newest_page` says whether the parameters service, whose page that is, is turned on; `mqtt`
    where devices publish, to tell people; `describe_mqtt` makes the description of that; `system`
    is what the system's page is about.
    """
    site = Site(core, mqtt)
    visits = Visits(site)
    options = {"route_class": page_route(site), "include_in_schema": False}
    parts = [part.router(site, visits, options) for part in _PARTS]
    if system is not None:
        parts.append(system_page.router(site, visits, options, system))
    if newest_page:
        parts.append(newest.router(site, visits, options))
    return joined(
        _static_files(site),
        *parts,
        mqtt_docs.router(site, visits, options, describe_mqtt),
        api_docs.router(site, options),
        _anything_else(site),
    )


def _anything_else(site: Site) -> APIRouter:
    """Who mistyped the address of a page reads so on a page."""

    async def missing(request: Request) -> Response:
        return not_found(site, request, marked("No page has this address."))

    pages = APIRouter()
    pages.add_route("/ui/{path:path}", missing, methods=["GET"], include_in_schema=False)
    return pages


def _static_files(site: Site) -> APIRouter:
    """The files, by a plain route: a page loads a dozen, and there is nothing to check."""
    pages = APIRouter()

    async def static(request: Request) -> Response:
        file = site.statics.get(request.path_params["name"])
        if file is None:
            return not_found(site, request)
        # An address with another version is from a page of before; it gets what there is now.
        latest = request.path_params["version"] == site.statics.version
        lasting = "public, max-age=31536000, immutable"
        headers = {"Cache-Control": lasting if latest else "no-cache", "Vary": "Accept-Encoding"}
        body = file.plain
        if accepted(request.headers.get("accept-encoding", "")).get("gzip", 0) > 0:
            headers["Content-Encoding"] = "gzip"
            body = file.gzipped
        return finished(request, Response(body, media_type=file.content_type, headers=headers))

    pages.add_route(
        "/ui/static/{version}/{name:path}", static, methods=["GET"], include_in_schema=False
    )
    return pages
