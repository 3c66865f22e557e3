"""Who sees a dashboard: the users and the links that it is shared with."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.errors import BarographError
from barograph.services.core import Core
from barograph.transport.http.joined import joined
from barograph.transport.web.lives import LIVES, expires_time
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Visit, status_of


def router(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/dashboards/{id}`: `sharing`, `links`."""
    return joined(*(part(core, visits, options) for part in (_sharing, _links)))


def _sharing(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards/{dashboard_id}/sharing", **options)

    @pages.get("")
    def sharing(visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int) -> HTMLResponse:
        return _sharing_page(core, visit, dashboard_id)

    @pages.post("")
    def share(
        visit: Annotated[Visit, Depends(visits.sending)],
        dashboard_id: int,
        user: Annotated[str, Form(max_length=254)] = "",
        access: Annotated[str, Form()] = "read",
    ) -> Response:
        try:
            core.dashboards.share(visit.asker, dashboard_id, user, writes=access == "write")
        except MISTAKES as error:
            return _sharing_page(core, visit, dashboard_id, problem=error)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/sharing", 303)

    @pages.post("/{user_id}/end")
    def end(
        visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int, user_id: int
    ) -> Response:
        core.dashboards.unshare(visit.asker, dashboard_id, user_id)
        mine = visit.asker.user_id == user_id
        back = "/ui/dashboards" if mine else f"/ui/dashboards/{dashboard_id}/sharing"
        return RedirectResponse(back, 303)

    return pages


def _sharing_page(
    core: Core,
    visit: Visit,
    dashboard_id: int,
    address: str = "",
    problem: BarographError | None = None,
) -> HTMLResponse:
    who = visit.asker
    dashboard = core.dashboards.get(who, dashboard_id)
    return visit.page(
        "dashboard_sharing.html",
        200 if problem is None else status_of(problem),
        dashboard=dashboard,
        owner=core.registry.user(dashboard.user_id or 0),
        shares=[
            (share, core.registry.user(share.user_id))
            for share in core.dashboards.shares(who, dashboard_id)
        ],
        links=core.dashboards.links(who, dashboard_id),
        lives=LIVES,
        address=address,
        problem="" if problem is None else message_of(visit, problem),
    )


def _links(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards/{dashboard_id}/links", **options)

    @pages.post("")
    def make(
        visit: Annotated[Visit, Depends(visits.sending)],
        dashboard_id: int,
        name: Annotated[str, Form()] = "",
        lives: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            _, secret = core.dashboards.add_link(
                visit.asker,
                dashboard_id,
                name.strip(),
                expires_time=expires_time(lives, visit.now),
            )
        except MISTAKES as error:
            return _sharing_page(core, visit, dashboard_id, problem=error)
        address = f"{visit.base_url}ui/shared/{secret}"
        return _sharing_page(core, visit, dashboard_id, address)

    @pages.post("/{link_id}/revoke")
    def revoke(
        visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int, link_id: int
    ) -> Response:
        core.dashboards.remove_link(visit.asker, dashboard_id, link_id)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/sharing", 303)

    return pages
