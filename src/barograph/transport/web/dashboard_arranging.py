"""Arranging a dashboard, and making and changing its panels."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from barograph.domain.dashboard import Dashboard
from barograph.domain.errors import BarographError, InvalidInput, NotFound
from barograph.services.core import Core
from barograph.services.panels import HEIGHTS, KINDS, WIDTHS
from barograph.transport.http.joined import joined
from barograph.transport.web.asking import offered, question_of, sent
from barograph.transport.web.dashboard_view import KIND_TEXT, shown
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Visit, status_of

Sent = Annotated[FormData, Depends(sent)]

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


def router(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/dashboards/{id}`: `arrange`, `delete`, `panels`."""
    return joined(*(part(core, visits, options) for part in (_arranging, _panels)))


def _arranging(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/dashboards/{dashboard_id}", **options)

    def page(
        visit: Visit, dashboard: Dashboard, problem: BarographError | None = None
    ) -> HTMLResponse:
        return shown(
            core,
            visit,
            dashboard,
            None,
            "dashboard_arrange.html",
            problem="" if problem is None else message_of(visit, problem),
            width_text=_WIDTH_TEXT,
            height_text=_HEIGHT_TEXT,
            owns=core.dashboards.owns(visit.asker, dashboard),
        )

    @pages.get("/arrange")
    def arrange(visit: Annotated[Visit, Depends(visits.known)], dashboard_id: int) -> HTMLResponse:
        return page(visit, _to_change(core, visit, dashboard_id))

    @pages.post("/arrange")
    def arranged(
        visit: Annotated[Visit, Depends(visits.sending)], form: Sent, dashboard_id: int
    ) -> Response:
        who = visit.asker
        before = core.dashboards.get(who, dashboard_id)
        try:
            panels = _arranged(before.panels, form)
            name = _field(form, "name") or before.name
            revision = _revision(form, before)
            core.dashboards.update(who, dashboard_id, name=name, panels=panels, revision=revision)
        except MISTAKES as error:
            return page(visit, before, error)
        if "done" in form:
            return RedirectResponse(f"/ui/dashboards/{dashboard_id}", 303)
        return RedirectResponse(f"/ui/dashboards/{dashboard_id}/arrange", 303)

    @pages.post("/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], dashboard_id: int) -> Response:
        core.dashboards.delete(visit.asker, dashboard_id)
        return RedirectResponse("/ui/dashboards", 303)

    return pages


def _to_change(core: Core, visit: Visit, dashboard_id: int) -> Dashboard:
    """The dashboard; raises `NotFound` where it is not the visitor's to change."""
    dashboard = core.dashboards.get(visit.asker, dashboard_id)
    if not core.dashboards.may_change(visit.asker, dashboard):
        raise NotFound(marked("This dashboard is not yours to change."))
    return dashboard


def _arranged(panels: Sequence[Mapping[str, Any]], form: FormData) -> list[dict[str, Any]]:
    """The panels in the order and the sizes of the form, after the button that was pressed."""
    given = [_whole(one) for one in form.getlist("order") if isinstance(one, str)]
    order = [one for one in given if one is not None]
    if len(order) < len(given) or sorted(order) != list(range(len(panels))):
        raise InvalidInput.of("", marked("The dashboard was changed meanwhile: reload the page."))
    action, _, number = _field(form, "act").partition(":")
    pressed = _whole(number)
    if pressed is not None and pressed in order:
        place = order.index(pressed)
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
            size = _whole(_field(form, f"{name}-{index}"))
            if size is not None:
                panel[name] = size
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
        dashboard = _to_change(core, visit, dashboard_id)
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
            revision = _revision(form, dashboard)
            core.dashboards.update(visit.asker, dashboard_id, panels=panels, revision=revision)
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
        size = _whole(_field(form, name))
        if size is not None:
            panel[name] = size
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


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _whole(text: str) -> int | None:
    """The whole number that a field holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _revision(form: FormData, dashboard: Dashboard) -> int:
    """The revision that the form was made of, the dashboard's own where it names none."""
    given = _field(form, "revision")
    revision = _whole(given) if given else dashboard.revision
    if revision is None:
        raise InvalidInput.of("revision", marked("use a number"))
    return revision
