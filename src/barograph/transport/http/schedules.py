"""`/api/schedules`: having reports made again and again."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from barograph.domain.report import Form, Schedule
from barograph.services.core import Core
from barograph.services.schedules import Wanted
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import answer, page_answer
from barograph.transport.http.reports import AskedReport, ReportQuestion, asked
from barograph.transport.http.schemas import (
    LEFT_OUT,
    Email,
    Name,
    Offset,
    PageOf,
    PathId,
    Time,
    page_limit,
    time_text,
)
from barograph.transport.http.users import Asker

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


def router(core: Core) -> APIRouter:
    """The schedules of who asks; administrators see all."""
    routes = APIRouter(prefix="/api/schedules", tags=["reports"])
    most = page_limit(core.limits)

    @routes.post(
        "",
        status_code=201,
        response_model=ScheduleBody,
        responses=responses(400, 401, 403, 404, 409, 422),
        summary="Have a report made again and again",
    )
    def create_schedule(wanted: Annotated[NewSchedule, Body()], asker: Asker) -> Response:
        """It is made for you, with your rights of then."""
        schedule = core.schedules.create(asker, Wanted(**_given(wanted)))
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
        limit: int = most,
        offset: Offset = 0,
    ) -> Response:
        """Your schedules."""
        page = core.schedules.list(asker, limit=limit, offset=offset)
        items = [_schedule(schedule) for schedule in page.items]
        return page_answer(items, page.total, limit, offset)

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
        schedule: PathId, wanted: Annotated[ScheduleChange, Body()], asker: Asker
    ) -> Response:
        """What is left out stays; a question is replaced as a whole."""
        return answer(_schedule(core.schedules.update(asker, schedule, **_given(wanted))))

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
        return asked(core.schedules.run(asker, schedule).id)

    return routes


def _given(change: BaseModel) -> dict[str, Any]:
    return change.model_dump(exclude_unset=True)
