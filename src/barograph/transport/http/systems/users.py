"""`POST /users`, which two systems share: a body with `command` is the temperature service's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from barograph.domain.errors import MalformedInput
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.transport.http.problems import responses
from barograph.transport.http.systems import statistics, temperature
from barograph.transport.http.systems.bodies import body_schema, form_reader, read_json
from barograph.transport.http.users import principal_if_any


def router(core: Core, *, of_temperature: bool, of_statistics: bool) -> APIRouter:
    """The route, for the systems that are turned on."""
    routes = APIRouter(tags=["device statistics"], include_in_schema=of_statistics)
    documented = responses(400, 401, 403, 409, 413, 422, 429)
    if of_temperature:
        # To a body that cannot be read, and to one with `command`, that service answers.
        documented[400]["content"]["application/json"] = {"schema": {"type": "object"}}
    register_by_command = temperature.register(core)
    register_by_name = statistics.register(core)

    @routes.post(
        "/users",
        status_code=201,
        response_model=statistics.CreatedUser,
        responses=documented,
        openapi_extra=body_schema(statistics.NewUser),
        summary="Create a user",
    )
    def create_user(
        request: Request,
        body: Annotated[bytes, Depends(form_reader(core.limits))],
        asker: Annotated[Principal | None, Depends(principal_if_any)],
    ) -> Response:
        """Create a user with a password, who signs in at `/auth`."""
        if of_temperature and (not of_statistics or _is_command(body)):
            return register_by_command(request, body, asker)
        return register_by_name(request, body, asker)

    def _is_command(body: bytes) -> bool:
        try:
            asked = read_json(body, core.limits)
        except MalformedInput:
            return True  # only that service says what its answer to unreadable bodies is
        return isinstance(asked, dict) and "command" in asked

    return routes
