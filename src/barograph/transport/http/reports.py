"""`/api/reports`: having reports made, and reading them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from barograph.domain.report import Delivery, DeliveryStatus, Form, Report, Way
from barograph.services.core import Core
from barograph.services.report_delivery import MEDIA_TYPES
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import answer, page_answer
from barograph.transport.http.schemas import (
    ID_MAX,
    Name,
    Offset,
    PageOf,
    PathId,
    Time,
    page_limit,
    time_text,
)
from barograph.transport.http.users import Asker

# A browser that is signed in may open a report: nothing in it may run. The page itself says which
# style is its own.
_POLICY = (
    "sandbox; script-src 'none'; object-src 'none'; img-src 'none'; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

_Moment = StrictStr | StrictInt | StrictFloat | None
_Names = str | list[str] | None
_Refs = Annotated[list[int | str] | None, Field(max_length=200)]


class ReportQuestion(BaseModel):
    """What a report is about."""

    model_config = ConfigDict(extra="forbid")

    devices: Annotated[
        _Refs, Field(description="Ids or keys. With neither these nor users: all your devices.")
    ] = None
    users: Annotated[_Refs, Field(description="Ids: one section for all devices of each.")] = None
    period: Annotated[
        str | None,
        Field(
            description="today, yesterday, this_week, last_week and likewise with month, quarter "
            "and year, or a length until now such as 24h or 7d. By default yesterday, unless two "
            "times are given.",
            examples=["yesterday", "7d"],
        ),
    ] = None
    start_time: Annotated[_Moment, Field(description="With end_time, in place of a period.")] = None
    end_time: _Moment = None
    metrics: Annotated[_Names, Field(description="Names, in which `*` is a wildcard.")] = None
    stats: Annotated[_Names, Field(description="As in the analytics; also their default.")] = None
    interval: Annotated[
        str | None, Field(description="The length of buckets, such as 1h or 1d.", examples=["1h"])
    ] = None
    tz: Annotated[
        str | None, Field(description="An IANA zone; by default the setting `timezone`.")
    ] = None
    language: Annotated[str | None, Field(description="en or ru.", examples=["en", "ru"])] = None


class NewReport(ReportQuestion):
    """A report to be made now."""

    name: Name = "Report"


class AskedReport(BaseModel):
    """The job that makes a report; its result is `{"report_id": 7}`."""

    job_id: int
    status_url: str


class ReportBody(BaseModel):
    """A report that was made."""

    id: int
    name: str
    user_id: int | None
    schedule_id: int | None
    question: dict[str, Any]
    created_time: Time
    urls: Annotated[dict[str, str], Field(description="Where each form of it can be had.")]


class DeliveryBody(BaseModel):
    """A report on its way to somebody."""

    id: int
    way: Way
    target: Annotated[str, Field(description="An e-mail address, or the name of a webhook.")]
    status: DeliveryStatus
    attempts: int
    next_time: Annotated[Time | None, Field(description="When it is tried next.")]
    ended_time: Time | None
    error: Annotated[str | None, Field(description="What went wrong the last time.")]


def _report(report: Report) -> dict[str, Any]:
    return {
        "id": report.id,
        "name": report.name,
        "user_id": report.user_id,
        "schedule_id": report.schedule_id,
        "question": report.question,
        "created_time": time_text(report.created_time),
        "urls": {form: f"/api/reports/{report.id}/{form}" for form in MEDIA_TYPES},
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "way": delivery.way,
        "target": delivery.target,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_time": time_text(delivery.next_time),
        "ended_time": time_text(delivery.ended_time),
        "error": delivery.error,
    }


def asked(job_id: int) -> Response:
    """The answer to who asked for a report."""
    url = f"/api/jobs/{job_id}"
    return answer({"job_id": job_id, "status_url": url}, 202, {"Location": url})


def router(core: Core) -> APIRouter:
    """The reports of who asks; administrators see all."""
    routes = APIRouter(prefix="/api/reports", tags=["reports"])
    most = page_limit(core.limits)

    @routes.post(
        "",
        status_code=202,
        response_model=AskedReport,
        responses=responses(400, 401, 403, 404, 422, 429),
        summary="Have a report made",
    )
    def make_report(wanted: Annotated[NewReport, Body()], asker: Asker) -> Response:
        """The job tells how far it is, and then the report's id."""
        question = wanted.model_dump(exclude_unset=True, exclude={"name"})
        return asked(core.reports.make(asker, wanted.name, question).id)

    @routes.get(
        "",
        response_model=PageOf[ReportBody],
        responses=responses(401, 403, 422),
        summary="List reports, the newest first",
    )
    def list_reports(
        asker: Asker,
        schedule: Annotated[
            int | None, Query(ge=1, le=ID_MAX, description="Of this schedule only.")
        ] = None,
        limit: int = most,
        offset: Offset = 0,
    ) -> Response:
        """Your reports, those on request and those of your schedules."""
        page = core.reports.list(asker, schedule_id=schedule, limit=limit, offset=offset)
        items = [_report(report) for report in page.items]
        return page_answer(items, page.total, limit, offset)

    @routes.get(
        "/{report:int}",
        response_model=ReportBody,
        responses=responses(401, 403, 404, 422),
        summary="Look at a report",
    )
    def get_report(report: PathId, asker: Asker) -> Response:
        """Its name and question, and where its forms are."""
        return answer(_report(core.reports.get(asker, report)))

    @routes.get(
        "/{report:int}/deliveries",
        response_model=list[DeliveryBody],
        responses=responses(401, 403, 404, 422),
        summary="See where a report is sent",
    )
    def list_deliveries(report: PathId, asker: Asker) -> Response:
        """Each address and webhook, and how far that is."""
        return answer([_delivery(one) for one in core.reports.deliveries(asker, report)])

    @routes.get(
        "/{report:int}/{form}",
        response_class=Response,
        responses={
            200: {
                "description": "The report.",
                "content": {
                    **{
                        kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                        for kind in MEDIA_TYPES.values()
                    },
                    "application/json": {"schema": {"type": "object"}},
                },
            },
            **responses(401, 403, 404, 422),
        },
        summary="Read a report",
    )
    def read_report(
        report: PathId,
        form: Annotated[Form, Path(description="How to write it.")],
        asker: Asker,
    ) -> Response:
        """As a page with charts, PDF, CSV, a workbook, Parquet, or JSON."""
        content = core.reports.render(asker, report, form)
        shown = "inline" if form in {"html", "json"} else "attachment"
        headers = {
            "Content-Disposition": f'{shown}; filename="report-{report}.{form}"',
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
        }
        return Response(content, media_type=MEDIA_TYPES[form], headers=headers)

    @routes.delete(
        "/{report:int}",
        status_code=204,
        responses=responses(401, 403, 404, 422),
        summary="Remove a report",
    )
    def delete_report(report: PathId, asker: Asker) -> Response:
        """The report goes, and what was to be sent of it is not."""
        core.reports.delete(asker, report)
        return Response(status_code=204)

    return routes
