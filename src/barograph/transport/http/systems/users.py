"""`POST /users`, which two systems share: a body with `command` is the temperature service's."""

from collections.abc import Callable, Coroutine
from enum import Enum
from functools import reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from barograph.domain.errors import MalformedInput
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.systems import statistics, temperature
from barograph.transport.http.systems import temperature_schemas as schemas
from barograph.transport.http.systems.bodies import form_reader, read_json


def router(core: Core, *, of_temperature: bool, of_statistics: bool) -> APIRouter:
    """The route, for the systems that are turned on."""
    tags: list[str | Enum] = []
    made: list[type[BaseModel]] = []
    bodies: list[type[BaseModel]] = []
    documented: dict[int | str, dict[str, Any]] = {}
    if of_statistics:
        tags.append("device statistics")
        made.append(statistics.CreatedUser)
        bodies.append(statistics.NewUser)
        documented |= responses(400, 401, 403, 409, 413, 422, 429)
    if of_temperature:
        tags.append("temperature service")
        made.append(schemas.Done)
        bodies.append(schemas.RegisterUser)
        for status, failed in schemas.failures(400, 401, 403, 429).items():
            documented[status] = failed | documented.get(status, {})
    routes = APIRouter(tags=tags, route_class=_UnreadableRoute if of_temperature else APIRoute)
    register_by_command = temperature.register(core)
    register_by_name = statistics.register(core)

    @routes.post(
        "/users",
        status_code=201,
        response_model=reduce(or_, made),
        responses=documented,
        openapi_extra=schemas.bodies(bodies),
        summary="Create a user",
    )
    def create_user(
        request: Request, body: Annotated[bytes, Depends(form_reader(core.limits))]
    ) -> Response:
        """Create a user with a password, who signs in at `/auth`, or with `command` one with a token."""
        if of_temperature and (not of_statistics or _is_command(body)):
            return register_by_command(request, body)
        return register_by_name(request, body)

    def _is_command(body: bytes) -> bool:
        try:
            asked = read_json(body, core.limits)
        except MalformedInput:
            return True  # only that service says what its answer to unreadable bodies is
        return isinstance(asked, dict) and "command" in asked

    return routes


class _UnreadableRoute(APIRoute):
    """What cannot be read is answered in the temperature service's shape: only it has one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except MalformedInput as error:
                return temperature.failure(error, 400)

        return handle
