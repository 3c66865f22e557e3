"""`/api/analytics`: summaries of a device or of a user's devices, at once or as a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from barograph.domain.errors import NotFound
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import END_TIME, START_TIME, TZ, answer, parameter, query
from barograph.transport.http.schemas import ID_MAX, DeviceRef, PathId
from barograph.transport.http.users import Asker

Summary = dict[str, float | str | dict[str, float] | None]
"""Statistic to value; of a text metric also `states`, state to seconds."""

_METRICS = parameter(
    "metrics",
    "Names, separated by commas, in which `*` stands for any characters; by default all.",
    examples=["temperature,room.*"],
)
_QUESTION = [
    START_TIME,
    END_TIME,
    _METRICS,
    parameter(
        "stats",
        "Any of count, sum, min, max, mean, median, stddev, p0 to p100, first, last, range, rate, "
        "increase, integral, time_weighted_mean, mode, distinct, separated by commas.",
        default="min,max,count,sum,median",
    ),
    parameter(
        "interval",
        "One summary for each bucket of this length: a number and ms, s, m, h, or of the calendar "
        "d, w, mo, q, y. By default one for the whole period.",
        pattern="^([1-9][0-9]{0,8}(ms|mo|s|m|h|d|w|q|y))?$",
        examples=["5m", "1d"],
    ),
    TZ,
    parameter(
        "fill",
        "What empty buckets show: none (they are left out), null, previous, linear, or a number.",
        default="none",
    ),
]
_AGGREGATE = parameter(
    "aggregate",
    "One summary over all the user's devices, or one for each.",
    type="boolean",
    default=True,
)


class Bucket(BaseModel):
    """The summary of one bucket: the statistics stand beside its times."""

    model_config = ConfigDict(extra="allow")

    start: str
    end: str


Metrics = dict[str, Summary | list[Bucket]]


class DeviceSummary(BaseModel):
    """The answer about a device."""

    device_id: int
    start_time: str | None
    end_time: str | None
    metrics: Metrics


class OneOfDevices(BaseModel):
    """A device's part of the answer about a user."""

    device_id: int
    name: str
    metrics: Metrics


class UserSummary(BaseModel):
    """The answer about a user: `metrics` of all devices together, or `devices` for each."""

    user_id: int
    start_time: str | None
    end_time: str | None
    device_count: int
    metrics: Metrics = {}
    devices: list[OneOfDevices] = []


# Strict, for otherwise `true` would be the number 1.
_Id = StrictInt | str
_Moment = str | StrictInt | StrictFloat | None
_Names = str | list[str] | None


class JobQuestion(BaseModel):
    """A question to be answered later.

    One of `device`, `devices` and `user`; the rest as in the query.
    """

    model_config = ConfigDict(extra="forbid")

    device: Annotated[_Id | None, Field(description="A device's id or key.")] = None
    devices: Annotated[
        list[_Id] | None,
        Field(max_length=1_000, description="Devices' ids or keys: one summary of each."),
    ] = None
    user: Annotated[_Id | None, Field(description="A user's id.")] = None
    start_time: _Moment = None
    end_time: _Moment = None
    metrics: _Names = None
    stats: _Names = None
    interval: str | None = None
    tz: str | None = None
    fill: str | StrictFloat | None = None
    aggregate: bool | None = None


class Asked(BaseModel):
    """A job that was asked for."""

    id: int
    status: str


def router(core: Core) -> APIRouter:
    """The questions."""
    routes = APIRouter(prefix="/api/analytics", tags=["analytics"])

    @routes.get(
        "/devices/{device}",
        response_model=DeviceSummary,
        responses=responses(401, 403, 404, 422),
        openapi_extra={"parameters": _QUESTION},
        summary="Summarize a device's readings",
    )
    def of_device(request: Request, device: DeviceRef, asker: Asker) -> Response:
        """Minimum, maximum, count, sum, median and more of each metric, for any period."""
        question = core.analytics.question(query(request))
        return answer(core.analytics.device(asker, device, question))

    @routes.get(
        "/users/{user:int}",
        response_model=UserSummary,
        response_model_exclude_unset=True,
        responses=responses(401, 403, 404, 422),
        openapi_extra={"parameters": [*_QUESTION, _AGGREGATE]},
        summary="Summarize the readings of a user's devices",
    )
    def of_user(request: Request, user: PathId, asker: Asker) -> Response:
        """The same over all the user's devices together, or for each of them."""
        question = core.analytics.question(query(request))
        return answer(core.analytics.user(asker, user, question))

    @routes.post(
        "/jobs",
        status_code=202,
        response_model=Asked,
        responses=responses(400, 401, 403, 404, 422, 429),
        summary="Ask for a summary later",
    )
    def ask(asked: Annotated[JobQuestion, Body()], asker: Asker) -> Response:
        """Ask a long question; `GET /api/jobs/{id}` tells how far it is, and the answer."""
        given: dict[str, Any] = asked.model_dump(exclude_unset=True)
        if isinstance(asked.user, int) and not 0 < asked.user <= ID_MAX:
            raise NotFound("there is no such user")
        job = core.jobs.ask(asker, "analytics", given)
        headers = {"Location": f"/api/jobs/{job.id}"}
        return answer({"id": job.id, "status": job.status}, 202, headers)

    return routes
