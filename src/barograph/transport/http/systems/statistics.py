"""The device statistics service's API, to the letter: `docs/coming-from/statistics.md`.

Its errors are problem documents, like those of our own API.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from barograph.codecs.decoded import Context
from barograph.codecs.entries import Entries
from barograph.domain.batch import MetricBatch
from barograph.domain.errors import InvalidInput, NotFound, Problem
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.services.parameters import Parameters, truth
from barograph.services.user_statistics import UserStatistics
from barograph.transport.http.analytics import DeviceSummary, UserSummary
from barograph.transport.http.joined import joined
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import END_TIME, START_TIME, TZ, answer, parameter, query
from barograph.transport.http.schemas import DeviceRef, Email, PathId
from barograph.transport.http.systems.bodies import body_reader, read_json, read_model
from barograph.transport.http.users import Asker, Password, Username, address_of, asker_if_any

_TIME = {"type": ["string", "number", "null"]}
_NUMBERS = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"timestamp": _TIME, "ts": _TIME, "time": _TIME},
                    "additionalProperties": {"type": ["number", "boolean", "null"]},
                    "example": {"x": 1, "y": 2, "z": 3},
                }
            }
        },
    }
}
_LATER = parameter(
    "async", "Work it out later: the answer is where to look for it.", type="boolean", default=False
)
_QUESTION = {"parameters": [START_TIME, END_TIME, TZ, _LATER]}


class NewUser(BaseModel):
    """Who is to be created."""

    username: Username
    password: Password
    email: Email | None = None


class CreatedUser(BaseModel):
    """The new user."""

    id: int
    username: str
    email: str | None


class Accepted(BaseModel):
    """What was stored."""

    accepted: int


class Later(BaseModel):
    """Where to look for the answer."""

    job_id: int
    status_url: str = Field(description="Tells how far the job is and, when done, its `result`.")


def register(core: Core) -> Callable[[Request, bytes], Response]:
    """What `users.py` answers this service's `POST /users` with."""

    def create(request: Request, body: bytes) -> Response:
        asker = asker_if_any(request)
        new = read_model(NewUser, body, core.limits)
        user, _ = core.accounts.register(
            new.username, new.email, new.password, asker, address=address_of(request)
        )
        return answer({"id": user.id, "username": user.username, "email": user.email}, 201)

    return create


def router(core: Core) -> APIRouter:
    """`/stats/{device_id}` and the summaries; `POST /users` is in `users.py`."""
    routes = APIRouter(tags=["device statistics"])

    @routes.post(
        "/stats/{device_id}",
        status_code=201,
        response_model=Accepted,
        responses=responses(400, 401, 403, 404, 413, 422, 507),
        openapi_extra=_NUMBERS,
        summary="Store what was read from a device",
    )
    def store(
        asker: Asker,
        device_id: DeviceRef,
        body: Annotated[bytes, Depends(body_reader(core.limits))],
    ) -> Response:
        """Numbers by metric; a device that is not known is created for who asks."""
        numbers = _numbers(core, body)
        device = core.devices.find_or_create(asker, device_id)
        if len(numbers):
            core.writer.write(core.ingest.resolve(device, numbers))
        return answer({"accepted": len(numbers)}, 201)

    return joined(routes, _summaries(core))


def _summaries(core: Core) -> APIRouter:
    routes = APIRouter(tags=["device statistics"])
    whole_and_each = UserStatistics(core.analytics)

    def of(
        asker: Principal,
        given: dict[str, object],
        kind: str,
        about: Mapping[str, object],
        now: Callable[[dict[str, object]], object],
    ) -> Response:
        """The summary now, or where it will be found."""
        parameters = Parameters({"async": given.pop("async", None)})
        later = parameters.read("async", truth, default=False)
        parameters.check()
        if not later:
            return answer(now(given))
        job = core.jobs.ask(asker, kind, {**given, **about})
        url = f"/api/jobs/{job.id}"
        return answer({"job_id": job.id, "status_url": url}, 202, {"Location": url})

    def of_one(asker: Principal, device_id: int, given: dict[str, object]) -> Response:
        return of(
            asker,
            given,
            "analytics",
            {"device": device_id},
            lambda given: core.analytics.device(asker, device_id, core.analytics.question(given)),
        )

    documented: dict[int | str, dict[str, Any]] = {
        **responses(401, 403, 404, 422, 429),
        202: {"model": Later, "description": "With `async=true`: it was asked for."},
    }

    @routes.get(
        "/stats/{device_id}/summary",
        response_model=DeviceSummary,
        responses=documented,
        openapi_extra=_QUESTION,
        summary="Summarize a device's readings",
    )
    def of_device(request: Request, asker: Asker, device_id: DeviceRef) -> Response:
        """Minimum, maximum, count, sum and median of each metric."""
        device = core.analytics.require_device(asker, device_id)
        return of_one(asker, device.id, query(request))

    @routes.get(
        "/users/{user_id}/stats/summary",
        response_model=UserSummary,
        responses=documented,
        openapi_extra=_QUESTION,
        summary="Summarize the readings of a user's devices",
    )
    def of_user(request: Request, asker: Asker, user_id: PathId) -> Response:
        """Over all the user's devices together, and for each of them."""
        core.analytics.require_user(asker, user_id)
        return of(
            asker,
            query(request),
            UserStatistics.KIND,
            {"user": user_id},
            lambda given: whole_and_each.answer(asker, user_id, core.analytics.question(given)),
        )

    @routes.get(
        "/users/{user_id}/devices/{device_id}/stats/summary",
        response_model=DeviceSummary,
        responses=documented,
        openapi_extra=_QUESTION,
        summary="Summarize the readings of one of a user's devices",
    )
    def of_users_device(
        request: Request, asker: Asker, user_id: PathId, device_id: DeviceRef
    ) -> Response:
        """The same as `/stats/{device_id}/summary`, if the device is this user's."""
        if asker.kind != "device":  # which may read itself, and knows nothing of its user
            core.analytics.require_user(asker, user_id)
        device = core.analytics.require_device(asker, device_id)
        if device.user_id != user_id:
            raise NotFound("this user has no such device")
        return of_one(asker, device.id, query(request))

    return routes


def _numbers(core: Core, body: bytes) -> MetricBatch:
    """A flat object of numbers; raises `MalformedInput`, `InvalidInput`, `TooLarge`."""
    entries = Entries(
        lambda _, key: key, Context(core.clock(), core.zone, core.limits, partial=False)
    )
    entries.add(0, read_json(body, core.limits))
    batch = entries.finish().batch
    if batch.texts:
        raise InvalidInput(
            [
                Problem(batch.metrics[batch.index[i]][:64], "this is a number, not a text")
                for i in batch.texts
            ]
        )
    return batch
