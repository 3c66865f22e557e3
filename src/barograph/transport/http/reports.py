"""`/api/reports` and `/api/schedules`: having reports made, now or again and again; reading them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from barograph.domain.report import Delivery, DeliveryStatus, Form, Report, Schedule, Way
from barograph.services.core import Core
from barograph.services.report_delivery import MEDIA_TYPES
from barograph.services.schedules import Wanted
from barograph.transport.http.problems import responses
from barograph.transport.http.query import answer
from barograph.transport.http.schemas import (
    LEFT_OUT,
    Email,
    Name,
    Offset,
    PageOf,
    PathId,
    Time,
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


_Cron = Annotated[
    str,
    Field(
        max_length=128,
        description="Minute, hour, day of the month, month, day of the week, on the calendar of "
        "the question's zone.",
        examples=["0 6 * * 1"],
    ),
]
_Emails = Annotated[
    list[Email],
    Field(
        max_length=100,
        description="Who gets it by e-mail: your own address; administrators name any.",
    ),
]
_Webhooks = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(max_length=100, description="Names from the setting `webhooks` that are told of it."),
]
_Formats = Annotated[
    list[Form], Field(max_length=100, description="What is attached to an e-mail.")
]


class NewSchedule(BaseModel):
    """A report to be made again and again."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    question: ReportQuestion
    cron: _Cron
    email: _Emails = []
    webhook: _Webhooks = []
    formats: _Formats = ["pdf"]
    enabled: StrictBool = True


class ScheduleChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name = LEFT_OUT
    question: ReportQuestion = LEFT_OUT
    cron: _Cron = LEFT_OUT
    email: _Emails = LEFT_OUT
    webhook: _Webhooks = LEFT_OUT
    formats: _Formats = LEFT_OUT
    enabled: StrictBool = LEFT_OUT


class ScheduleBody(BaseModel):
    """A report that is made again and again."""

    id: int
    name: str
    user_id: int | None
    question: dict[str, Any]
    cron: str
    email: list[str]
    webhook: list[str]
    formats: list[Form]
    enabled: bool
    created_time: Time
    next_time: Annotated[Time | None, Field(description="When it is due; null while disabled.")]
    last_time: Annotated[Time | None, Field(description="The moment of its last report.")]
    last_job_id: Annotated[int | None, Field(description="The job that makes or made that.")]
    last_error: Annotated[str | None, Field(description="Why that could not be asked for.")]


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


def _schedule(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "name": schedule.name,
        "user_id": schedule.user_id,
        "question": schedule.question,
        "cron": schedule.cron,
        "email": schedule.email,
        "webhook": schedule.webhook,
        "formats": schedule.formats,
        "enabled": schedule.enabled,
        "created_time": time_text(schedule.created_time),
        "next_time": time_text(schedule.next_time),
        "last_time": time_text(schedule.last_time),
        "last_job_id": schedule.last_job_id,
        "last_error": schedule.last_error,
    }


def _asked(job_id: int) -> Response:
    url = f"/api/jobs/{job_id}"
    return answer({"job_id": job_id, "status_url": url}, 202, {"Location": url})


def router(core: Core) -> APIRouter:
    """The reports and the schedules of who asks; administrators see all."""
    routes = APIRouter()
    routes.include_router(_reports(core))
    routes.include_router(_schedules(core))
    return routes


def _reports(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/reports", tags=["reports"])

    @routes.post(
        "",
        status_code=202,
        response_model=AskedReport,
        responses=responses(400, 401, 403, 404, 422, 429),
        summary="Have a report made",
    )
    def make_report(asked: Annotated[NewReport, Body()], asker: Asker) -> Response:
        """The job tells how far it is, and then the report's id."""
        question = asked.model_dump(exclude_unset=True, exclude={"name"})
        return _asked(core.reports.make(asker, asked.name, question).id)

    @routes.get(
        "",
        response_model=PageOf[ReportBody],
        responses=responses(401, 403, 422),
        summary="List reports, the newest first",
    )
    def list_reports(
        asker: Asker,
        schedule: Annotated[
            int | None, Query(ge=1, le=2**53 - 1, description="Of this schedule only.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=core.limits.page_items_max)] = 100,
        offset: Offset = 0,
    ) -> Response:
        """Your reports, those on request and those of your schedules."""
        page = core.reports.list(asker, schedule_id=schedule, limit=limit, offset=offset)
        items = [_report(report) for report in page.items]
        return answer({"items": items, "total": page.total, "limit": limit, "offset": offset})

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


def _schedules(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/schedules", tags=["reports"])

    @routes.post(
        "",
        status_code=201,
        response_model=ScheduleBody,
        responses=responses(400, 401, 403, 404, 409, 422),
        summary="Have a report made again and again",
    )
    def create_schedule(asked: Annotated[NewSchedule, Body()], asker: Asker) -> Response:
        """It is made for you, with your rights of then."""
        schedule = core.schedules.create(asker, Wanted(**_given(asked)))
        headers = {"Location": f"/api/schedules/{schedule.id}"}
        return answer(_schedule(schedule), 201, headers)

    @routes.get(
        "",
        response_model=PageOf[ScheduleBody],
        responses=responses(401, 403, 422),
        summary="List schedules",
    )
    def list_schedules(
        asker: Asker,
        limit: Annotated[int, Query(ge=1, le=core.limits.page_items_max)] = 100,
        offset: Offset = 0,
    ) -> Response:
        """Your schedules."""
        page = core.schedules.list(asker, limit=limit, offset=offset)
        items = [_schedule(schedule) for schedule in page.items]
        return answer({"items": items, "total": page.total, "limit": limit, "offset": offset})

    @routes.get(
        "/{schedule:int}",
        response_model=ScheduleBody,
        responses=responses(401, 403, 404, 422),
        summary="Look at a schedule",
    )
    def get_schedule(schedule: PathId, asker: Asker) -> Response:
        """When it is due next, and what came of the last time."""
        return answer(_schedule(core.schedules.get(asker, schedule)))

    @routes.patch(
        "/{schedule:int}",
        response_model=ScheduleBody,
        responses=responses(400, 401, 403, 404, 422),
        summary="Change a schedule",
    )
    def change_schedule(
        schedule: PathId, asked: Annotated[ScheduleChange, Body()], asker: Asker
    ) -> Response:
        """What is left out stays; a question is replaced as a whole."""
        return answer(_schedule(core.schedules.update(asker, schedule, **_given(asked))))

    @routes.delete(
        "/{schedule:int}",
        status_code=204,
        responses=responses(401, 403, 404, 422),
        summary="Remove a schedule",
    )
    def delete_schedule(schedule: PathId, asker: Asker) -> Response:
        """The reports that it yielded stay."""
        core.schedules.delete(asker, schedule)
        return Response(status_code=204)

    @routes.post(
        "/{schedule:int}/run",
        status_code=202,
        response_model=AskedReport,
        responses=responses(401, 403, 404, 422, 429),
        summary="Have a schedule's report made now",
    )
    def run_schedule(schedule: PathId, asker: Asker) -> Response:
        """Besides those that it yields when due, and sent as they are."""
        return _asked(core.schedules.run(asker, schedule).id)

    return routes


def _given(asked: BaseModel) -> dict[str, Any]:
    return asked.model_dump(exclude_unset=True)
