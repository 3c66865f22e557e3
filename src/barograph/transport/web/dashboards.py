"""Dashboards: the list, and one to look at."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from barograph.domain.dashboard import Dashboard
from barograph.domain.errors import BarographError, InvalidInput
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.transport.http.joined import joined
from barograph.transport.web import dashboard_arranging, dashboard_sharing
from barograph.transport.web.board_live import BoardEvents
from barograph.transport.web.dashboard_view import KIND_TEXT, shown
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

FILE_BYTES_MAX = 512 * 1024
Since = Annotated[str | None, Query(max_length=8)]
Places = Annotated[str | None, Query(max_length=300)]


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/dashboards`, and `/ui/shared` for who comes by a link."""
    parts = (_list, _looking, dashboard_arranging.router, dashboard_sharing.router)
    return joined(*(part(site.core, visits, options) for part in parts))


def _list_page(core: Core, visit: Visit, problem: BarographError | None = None) -> HTMLResponse:
    found = core.dashboards.list(visit.asker)
    return visit.page(
        "dashboards.html",
        200 if problem is None else status_of(problem),
        dashboards=[
            (one, core.registry.user(one.user_id) if one.user_id else None) for one in found
        ],
        kinds=KIND_TEXT,
        problem="" if problem is None else message_of(visit, problem),
    )


def _list(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards", **options)

    @pages.get("")
    def dashboards(visit: Annotated[Visit, Depends(visits.known)]) -> HTMLResponse:
        return _list_page(core, visit)

    @pages.post("")
    def make(
        visit: Annotated[Visit, Depends(visits.sending)], name: Annotated[str, Form()] = ""
    ) -> Response:
        try:
            made = core.dashboards.create(visit.asker, name.strip())
        except MISTAKES as error:
            return _list_page(core, visit, error)
        return RedirectResponse(f"/ui/dashboards/{made.id}/arrange", 303)

    @pages.post("/import")
    def restore(visit: Annotated[Visit, Depends(visits.sending)], file: UploadFile) -> Response:
        try:
            content = file.file.read(FILE_BYTES_MAX + 1)
            if len(content) > FILE_BYTES_MAX:
                raise InvalidInput.of("", marked("The file is too large to be a dashboard."))
            try:
                given = json.loads(content)
            except (ValueError, RecursionError):
                raise InvalidInput.of("", marked("The file is no dashboard.")) from None
            made = core.dashboards.restore(visit.asker, given)
        except MISTAKES as error:
            return _list_page(core, visit, error)
        return RedirectResponse(f"/ui/dashboards/{made.id}", 303)

    return pages


def _some(
    core: Core, visit: Visit, dashboard: Dashboard, since: str | None, places: str
) -> HTMLResponse:
    """Some panels, to be put where they are on the page that is open."""
    only = [int(one) for one in places.split(",") if one.isdecimal() and len(one) < 4]
    return shown(core, visit, dashboard, since, "dashboard_some.html", only)


async def _events(
    core: Core,
    request: Request,
    find: Callable[[Request], Awaitable[Dashboard]],
    revision: int | None,
    asker: Principal | None = None,
) -> BoardEvents:
    streams, dashboard = request.app.state.streams, await find(request)
    return BoardEvents(core, streams, request, find, dashboard, asker, revision)


def _looking(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(**options)

    @pages.get("/ui/dashboards/{dashboard_id}")
    def look(
        visit: Annotated[Visit, Depends(visits.known)],
        dashboard_id: int,
        since: Since = None,
        kiosk: bool = False,  # noqa: FBT001, FBT002  # a field of the address
        panels: Places = None,
    ) -> HTMLResponse:
        who = visit.asker
        dashboard = core.dashboards.get(who, dashboard_id)
        if panels is not None:
            return _some(core, visit, dashboard, since, panels)
        return shown(
            core,
            visit,
            dashboard,
            since,
            kiosk=kiosk,
            shared=False,
            may_change=core.dashboards.may_change(who, dashboard),
            owns=core.dashboards.owns(who, dashboard),
        )

    @pages.get("/ui/shared/{secret}")
    def by_link(
        visit: Annotated[Visit, Depends(visits.anyone)],
        secret: str,
        since: Since = None,
        kiosk: bool = False,  # noqa: FBT001, FBT002  # a field of the address
        panels: Places = None,
    ) -> HTMLResponse:
        dashboard = core.dashboards.by_link(secret)
        if panels is not None:
            return _some(core, visit, dashboard, since, panels)
        return shown(
            core, visit, dashboard, since, kiosk=kiosk, shared=True, may_change=False, owns=False
        )

    @pages.get("/ui/dashboards/{dashboard_id}/live")
    async def live(
        visit: Annotated[Visit, Depends(visits.known)],
        dashboard_id: int,
        revision: int | None = None,
    ) -> BoardEvents:
        async def find(request: Request) -> Dashboard:
            who = (await visits.known(request)).asker
            return await run_in_threadpool(core.dashboards.get, who, dashboard_id)

        return await _events(core, visit.request, find, revision, visit.asker)

    @pages.get("/ui/shared/{secret}/live")
    async def live_by_link(
        visit: Annotated[Visit, Depends(visits.anyone)],
        secret: str,
        revision: int | None = None,
    ) -> BoardEvents:
        async def find(_: Request) -> Dashboard:
            return await run_in_threadpool(core.dashboards.by_link, secret)

        return await _events(core, visit.request, find, revision)

    @pages.get("/ui/dashboards/{dashboard_id}/export")
    def export(visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int) -> JSONResponse:
        found = core.dashboards.export(visit.asker, dashboard_id)
        name = "".join(c if c.isascii() and c.isalnum() else "-" for c in found["name"])[:60]
        disposition = f'attachment; filename="{name}.dashboard.json"'
        return JSONResponse(found, headers={"Content-Disposition": disposition})

    return pages
