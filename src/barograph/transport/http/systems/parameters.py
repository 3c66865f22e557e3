"""The parameters service's API, to the letter: `docs/coming-from/parameters.md`.

A parameter is a metric, and its name is the whole path. So these routes must stand after all
others, and what begins with a word of another's path is never a parameter. Its errors are problem
documents; its page is `transport/web/newest.py`.
"""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import Match
from starlette.types import Scope

from barograph.codecs import decode_value
from barograph.codecs.decoded import kind_of
from barograph.domain.batch import MetricBatch, Reading
from barograph.domain.device import Device, metric_problem
from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.time import format_time
from barograph.domain.user import Principal, require_device
from barograph.services.core import Core
from barograph.services.places import decode_reading_id, encode_reading_id
from barograph.services.readings import Selection
from barograph.transport.http.joined import joined
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import answer
from barograph.transport.http.schemas import Time
from barograph.transport.http.systems.bodies import body_reader, read_json, whole
from barograph.transport.http.users import Asker

DEFAULT_DEVICE = "default"
READINGS_MAX = 100_000
"""The highest `n`."""

RESERVED = frozenset(
    {
        *("api", "asyncapi.json", "auth", "auto", "devices", "docs", "healthz", "last", "metrics"),
        *("mqtt", "openapi.json", "readyz", "redoc", "register", "setup", "sign-in"),
        *("sign-out", "static", "stats", "stock", "sw.js", "ui", "users"),
        *("favicon.ico", "robots.txt", ".well-known"),
    }
)
"""First words of paths that are never parameters, even while nothing answers there."""

Named = Annotated[
    str,
    Query(
        alias="device",
        max_length=384,
        description=f"The device's key or id; by default `{DEFAULT_DEVICE}`, or the device whose "
        "token is sent.",
    ),
]
# That it is none of RESERVED stands in words only: at these paths other calls answer as they do.
Parameter = Annotated[
    str, Path(description="The metric's name; not the first word of another path.")
]
_VALUE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "value": {"type": ["number", "string", "boolean"]},
                        "device": {"type": ["string", "integer", "null"]},
                        "ts": {"type": ["string", "number", "null"]},
                    },
                    "required": ["value"],
                    "example": {"value": 21.5, "device": "kitchen"},
                }
            }
        },
    }
}


class Told(BaseModel):
    """A reading."""

    id: str = Field(description="Opaque, and the reading's for good.")
    parameter: str
    device: str = Field(description="The device's key.")
    ts: Time
    value: float | str


class _LastResort(APIRoute):
    """A route that leaves reserved paths alone, so that these answer 404 or 405 as they should."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        first = scope["path"].split("/", 2)[1:2]
        if not first or first[0] in RESERVED:  # there is none where all of the server is meant: *
            return Match.NONE, {}
        return super().matches(scope)


def router(core: Core, *, count: int) -> APIRouter:
    """The routes, to be matched after all others; `count` is the default of `n`."""
    routes = APIRouter(tags=["parameters"])

    @routes.get(
        "/last",
        response_model=list[Told],
        responses=responses(401, 403, 404, 422),
        summary="Read the newest of every parameter",
    )
    def newest_of_all(asker: Asker, named: Named = "") -> Response:
        """The newest reading of every parameter of a device. A browser gets a page instead."""
        device = default_device(core, asker, named)
        headers = {"Vary": "Accept", "Cache-Control": "no-store"}
        return answer([] if device is None else list(_newest(core, device)), headers=headers)

    catch_all = APIRouter(route_class=_LastResort, tags=["parameters"])
    _readings(core, catch_all, count)
    _writing(core, catch_all)
    return joined(routes, catch_all)


def _readings(core: Core, routes: APIRouter, count: int) -> None:
    documented = responses(401, 403, 404, 422)

    def place_of(asker: Principal, parameter: str, named: str) -> tuple[Device, int]:
        device = default_device(core, asker, named)
        series = None if device is None else core.registry.series_of(device.id).get(parameter)
        if device is None or series is None:
            raise NotFound(
                f"the device {device.key if device else DEFAULT_DEVICE} has no readings of a "
                f"parameter {parameter[:64]!r}; what else is here is in /docs"
            )
        return device, series

    @routes.get(
        "/{parameter}/last",
        response_model=Told,
        responses=documented,
        summary="Read a parameter's newest reading",
    )
    def newest(asker: Asker, parameter: Parameter, named: Named = "") -> Response:
        device, series = place_of(asker, parameter, named)
        reading = core.latest.of_series([series]).get(series)
        if reading is None:
            raise NotFound("the readings of this parameter were removed")
        return answer(_told(device, parameter, reading))

    @routes.get(
        "/{parameter}",
        response_model=list[Told],
        responses=documented,
        summary="Read a parameter's last readings",
    )
    def last_n(
        asker: Asker,
        parameter: Parameter,
        named: Named = "",
        n: Annotated[int, Query(ge=1, le=READINGS_MAX)] = count,
    ) -> Response:
        """The last `n`, oldest first."""
        device, series = place_of(asker, parameter, named)
        selection = Selection(device, {series: parameter}, descending=True, limit=n)
        readings = [
            reading for batch in core.readings.read(selection) for reading in batch.readings()
        ]
        newest_first = islice(readings, n)
        return answer([_told(device, parameter, reading) for reading in newest_first][::-1])

    @routes.get(
        "/{parameter}/{reading_id}",
        response_model=Told,
        responses=documented,
        summary="Read one reading",
    )
    def one(asker: Asker, parameter: Parameter, reading_id: str) -> Response:
        place = decode_reading_id(reading_id)
        series = None if place is None else core.registry.series(place[0])
        if place is None or series is None or series.metric != parameter:
            raise NotFound("there is no such reading")
        device = require_device(asker, core.registry.device(series.device_id))
        reading = core.readings.reading(*place)
        if reading is None:
            raise NotFound("there is no such reading")
        return answer(_told(device, parameter, reading))


def _writing(core: Core, routes: APIRouter) -> None:
    documented: dict[str, Any] = {
        "status_code": 201,
        "response_model": Told,
        "responses": responses(400, 401, 403, 404, 413, 422, 507),
        "openapi_extra": _VALUE,
        "summary": "Store a parameter's value",
    }

    @routes.put("/{parameter}", operation_id="store_parameter", **documented)
    @routes.post("/{parameter}", operation_id="store_parameter_by_post", **documented)
    def store(
        asker: Asker,
        parameter: Parameter,
        body: Annotated[bytes, Depends(body_reader(core.limits))],
        named: Named = "",
    ) -> Response:
        """The answer is the reading as it was stored. A device that is not known is created."""
        problem = metric_problem(parameter, core.limits.metric_bytes_max)
        if problem is not None:
            raise InvalidInput.of("", problem)
        entry = read_json(body, core.limits)
        if not isinstance(entry, dict):
            raise InvalidInput.of("", f'expected {{"value": 21.5}}, not {kind_of(entry)}')
        now = core.clock()
        time, value = decode_value(body, now=now, zone=core.zone, limits=core.limits)
        device = _device_to_write(core, asker, entry, named)
        texts = {0: value} if isinstance(value, str) else {}
        number = math.nan if isinstance(value, str) else value
        batch = core.ingest.resolve(
            device, MetricBatch([parameter], [0], [now if time is None else time], [number], texts)
        )
        core.writer.write(batch)
        reading = Reading(int(batch.series[0]), int(batch.times[0]), value)
        return answer(_told(device, parameter, reading), 201)


def default_device(core: Core, asker: Principal, named: str) -> Device | None:
    """The device that is asked about; None where none was named and there is no default yet.

    A device's token means that device. Raises `NotFound`, `Forbidden`.
    """
    if not named and asker.kind == "device":
        return core.registry.device(asker.device_id or 0)
    device = core.registry.device(named or _default_key(core, asker))
    if device is None and not named:
        return None
    return require_device(asker, device)


def _device_to_write(core: Core, asker: Principal, entry: dict[str, Any], named: str) -> Device:
    given = entry.get("device")
    if given is None:
        given = named
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InvalidInput.of("device", f"this is a device's key or id, not {kind_of(given)}")
    if given == "" and asker.kind == "device":
        return require_device(asker, core.registry.device(asker.device_id or 0), write=True)
    return core.devices.find_or_create(asker, str(given) or _default_key(core, asker))


def _default_key(core: Core, asker: Principal) -> str:
    """`default`, or a key of the user's own where that device is somebody else's."""
    taken = core.registry.device_with_key(DEFAULT_DEVICE)
    if asker.is_admin or taken is None or taken.user_id == asker.user_id:
        return DEFAULT_DEVICE
    return f"{DEFAULT_DEVICE}-{asker.user_id}"


def _newest(core: Core, device: Device) -> Iterator[dict[str, Any]]:
    series = core.registry.series_of(device.id)
    readings = core.latest.of_series(series.values())
    for metric, one in series.items():
        if one in readings:
            yield _told(device, metric, readings[one])


def _told(device: Device, parameter: str, reading: Reading) -> dict[str, Any]:
    return {
        "id": encode_reading_id(reading.series, reading.time),
        "parameter": parameter,
        "device": device.key,
        "ts": format_time(reading.time),
        "value": whole(reading.value),
    }
