"""Questions asked in a form: answered as chart and table, at once or as a job, and kept."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import time, tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from barograph.domain.errors import BarographError
from barograph.domain.job import ENDED, Job
from barograph.domain.time import parse_moment, to_datetime
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.http.joined import joined
from barograph.transport.web.answers import LINES_MAX, Asked, parts
from barograph.transport.web.asking import (
    STATISTICS,
    address_of,
    offered,
    question_of,
    require_subject,
    sent,
)
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.plots import draw_bars, draw_lines
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

Sent = Annotated[FormData, Depends(sent)]

_ROWS = 500
_JOBS = 10
_KIND = "analytics"
_USUAL = ["mean", "min", "max", "count"]

STATUS_TEXT = {
    "queued": marked("waiting"),
    "running": marked("running"),
    "done": marked("done"),
    "failed": marked("failed"),
    "cancelled": marked("cancelled"),
}


def statistic_text(visit: Visit, name: str) -> str:
    """A statistic as pages call it."""
    return visit.text(STATISTICS[name]) if name in STATISTICS else name


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/analytics`."""
    return joined(*(part(site.core, visits, options) for part in (_asking, _keeping)))


def _asking(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/analytics", **options)

    @pages.get("")
    def ask(visit: Annotated[Visit, Depends(visits.known)], request: Request) -> HTMLResponse:
        if not request.query_params:
            return _page(core, visit, {})
        question: dict[str, Any] = {}
        try:
            question = question_of(request.query_params)
            return _page(core, visit, question, _answer(core, visit, _whole(visit, question)))
        except MISTAKES as error:
            return _page(core, visit, question, problem=error)

    @pages.post("/jobs")
    def later(visit: Annotated[Visit, Depends(visits.sending)], form: Sent) -> Response:
        question: dict[str, Any] = {}
        try:
            question = question_of(form)
            job = core.jobs.ask(visit.asker, _KIND, _whole(visit, question))
        except MISTAKES as error:
            return _page(core, visit, question, problem=error)
        return RedirectResponse(f"/ui/analytics/jobs/{job.id}", 303)

    @pages.get("/jobs/{job_id}")
    def job(visit: Annotated[Visit, Depends(visits.known)], job_id: int) -> HTMLResponse:
        found = core.jobs.get(visit.asker, job_id)
        question = {**found.question["question"]}
        question["aggregate"] = str(question.get("aggregate", True)).lower()
        answer = None
        if found.kind == _KIND and found.status == "done" and "device" not in question:
            answer = _of_job(core, visit, question, found.result)
        return _page(core, visit, question if found.kind == _KIND else {}, answer, job=found)

    @pages.post("/jobs/{job_id}/cancel")
    def cancel(visit: Annotated[Visit, Depends(visits.sending)], job_id: int) -> Response:
        core.jobs.cancel(visit.asker, job_id)
        return RedirectResponse(f"/ui/analytics/jobs/{job_id}", 303)

    return pages


def _whole(visit: Visit, question: Mapping[str, Any]) -> dict[str, Any]:
    """The question with what the form leaves open; raises `InvalidInput` where it is of nothing."""
    require_subject(question)
    return {"stats": _USUAL, "tz": str(visit.zone), **question}


def _keeping(core: Core, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    pages = APIRouter(prefix="/ui/analytics", **options)

    @pages.post("/saved")
    def save(visit: Annotated[Visit, Depends(visits.sending)], form: Sent) -> Response:
        question: dict[str, Any] = {}
        try:
            question = question_of(form)
            name = form.get("name")
            core.dashboards.save_question(
                visit.asker, name.strip() if isinstance(name, str) else "", question
            )
        except MISTAKES as error:
            return _page(core, visit, question, problem=error)
        return RedirectResponse(f"/ui/analytics?{address_of(question)}#saved", 303)

    @pages.post("/saved/{question_id}/delete")
    def forget(
        visit: Annotated[Visit, Depends(visits.sending)],
        question_id: int,
    ) -> Response:
        core.dashboards.delete_question(visit.asker, question_id)
        return RedirectResponse("/ui/analytics#saved", 303)

    @pages.post("/panel")
    def to_dashboard(
        visit: Annotated[Visit, Depends(visits.sending)],
        form: Sent,
        dashboard: Annotated[int, Form()],
        kind: Annotated[str, Form()] = "line",
    ) -> Response:
        question = question_of(form)
        try:
            found = core.dashboards.get(visit.asker, dashboard)
            panel = {"kind": kind, "question": question}
            core.dashboards.update(
                visit.asker, dashboard, panels=[*found.panels, panel], revision=found.revision
            )
        except MISTAKES as error:
            return _page(core, visit, question, problem=error)
        return RedirectResponse(f"/ui/dashboards/{dashboard}", 303)

    return pages


def _page(
    core: Core,
    visit: Visit,
    question: Mapping[str, Any],
    answer: Mapping[str, Any] | None = None,
    problem: BarographError | None = None,
    job: Job | None = None,
) -> HTMLResponse:
    jobs = [
        one
        for one in core.jobs.list(visit.asker, limit=50).items
        if one.kind == _KIND and one.user_id == visit.asker.user_id
    ]
    return visit.page(
        "analytics.html",
        200 if problem is None else status_of(problem),
        **offered(core, visit, question),
        answer=answer,
        problem="" if problem is None else message_of(visit, problem),
        saved=[
            (saved, address_of(saved.question)) for saved in core.dashboards.questions(visit.asker)
        ],
        address=address_of(question),
        jobs=[(one, _about(core, visit, one)) for one in jobs[:_JOBS]],
        job=job,
        job_text=STATUS_TEXT,
        ended=ENDED,
        statistic_text=lambda name: statistic_text(visit, name),
        dashboards=[
            one
            for one in core.dashboards.list(visit.asker)
            if core.dashboards.may_change(visit.asker, one)
        ]
        if answer is not None and visit.may_create and not question.get("user")
        else [],
    )


def _about(core: Core, visit: Visit, job: Job) -> str:
    """The devices and metrics of the job's question, as far as the visitor sees them."""
    question = job.question["question"]
    names = []
    for ref in question.get("devices") or ():
        with suppress(BarographError):
            names.append(require_device(visit.asker, core.registry.device(ref)).name)
    metrics = question.get("metrics") or ()
    said = (names, [metrics] if isinstance(metrics, str) else metrics)
    return " · ".join(", ".join(part) for part in said if part)


def _answer(core: Core, visit: Visit, question: Mapping[str, Any]) -> dict[str, Any]:
    asked = Asked(core, visit.asker, question)
    start, end = asked.bounds()
    language, zone = visit.language, asked.question.zone
    bars = asked.question.interval is not None
    if bars:
        lines, edges = asked.bars()
        plot = draw_bars(lines, edges, start, end, language, zone)
        if sum(len(line.course.times) for line in lines) > 2 * LINES_MAX:
            plot = draw_lines(lines, start, end, language, zone)
    else:
        plot = draw_lines(asked.lines(), start, end, language, zone)
    return {
        "plot": plot,
        **_table(asked, asked.answer(visit.asker)),
        "charted": asked.question.statistics[0].text if bars or asked.together else "",
    }


def _of_job(
    core: Core, visit: Visit, question: Mapping[str, Any], result: object
) -> dict[str, Any]:
    asked = Asked(core, visit.asker, question)
    start, end = asked.bounds()
    plot = draw_lines(asked.lines(), start, end, visit.language, asked.question.zone)
    bucketed = asked.question.interval or asked.together
    charted = asked.question.statistics[0].text if bucketed else ""
    return {"plot": plot, **_table(asked, parts(result)), "charted": charted}


def _table(asked: Asked, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer as rows: device and metric, the bucket where there is one, and the statistics."""
    labels = {
        (one.device and one.device.id, one.metric): (one.label, one.unit) for one in asked.subjects
    }
    names = [statistic.text for statistic in asked.question.statistics]
    rows: list[dict[str, Any]] = []
    more = 0
    for answer in answers:
        for metric, found in answer["metrics"].items():
            label, unit = labels.get((answer.get("device_id"), metric), (metric, ""))
            for one in found if isinstance(found, list) else [found]:
                if len(rows) == _ROWS:
                    more += 1
                    continue
                values = [one.get(name) for name in names]
                start = one.get("start")
                rows.append(
                    {
                        "label": label,
                        "unit": unit,
                        "start": None if start is None else parse_moment(start, 0),
                        "values": values,
                    }
                )
    return {
        "rows": rows,
        "more": more,
        "names": names,
        "buckets": asked.question.interval is not None,
        "zone": asked.question.zone,
        "by_days": _by_days([row["start"] for row in rows], asked.question.zone),
    }


def _by_days(starts: Sequence[int | None], zone: tzinfo) -> bool:
    """Whether the buckets begin at midnight, all of them, so that their dates say everything."""
    several = {start for start in starts if start is not None}
    return len(several) > 1 and all(to_datetime(one, zone).time() == time.min for one in several)
