"""Dashboards: the list, one to look at, one to arrange, its panels, and who sees it."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from barograph.domain.dashboard import Dashboard
from barograph.domain.errors import BarographError, InvalidInput, NotFound
from barograph.domain.time import DAY
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.services.panels import HEIGHTS, KINDS, WIDTHS
from barograph.transport.web.analytics import statistic_text
from barograph.transport.web.asking import PERIODS, offered, question_of, sent
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.panel_views import panel_views
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

FILE_BYTES_MAX = 512 * 1024
Sent = Annotated[FormData, Depends(sent)]
Since = Annotated[str | None, Query(max_length=8)]

KIND_TEXT = {
    "line": marked("Lines"),
    "bar": marked("Bars"),
    "stat": marked("Figures"),
    "gauge": marked("Gauge"),
    "table": marked("Table"),
    "states": marked("States over time"),
    "text": marked("Text"),
}
_WIDTH_TEXT = {
    3: marked("a quarter"),
    4: marked("a third"),
    6: marked("a half"),
    8: marked("two thirds"),
    12: marked("the whole width"),
}
_HEIGHT_TEXT = {
    1: marked("low"),
    2: marked("medium"),
    3: marked("high"),
    4: marked("very high"),
}
_LIVES = {
    "": (marked("until it is revoked"), None),
    "1": (marked("for a day"), DAY),
    "30": (marked("for 30 days"), 30 * DAY),
    "365": (marked("for a year"), 365 * DAY),
}


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/dashboards`, and `/ui/shared` for who comes by a link."""
    pages = APIRouter()
    for part in (_list, _looking, _arranging, _panels, _sharing, _links):
        pages.include_router(part(site.core, visits, options))
    return pages


def _who(visit: Visit) -> Principal:
    assert visit.principal is not None
    return visit.principal


def _list_page(core: Core, visit: Visit, problem: BarographError | None = None) -> HTMLResponse:
    found = core.dashboards.list(_who(visit))
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
            made = core.dashboards.create(_who(visit), name.strip())
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
            made = core.dashboards.restore(_who(visit), given)
        except MISTAKES as error:
            return _list_page(core, visit, error)
        return RedirectResponse(f"/ui/dashboards/{made.id}", 303)

    return pages


def _shown(
    core: Core,
    visit: Visit,
    dashboard: Dashboard,
    since: str | None,
    template: str = "dashboard.html",
    **more: Any,
) -> HTMLResponse:
    start = since if since in PERIODS and since else None
    rights = core.dashboards.rights(dashboard)
    page = visit.page(
        template,
        dashboard=dashboard,
        views=panel_views(core, visit, rights, dashboard, start),
        since=start,
        periods={value: text for value, text in PERIODS.items() if value},
        statistic_text=lambda name: statistic_text(visit, name),
        kinds=KIND_TEXT,
        **more,
    )
    page.headers["X-Robots-Tag"] = "noindex"
    return page


def _looking(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(**options)

    @pages.get("/ui/dashboards/{dashboard_id}")
    def look(
        visit: Annotated[Visit, Depends(visits.known)],
        dashboard_id: int,
        since: Since = None,
        kiosk: bool = False,  # noqa: FBT001, FBT002  # a field of the address
    ) -> HTMLResponse:
        who = _who(visit)
        dashboard = core.dashboards.get(who, dashboard_id)
        return _shown(
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
    ) -> HTMLResponse:
        dashboard = core.dashboards.by_link(secret)
        return _shown(
            core, visit, dashboard, since, kiosk=kiosk, shared=True, may_change=False, owns=False
        )

    @pages.get("/ui/dashboards/{dashboard_id}/export")
    def export(visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int) -> JSONResponse:
        found = core.dashboards.export(_who(visit), dashboard_id)
        name = "".join(c if c.isascii() and c.isalnum() else "-" for c in found["name"])[:60]
        disposition = f'attachment; filename="{name}.dashboard.json"'
        return JSONResponse(found, headers={"Content-Disposition": disposition})

    return pages


def _arranging(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards/{dashboard_id}", **options)

    def page(
        visit: Visit, dashboard: Dashboard, problem: BarographError | None = None
    ) -> HTMLResponse:
        return _shown(
            core,
            visit,
            dashboard,
            None,
            "dashboard_arrange.html",
            problem="" if problem is None else message_of(visit, problem),
            width_text=_WIDTH_TEXT,
            height_text=_HEIGHT_TEXT,
            owns=core.dashboards.owns(_who(visit), dashboard),
        )

    @pages.get("/arrange")
    def arrange(visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int) -> HTMLResponse:
        who = _who(visit)
        dashboard = core.dashboards.get(who, dashboard_id)
        if not core.dashboards.may_change(who, dashboard):
            raise NotFound(marked("This dashboard is not yours to change."))
        return page(visit, dashboard)

    @pages.post("/arrange")
    def arranged(
        visit: Annotated[Visit, Depends(visits.sending)], form: Sent, dashboard_id: int
    ) -> Response:
        who = _who(visit)
        before = core.dashboards.get(who, dashboard_id)
        try:
            panels = _arranged(before.panels, form)
            name = _field(form, "name") or before.name
            revision = int(_field(form, "revision") or before.revision)
            core.dashboards.update(who, dashboard_id, name=name, panels=panels, revision=revision)
        except MISTAKES as error:
            return page(visit, before, error)
        if "done" in form:
            return RedirectResponse(f"/ui/dashboards/{dashboard_id}", 303)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/arrange", 303)

    @pages.post("/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int) -> Response:
        core.dashboards.delete(_who(visit), dashboard_id)
        return RedirectResponse("/ui/dashboards", 303)

    return pages


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _arranged(panels: Sequence[Mapping[str, Any]], form: FormData) -> list[dict[str, Any]]:
    """The panels in the order and the sizes of the form, after the button that was pressed."""
    order = [int(one) for one in form.getlist("order") if isinstance(one, str) and one.isdecimal()]
    if sorted(order) != list(range(len(panels))):
        raise InvalidInput.of("", marked("The dashboard was changed meanwhile: reload the page."))
    action, _, number = _field(form, "act").partition(":")
    if number.isdecimal() and int(number) in order:
        place = order.index(int(number))
        if action == "earlier" and place > 0:
            order[place - 1], order[place] = order[place], order[place - 1]
        elif action == "later" and place < len(order) - 1:
            order[place + 1], order[place] = order[place], order[place + 1]
        elif action == "remove":
            del order[place]
    found = []
    for index in order:
        panel = dict(panels[index])
        for name in ("width", "height"):
            size = _field(form, f"{name}-{index}")
            if size.isdecimal() and len(size) < 3:
                panel[name] = int(size)
        found.append(panel)
    return found


def _panels(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards/{dashboard_id}/panels", **options)

    def page(
        visit: Visit,
        dashboard: Dashboard,
        index: int | None,
        panel: Mapping[str, Any],
        problem: BarographError | None = None,
    ) -> HTMLResponse:
        return visit.page(
            "panel_edit.html",
            200 if problem is None else status_of(problem),
            dashboard=dashboard,
            index=index,
            panel=panel,
            kinds=KIND_TEXT,
            widths=WIDTHS,
            heights=HEIGHTS,
            width_text=_WIDTH_TEXT,
            height_text=_HEIGHT_TEXT,
            problem="" if problem is None else message_of(visit, problem),
            **offered(core, visit, panel.get("question") or {}),
        )

    def of(visit: Visit, dashboard_id: int, index: int | None) -> tuple[Dashboard, dict[str, Any]]:
        who = _who(visit)
        dashboard = core.dashboards.get(who, dashboard_id)
        if not core.dashboards.may_change(who, dashboard):
            raise NotFound(marked("This dashboard is not yours to change."))
        if index is None:
            return dashboard, {}
        if not 0 <= index < len(dashboard.panels):
            raise NotFound(marked("There is no such panel."))
        return dashboard, dict(dashboard.panels[index])

    @pages.get("/new")
    def new(
        visit: Annotated[Visit, Depends(visits.known)],
        dashboard_id: int,
        kind: Annotated[str, Query(max_length=10)] = "line",
    ) -> HTMLResponse:
        dashboard, _ = of(visit, dashboard_id, None)
        return page(visit, dashboard, None, {"kind": kind if kind in KINDS else "line"})

    @pages.get("/{index}")
    def edit(
        visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int, index: int
    ) -> HTMLResponse:
        dashboard, panel = of(visit, dashboard_id, index)
        return page(visit, dashboard, index, panel)

    def save(visit: Visit, form: FormData, dashboard_id: int, index: int | None) -> Response:
        dashboard, before = of(visit, dashboard_id, index)
        panel: dict[str, Any] = before
        try:
            panel = _panel_of(form, before)
            panels: list[Mapping[str, Any]] = list(dashboard.panels)
            if index is None:
                panels.append(panel)
            else:
                panels[index] = panel
            revision = int(_field(form, "revision") or dashboard.revision)
            core.dashboards.update(_who(visit), dashboard_id, panels=panels, revision=revision)
        except MISTAKES as error:
            return page(visit, dashboard, index, panel, error)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/arrange", 303)

    @pages.post("/new")
    def add(
        visit: Annotated[Visit, Depends(visits.sending)], form: Sent, dashboard_id: int
    ) -> Response:
        return save(visit, form, dashboard_id, None)

    @pages.post("/{index}")
    def change(
        visit: Annotated[Visit, Depends(visits.sending)], form: Sent, dashboard_id: int, index: int
    ) -> Response:
        return save(visit, form, dashboard_id, index)

    return pages


def _panel_of(form: FormData, before: Mapping[str, Any]) -> dict[str, Any]:
    """The panel as the form says, in the form of the API; raises `InvalidInput`."""
    kind = _field(form, "kind")
    panel: dict[str, Any] = {"kind": kind, "title": _field(form, "title")}
    for name in ("width", "height"):
        size = _field(form, name)
        if size.isdecimal() and len(size) < 3:
            panel[name] = int(size)
    if kind == "text":
        return {**panel, "text": str(form.get("text") or "")}
    question = question_of(form)
    for name in ("end_time", "tz"):  # what the form does not show stays
        kept = before.get("question", {}).get(name)
        if kept and question.get("start_time") == before["question"].get("start_time"):
            question.setdefault(name, kept)
    if kind == "gauge":
        for name in ("low", "high"):
            try:
                panel[name] = float(_field(form, name).replace(",", "."))
            except ValueError:
                raise InvalidInput.of(name, marked("use a number")) from None
    return {**panel, "question": question}


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
            core.dashboards.share(_who(visit), dashboard_id, user, writes=access == "write")
        except MISTAKES as error:
            return _sharing_page(core, visit, dashboard_id, problem=error)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/sharing", 303)

    @pages.post("/{user_id}/end")
    def end(
        visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int, user_id: int
    ) -> Response:
        core.dashboards.unshare(_who(visit), dashboard_id, user_id)
        mine = _who(visit).user_id == user_id
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
    who = _who(visit)
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
        lives={key: text for key, (text, _) in _LIVES.items()},
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
        length = _LIVES.get(lives, _LIVES["1"])[1]
        try:
            _, secret = core.dashboards.add_link(
                _who(visit),
                dashboard_id,
                name.strip(),
                expires_time=None if length is None else visit.now + length,
            )
        except MISTAKES as error:
            return _sharing_page(core, visit, dashboard_id, problem=error)
        address = f"{visit.base_url}ui/shared/{secret}"
        return _sharing_page(core, visit, dashboard_id, address)

    @pages.post("/{link_id}/revoke")
    def revoke(
        visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int, link_id: int
    ) -> Response:
        core.dashboards.remove_link(_who(visit), dashboard_id, link_id)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/sharing", 303)

    return pages
