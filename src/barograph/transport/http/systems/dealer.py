"""The car dealer's API, to the letter: `docs/coming-from/dealer.md`.

A car is an asset of the kind `auto`, and so in the inventory that all users share. Signing in,
`POST /auth`, is our own.
"""

import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from barograph.domain.asset import Asset
from barograph.domain.errors import (
    BarographError,
    Conflict,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from barograph.domain.time import format_time
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.services.names import NAME_CHARS_MAX, check_name
from barograph.transport.http.access import Access
from barograph.transport.http.joined import joined
from barograph.transport.http.latest import LatestOfDevice
from barograph.transport.http.paths import with_slashes
from barograph.transport.http.problem_documents import invalid
from barograph.transport.http.problems import problem_response
from barograph.transport.http.query import answer
from barograph.transport.http.schemas import Name
from barograph.transport.http.systems.bodies import body_reader, body_schema, read_model, whole
from barograph.transport.http.users import Password, Username, address_of, principal_if_any

logger = logging.getLogger(__name__)

KIND = "auto"

_FIELDS = ("max_speed", "distance", "handler", "stock")
_PAGE = 1_000
_MISSING = "Auto with that mark not found"

Speed = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False, description="km/h")]
Distance = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False, description="km")]


class Registration(BaseModel):
    """Who registers."""

    username: Username
    password: Password


class Car(BaseModel):
    """What is told of a new car."""

    max_speed: Speed
    distance: Distance
    handler: Name
    stock: Name


class CarChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    max_speed: Speed | None = None
    distance: Distance | None = None
    handler: Name | None = None
    stock: Name | None = None


class CarBody(BaseModel):
    """A car."""

    mark: str
    max_speed: float | None
    distance: float | None
    handler: str | None
    stock: str | None


class CarPage(CarBody):
    """A car with the newest readings of the devices fitted to it, if there are any."""

    telemetry: list[LatestOfDevice] = []


class Message(BaseModel):
    """What was done."""

    message: str = Field(alias="Message")


class Failure(BaseModel):
    """What was wrong."""

    error: str = Field(alias="Error")


def router(core: Core) -> APIRouter:
    """`/register`, `/auto` and `/stock`."""
    routes = APIRouter(route_class=_Route, tags=["car dealer"])
    read = body_reader(core.limits)

    @routes.post(
        "/register",
        status_code=201,
        response_model=Message,
        responses=_failures(400, 401, 403, 413, 429, 503),
        openapi_extra=body_schema(Registration),
    )
    def register(
        request: Request,
        body: Annotated[bytes, Depends(read)],
        asker: Annotated[Principal | None, Depends(principal_if_any)],
    ) -> Response:
        """Register a user, who then signs in at `/auth`."""
        new = read_model(Registration, body, core.limits)
        try:
            core.accounts.register(
                new.username, None, new.password, asker, address=address_of(request)
            )
        except Conflict:
            raise Conflict("User already exists") from None
        return _done("User created. Try to auth", 201)

    return joined(routes, _cars(core))


def _signed_in(request: Request) -> Principal:
    """The user whose JWT was sent; raises `Unauthenticated` in every auth mode."""
    given = request.headers.get("authorization", "")
    if given.count(".") != 2:
        raise Unauthenticated("a JWT is needed: POST /auth gives one, for Authorization: JWT …")
    access: Access = request.app.state.access
    return access.of_header(given.encode("latin-1"))


Asker = Annotated[Principal, Depends(_signed_in)]
Mark = Annotated[
    str,
    Path(
        max_length=3 * NAME_CHARS_MAX,
        description="What the car is called. A `/` in it is sent as `%2F`.",
    ),
    AfterValidator(with_slashes),
]


def _cars(core: Core) -> APIRouter:
    routes = APIRouter(route_class=_Route, tags=["car dealer"])
    read = body_reader(core.limits)

    def find(asker: Principal, mark: str) -> Asset:
        try:
            car = core.assets.find(asker, KIND, check_name("mark", mark))
        except InvalidInput:
            car = None
        if car is None:
            raise NotFound(_MISSING)
        return car

    @routes.get(
        "/auto/{mark}",
        response_model=CarPage,
        response_model_exclude_unset=True,
        responses=_failures(400, 401, 403, 404, 503),
    )
    def get_car(mark: Mark, asker: Asker) -> Response:
        """One car, with the newest readings of the devices fitted to it."""
        car = find(asker, mark)
        telemetry = _telemetry(core, asker, car)
        return answer({**_car(car), **({"telemetry": telemetry} if telemetry else {})})

    @routes.post(
        "/auto/{mark}",
        status_code=201,
        response_model=Message,
        responses=_failures(400, 401, 403, 413, 503),
        openapi_extra=body_schema(Car),
    )
    def create_car(mark: Mark, asker: Asker, body: Annotated[bytes, Depends(read)]) -> Response:
        """Take a car into the inventory."""
        car = read_model(Car, body, core.limits)
        try:
            core.assets.create(asker, KIND, mark, car.model_dump())
        except Conflict:
            raise Conflict("Auto with that mark exists") from None
        return _done("Auto created", 201)

    @routes.put(
        "/auto/{mark}",
        status_code=202,
        response_model=Message,
        responses=_failures(400, 401, 403, 404, 413, 503),
        openapi_extra=body_schema(CarChange),
    )
    def update_car(mark: Mark, asker: Asker, body: Annotated[bytes, Depends(read)]) -> Response:
        """Change what is told of a car; what is left out stays."""
        car = find(asker, mark)
        changes = read_model(CarChange, body, core.limits).model_dump(exclude_none=True)
        if not changes:
            raise InvalidInput.of("", f"give at least one of {', '.join(_FIELDS)}")
        core.assets.update(asker, car.id, attributes={**car.attributes, **changes})
        return _done("Auto updated", 202)

    @routes.delete(
        "/auto/{mark}",
        status_code=202,
        response_model=Message,
        responses=_failures(400, 401, 403, 404, 503),
    )
    def delete_car(mark: Mark, asker: Asker) -> Response:
        """Remove a car; devices fitted to it stay."""
        core.assets.delete(asker, find(asker, mark).id)
        return _done("Auto deleted", 202)

    @routes.get("/stock", response_model=list[CarBody], responses=_failures(400, 401, 403, 503))
    def stock(asker: Asker) -> Response:
        """Every car."""
        cars = [_car(car) for car in _every_car(core, asker)]
        if not cars:
            return answer({"Error": "No one autos found in DataBase"}, 400)
        return answer(cars)

    return routes


def failure(error: BarographError) -> Response:
    """The one place that maps errors to the dealer's shape."""
    status, headers, _ = problem_response(error)
    if isinstance(error, Conflict | InvalidInput):
        status = 400
    response = answer({"Error": str(error)}, status)
    for name, value in headers:
        if not name.startswith(b"content-"):
            response.headers[name.decode()] = value.decode()
    return response


class _Route(APIRoute):
    """Errors in the dealer's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except BarographError as error:
                return failure(error)
            except RequestValidationError as error:
                return failure(invalid(error.errors()))
            except Exception:
                logger.exception("%s %s failed", request.method, request.url.path)
                return answer({"Error": "something went wrong inside; the log says what"}, 500)

        return handle


def _telemetry(core: Core, asker: Principal, car: Asset) -> list[dict[str, Any]]:
    """Newest readings of the devices fitted to the car: the asker's, and those that are nobody's.

    A device that is nobody's was fitted to the shared inventory by the local operator.
    """
    shared = [] if asker.is_admin else core.registry.devices_of_user(None)
    seen = {device.id: device for device in core.assets.devices(asker, car.id)}
    seen |= {device.id: device for device in shared if device.asset_id == car.id}
    told = []
    for _, device in sorted(seen.items()):
        series = core.registry.series_of(device.id)
        newest = core.latest.of_series(series.values())
        metrics = {
            metric: {"value": whole(newest[one].value), "ts": format_time(newest[one].time)}
            for metric, one in series.items()
            if one in newest
        }
        if metrics:
            names = {"device_id": device.id, "key": device.key, "name": device.name}
            told.append({**names, "metrics": metrics})
    return told


def _every_car(core: Core, asker: Principal) -> Iterator[Asset]:
    offset, total = 0, 1
    while offset < total:
        page = core.assets.list(asker, kind=KIND, limit=_PAGE, offset=offset)
        yield from page.items
        offset, total = offset + max(1, len(page.items)), page.total


def _car(car: Asset) -> dict[str, Any]:
    # Attributes that another API gave the asset may be missing, and anything.
    told: dict[str, Any] = {field: car.attributes.get(field) for field in _FIELDS}
    return {"mark": car.name, **{field: whole(value) for field, value in told.items()}}


def _done(message: str, status: int) -> Response:
    return answer({"Message": message}, status)


def _failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Failure} for status in statuses}
