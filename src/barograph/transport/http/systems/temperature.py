"""The temperature service's API, to the letter: `docs/coming-from/temperature.md`."""

import logging
import math
from collections.abc import Callable, Coroutine, Iterator
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from barograph.codecs.decoded import Context, integer_problem, kind_of, time_of
from barograph.domain.batch import MetricBatch
from barograph.domain.device import Device
from barograph.domain.errors import (
    BarographError,
    Conflict,
    InvalidInput,
    MalformedInput,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from barograph.domain.period import Period
from barograph.domain.time import (
    DAY,
    format_time,
    format_time_of_day,
    parse_moment,
    parse_time_of_day,
)
from barograph.domain.user import Principal, require_member, require_user
from barograph.services.core import Core
from barograph.services.names import USERNAME_CHARS_MAX, check_email
from barograph.services.readings import Selection
from barograph.transport.http.access import Access
from barograph.transport.http.data import streamed
from barograph.transport.http.problems import problem_response
from barograph.transport.http.query import answer
from barograph.transport.http.systems import temperature_schemas as schemas
from barograph.transport.http.systems.bodies import form_reader, read_json, whole
from barograph.transport.http.users import address_of, asker_if_any

logger = logging.getLogger(__name__)

METRIC = "temperature"

_DIGEST_CHARS = 16
_NAMING = "names of temperature devices"
"""Only for this service must a user's devices have different names, so the catalog does not see to it."""
_DEVICE_NOT_FOUND = "Device not found!"
_encode = msgspec.json.Encoder().encode


class TemperatureService:
    """What the calls do, on the core."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def read(self, body: bytes) -> tuple[str, Any]:
        """A body's command and parameters; raises `MalformedInput`, `InvalidInput`."""
        asked = read_json(body, self._core.limits)
        if not isinstance(asked, dict) or not isinstance(asked.get("command"), str):
            raise InvalidInput.of("command", 'expected {"command": "reg" or "put", "params": …}')
        return asked["command"], asked.get("params")

    def register_user(self, body: bytes, asker: Principal | None, address: str | None) -> Response:
        """`POST /users`: a user who acts by token only."""
        command, email = self.read(body)
        if command != "reg":
            raise InvalidInput.of("command", f"there is no command {command[:32]!r}: use reg")
        if not isinstance(email, str):
            raise InvalidInput.of("params", "this is an e-mail address")
        check_email(email, "params")
        username = _username(email)
        try:
            _, token = self._core.accounts.register(username, email, None, asker, address=address)
        except Conflict:
            raise Conflict("a user of this e-mail address is registered already") from None
        return said(201, "OK", token)

    def register_device(self, params: Any, asker: Principal) -> Response:
        """`POST /devices`, command `reg`."""
        require_member(asker)
        params = _object(params)
        for field in ("name", "user"):
            if not isinstance(params.get(field), str):
                raise InvalidInput.of(f"params.{field}", "this is required, and text")
        core = self._core
        user = core.catalog.users.find(check_email(params["user"], "params.user"))
        if user is None:
            raise NotFound(f"there is no user {params['user'][:64]}: register it first")
        require_user(asker, user.id)
        with core.registry.alone(_NAMING):
            if any(
                device.name == params["name"] for device in core.registry.devices_of_user(user.id)
            ):
                raise Conflict("this user has a device of that name already")
            _, token = core.devices.create(asker, params["name"], user_id=user.id)
        return said(201, "OK", token)

    def put(self, params: Any, device: Device) -> Response:
        """`POST /devices`, command `put`."""
        params = _object(params)
        value = params.get("temp")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput.of("params.temp", f"this is a number, not {kind_of(value)}")
        if isinstance(value, int) and (problem := integer_problem(value)):
            raise InvalidInput.of("params.temp", problem)
        if not math.isfinite(value):
            raise InvalidInput.of("params.temp", "this is a finite number")
        time = self._reading_time(params.get("dt"))
        batch = MetricBatch([METRIC], [0], [time], [float(value)])
        self._core.writer.write(self._core.ingest.resolve(device, batch))
        return said(201, "OK", "")

    def devices(self, user_id: int) -> Response:
        """`GET /devices`."""
        core = self._core
        lines = []
        for device in core.registry.devices_of_user(user_id):
            newest = core.latest.of_series(core.registry.series_of(device.id).values()).values()
            seen = max((reading.time for reading in newest), default=None)
            date = "" if seen is None else format_time_of_day(seen, core.zone)
            lines.append({"name": device.name, "id": device.id, "date": date})
        return said(200, "OK", lines)

    def stats(self, user_id: int, given: dict[str, str]) -> Response:
        """`GET /stats`: the temperatures of a period, streamed in order of time."""
        core = self._core
        number = given.get("id", "")
        if not (number.isascii() and number.isdecimal()):
            raise InvalidInput.of("id", "this is required, and a device's number")
        period = self._period(given)
        if given.get("format", "") not in {"", "iso"}:
            raise InvalidInput.of("format", "use iso, or leave it out for HH:MM")
        iso = bool(given.get("format"))
        device = core.registry.device(int(number[:18]))
        if device is None or device.user_id != user_id:
            return said(404, "ERR", _DEVICE_NOT_FOUND)
        return streamed(self._pieces(device, period, iso=iso), "application/json", {})

    def _pieces(self, device: Device, period: Period, *, iso: bool) -> Iterator[bytes]:
        core = self._core
        written = format_time if iso else format_time_of_day
        series = core.registry.series_of(device.id).get(METRIC)
        selection = Selection(device, {} if series is None else {series: METRIC}, period)
        opening = b'{"type":"OK","message":['
        for batch in core.readings.read(selection):
            lines = [
                {"DT": written(reading.time, core.zone), "Temp": whole(reading.value)}
                for reading in batch.readings()
            ]
            if lines:
                yield opening + _encode(lines)[1:-1]
                opening = b","
        yield (b"]}" if opening == b"," else opening + b"]}")

    def _period(self, given: dict[str, str]) -> Period:
        """`from` and `to`; as times of day they may lie on two sides of midnight."""
        now = self._core.clock()
        start, end = self._side("from", given, now), self._side("to", given, now)
        if start is not None and end is not None and end < start:
            zone = self._core.zone
            sides = (given["from"].strip(), given["to"].strip())
            if None in (parse_time_of_day(side, now, zone) for side in sides):
                raise InvalidInput.of("to", "this lies before from")
            end = self._side("to", given, start + DAY)
        return Period(start, end)

    def _side(self, name: str, given: dict[str, str], now: int) -> int | None:
        text = given.get(name, "").strip()
        if not text:
            return None
        zone = self._core.zone
        try:
            shown = parse_time_of_day(text, now, zone)
            return parse_moment(text, now, zone) if shown is None else shown
        except ValueError as error:
            raise InvalidInput.of(name, f"{error}, or HH:MM") from None

    def _reading_time(self, dt: object) -> int:
        core = self._core
        now = core.clock()
        if dt is None:
            return now
        shown = parse_time_of_day(dt.strip(), now, core.zone) if isinstance(dt, str) else None
        if shown is not None:
            return shown
        try:
            return time_of(dt, Context(now, core.zone, core.limits, partial=False))
        except ValueError as error:
            raise InvalidInput.of("params.dt", f"{error}, or HH:MM") from None


def router(core: Core) -> APIRouter:
    """`/devices` and `/stats`; `POST /users` is in `users.py`."""
    routes = APIRouter(route_class=_Route, tags=["temperature service"])
    service = TemperatureService(core)
    read_form = form_reader(core.limits)

    @routes.post(
        "/devices",
        status_code=201,
        response_model=schemas.Done,
        responses=schemas.failures(400, 401, 403, 422, 507),
        openapi_extra=schemas.bodies([schemas.RegisterDevice, schemas.Put]),
        summary="Register a device, or store a temperature",
    )
    def devices(request: Request, body: Annotated[bytes, Depends(read_form)]) -> Response:
        """Command `reg` gives the new device's token, with which it sends the command `put`."""
        try:
            command, params = service.read(body)
        except (InvalidInput, MalformedInput) as error:
            # Who sends a device's token meant to put.
            return failure(error, 422 if _has_token(request, "device") else 400)
        if command == "put":
            try:
                device = core.registry.device(_whose(request, "device").device_id or 0)
                if device is None:
                    raise Unauthenticated("the device is not there any more")
                return service.put(params, device)
            except BarographError as error:
                return failure(error, 422)
        if command != "reg":
            raise InvalidInput.of("command", f"there is no command {command[:32]!r}: use reg, put")
        access: Access = request.app.state.access
        return service.register_device(params, access.principal(request.scope))

    @routes.get(
        "/devices",
        response_model=schemas.Devices,
        responses=schemas.failures(401),
        summary="List the user's devices",
    )
    def list_devices(request: Request) -> Response:
        """The devices of the user whose token is sent."""
        return service.devices(_whose(request, "user").user_id or 0)

    @routes.get(
        "/stats",
        response_model=schemas.Temperatures,
        responses=schemas.failures(401, 404, 422),
        openapi_extra={"parameters": schemas.STATS_PARAMETERS},
        summary="List a device's temperatures",
    )
    def stats(request: Request) -> Response:
        """The temperatures of one device of the user whose token is sent."""
        user_id = _whose(request, "user").user_id or 0
        return service.stats(user_id, dict(request.query_params))

    return routes


def register(core: Core) -> Callable[[Request, bytes], Response]:
    """What `users.py` answers this service's `POST /users` with."""
    service = TemperatureService(core)

    def answer_it(request: Request, body: bytes) -> Response:
        try:
            return service.register_user(body, asker_if_any(request), address_of(request))
        except BarographError as error:
            return failure(error, 400)
        except Exception:
            logger.exception("POST /users failed")
            return broken()

    return answer_it


def said(status: int, type: str, message: object) -> Response:
    """The service's shape of every answer."""
    return answer({"type": type, "message": message}, status)


def failure(error: BarographError, refused: int) -> Response:
    """The one place that maps errors to the service's shape; `refused` is the status of bad input.

    A registration that fails inside is `"type": "OK"` with the status 500: so it was.
    """
    status, headers, _ = problem_response(error)
    if isinstance(error, Unauthenticated):
        response = said(401, "ERR", "Token not found!")
    elif isinstance(error, InvalidInput | MalformedInput | Conflict | NotFound | TooLarge):
        response = said(refused, "ERR", str(error))
    elif isinstance(error, Unavailable) and refused == 400:
        response = said(500, "OK", str(error))
    else:
        response = said(status, "ERR", str(error))
    for name, value in headers:
        if not name.startswith(b"content-"):
            response.headers[name.decode()] = value.decode()
    return response


def broken() -> Response:
    """The answer to an error that nobody expected."""
    return said(500, "OK", "something went wrong inside Barograph; its log says what")


class _Route(APIRoute):
    """Errors in the service's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except BarographError as error:
                to_register = request.method == "POST" and not _has_token(request, "device")
                return failure(error, 400 if to_register else 422)
            except Exception:
                logger.exception("%s %s failed", request.method, request.url.path)
                return broken()

        return handle


def _whose(request: Request, kind: str) -> Principal:
    """The user or device whose token was sent; raises `Unauthenticated` in every auth mode."""
    given = request.headers.get("authorization")
    if given:
        access: Access = request.app.state.access
        principal = access.of_header(given.encode("latin-1"))
        if principal.kind == kind:
            return principal
    raise Unauthenticated(f"this call needs a {kind}'s token")


def _has_token(request: Request, kind: str) -> bool:
    try:
        _whose(request, kind)
    except Unauthenticated:
        return False
    return True


def _object(params: Any) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise InvalidInput.of("params", f"this is an object, not {kind_of(params)}")
    return params


def _username(email: str) -> str:
    """The address, as far as a username may be long."""
    if len(email) <= USERNAME_CHARS_MAX:
        return email
    digest = sha256(email.casefold().encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{email[: USERNAME_CHARS_MAX - _DIGEST_CHARS - 1]}~{digest}"
