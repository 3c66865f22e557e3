"""Reports: had made now or again and again, and the ones there are, to read and to download."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from barograph.domain.errors import BarographError, InvalidInput
from barograph.domain.job import ENDED
from barograph.domain.report import FORMS, Form
from barograph.services.core import Core
from barograph.services.schedules import Wanted
from barograph.transport.http.joined import joined
from barograph.transport.web.analytics import STATUS_TEXT
from barograph.transport.web.asking import offered, question_of, sent
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.paging import part_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

_PAGE = 30
Sent = Annotated[FormData, Depends(sent)]

_PERIODS = {
    "yesterday": marked("yesterday"),
    "today": marked("today"),
    "last_week": marked("last week"),
    "this_week": marked("this week"),
    "last_month": marked("last month"),
    "this_month": marked("this month"),
    "last_quarter": marked("last quarter"),
    "last_year": marked("last year"),
    "24h": marked("the 24 hours before"),
    "7d": marked("the 7 days before"),
    "30d": marked("the 30 days before"),
}
_TIMES = {
    "0 6 * * *": marked("every day at 6"),
    "0 6 * * 1-5": marked("every working day at 6"),
    "0 6 * * 1": marked("every Monday at 6"),
    "0 6 1 * *": marked("on the first of each month at 6"),
    "0 6 1 1,4,7,10 *": marked("on the first of each quarter at 6"),
    "0 * * * *": marked("every hour"),
}
_CUSTOM = "custom"


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/reports`."""
    return joined(*(part(site.core, visits, options) for part in (_reports, _schedules)))


def _list_page(core: Core, visit: Visit, page: int = 1, job_id: int | None = None) -> HTMLResponse:
    who = visit.asker
    found = part_of(
        core,
        lambda limit, offset: core.reports.list(who, limit=limit, offset=offset),
        page,
        _PAGE,
    )
    job = None if job_id is None else core.jobs.get(who, job_id)
    return visit.page(
        "reports.html",
        reports=found.items,
        total=found.total,
        forms=FORMS,
        schedules=core.schedules.list(who, limit=200).items,
        times=_TIMES,
        job=job,
        job_text=STATUS_TEXT,
        ended=ENDED,
        page=found.page,
        pages=found.pages,
        page_url=lambda n: f"/ui/reports?page={n}",
    )


def _form_page(
    core: Core, visit: Visit, asked: Mapping[str, Any], problem: BarographError | None = None
) -> HTMLResponse:
    user = visit.user
    question = asked["question"]
    if question.get("users"):
        question = {**question, "user": question["users"][0]}
    return visit.page(
        "report_new.html",
        200 if problem is None else status_of(problem),
        **offered(core, visit, question),
        asked=asked,
        report_periods=_PERIODS,
        times=_TIMES,
        custom=_CUSTOM,
        forms=FORMS,
        usual_email=(user.email or "") if user else "",
        problem="" if problem is None else message_of(visit, problem),
    )


def _asked(visit: Visit, fields: FormData) -> dict[str, Any]:
    """What the form says; raises `InvalidInput`."""
    question = question_of(fields)
    for name in ("start_time", "end_time"):
        question.pop(name, None)
    question.pop("aggregate", None)
    if "user" in question:
        question["users"] = [question.pop("user")]
    question.setdefault("tz", str(visit.zone))
    question["period"] = _field(fields, "period") or "yesterday"
    question["language"] = visit.language.code
    cron = _field(fields, "time")
    if cron == _CUSTOM:
        cron = _field(fields, "cron") or _CUSTOM
    email = _field(fields, "email")
    return {
        "name": _field(fields, "name"),
        "question": question,
        "cron": cron,
        "email": [one.strip() for one in email.split(",") if one.strip()],
        "formats": _forms(fields),
    }


def _forms(fields: FormData) -> list[Form]:
    chosen = set(fields.getlist("formats"))
    return [form for form in FORMS if form in chosen] or ["pdf"]


def _field(fields: FormData, name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _reports(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/reports", **options)

    @pages.get("")
    def reports(
        visit: Annotated[Visit, Depends(visits.known)],
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        job: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
    ) -> HTMLResponse:
        return _list_page(core, visit, page, job)

    @pages.get("/new")
    def new(visit: Annotated[Visit, Depends(visits.known)], request: Request) -> HTMLResponse:
        question = question_of(request.query_params)
        return _form_page(
            core,
            visit,
            {"name": "", "question": question, "cron": "", "email": [], "formats": ["pdf"]},
        )

    @pages.post("/new")
    def make(visit: Annotated[Visit, Depends(visits.sending)], form: Sent) -> Response:
        asked: dict[str, Any] = {
            "name": "",
            "question": {},
            "cron": "",
            "email": [],
            "formats": ["pdf"],
        }
        try:
            asked = _asked(visit, form)
            if asked["cron"] == _CUSTOM:
                raise InvalidInput.of("cron", marked("Say at which times it is to be made."))
            if not asked["cron"]:
                name = asked["name"] or visit.text(marked("Report"))
                job = core.reports.make(visit.asker, name, asked["question"])
                return RedirectResponse(f"/ui/reports?job={job.id}", 303)
            if not asked["name"]:
                raise InvalidInput.of("name", marked("A report that comes again needs a name."))
            core.schedules.create(
                visit.asker,
                Wanted(
                    asked["name"],
                    asked["question"],
                    asked["cron"],
                    email=asked["email"],
                    formats=asked["formats"],
                ),
            )
        except MISTAKES as error:
            return _form_page(core, visit, asked, error)
        return RedirectResponse("/ui/reports#schedules", 303)

    @pages.post("/{report_id}/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], report_id: int) -> Response:
        core.reports.delete(visit.asker, report_id)
        return RedirectResponse("/ui/reports", 303)

    return pages


def _schedules(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/reports/schedules/{schedule_id}", **options)

    @pages.post("/run")
    def run(visit: Annotated[Visit, Depends(visits.sending)], schedule_id: int) -> Response:
        job = core.schedules.run(visit.asker, schedule_id)
        return RedirectResponse(f"/ui/reports?job={job.id}", 303)

    @pages.post("/switch")
    def switch(visit: Annotated[Visit, Depends(visits.sending)], schedule_id: int) -> Response:
        schedule = core.schedules.get(visit.asker, schedule_id)
        core.schedules.update(visit.asker, schedule_id, enabled=not schedule.enabled)
        return RedirectResponse("/ui/reports#schedules", 303)

    @pages.post("/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], schedule_id: int) -> Response:
        core.schedules.delete(visit.asker, schedule_id)
        return RedirectResponse("/ui/reports#schedules", 303)

    return pages
