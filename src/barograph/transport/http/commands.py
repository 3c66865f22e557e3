"""`/api/devices/{device}/commands` and `/refused`: telling devices what to do, and their mistakes."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.command import Command, CommandStatus
from barograph.domain.time import format_time
from barograph.services.commands import LIFETIME_SECONDS, LIFETIME_SECONDS_MAX
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import (
    DeviceRef,
    Offset,
    PageOf,
    PathId,
    Time,
    page_limit,
    time_text,
)
from barograph.transport.http.users import Asker


class NewCommand(BaseModel):
    """What to tell the device."""

    model_config = ConfigDict(extra="forbid")

    command: Annotated[
        Any, Field(description="Any JSON value of at most 16 KiB.", examples=[{"relay": "on"}])
    ]
    expires_in: Annotated[
        int,
        Field(
            ge=1,
            le=LIFETIME_SECONDS_MAX,
            strict=True,
            description="Seconds for which it waits for the device.",
        ),
    ] = LIFETIME_SECONDS


class CommandBody(BaseModel):
    """A command and what became of it."""

    id: int
    command: Any
    status: CommandStatus = Field(
        description="queued: the device did not get it yet; delivered: it acknowledged the "
        "message; answered: it replied; expired: it never got it; cancelled: it was called off."
    )
    created_time: Time
    expires_time: Time
    delivered_time: Time | None
    answered_time: Time | None
    cancelled_time: Time | None
    reply: Any = Field(description="What the device answered: JSON, or a text.")


class RefusedBody(BaseModel):
    """A message of a device that was refused."""

    time: Time
    topic: str
    message: str = Field(description="What was wrong with it.")
    payload: str = Field(description="How it begins, with what is not UTF-8 replaced.")
    size: int = Field(description="Bytes of the whole payload.")


class RefusedList(BaseModel):
    """The last refused messages of a device, the newest first."""

    items: list[RefusedBody]


def router(core: Core) -> APIRouter:
    """The routes of commands and of refused messages."""
    routes = APIRouter(prefix="/api/devices/{device}", tags=["devices"])
    devices, commands = core.devices, core.commands
    most = page_limit(core.limits)

    @routes.post(
        "/commands",
        status_code=201,
        responses=responses(400, 401, 403, 404, 409, 413, 422),
        summary="Tell a device what to do",
    )
    def send_command(body: NewCommand, asker: Asker, device: DeviceRef) -> CommandBody:
        """Publishes it over MQTT to `devices/<device>/command`, now or when the device comes.

        The message is `{"id": 7, "command": …}`, at QoS 1; the device may answer on
        `devices/<device>/command/7/reply`.
        """
        found = devices.get(asker, device)
        return _body(core, commands.send(asker, found, body.command, body.expires_in))

    @routes.get(
        "/commands", responses=responses(401, 403, 404, 422), summary="List a device's commands"
    )
    def list_commands(
        asker: Asker,
        device: DeviceRef,
        limit: int = most,
        offset: Offset = 0,
    ) -> PageOf[CommandBody]:
        """The newest first; they are kept for 90 days."""
        page = commands.list(asker, devices.get(asker, device), limit=limit, offset=offset)
        items = [_body(core, one) for one in page.items]
        return PageOf(items=items, total=page.total, limit=limit, offset=offset)

    @routes.get(
        "/commands/{command:int}",
        responses=responses(401, 403, 404, 422),
        summary="Look at a command",
    )
    def read_command(asker: Asker, device: DeviceRef, command: PathId) -> CommandBody:
        """What became of it, and the reply once there is one."""
        return _body(core, commands.get(asker, devices.get(asker, device), command))

    @routes.delete(
        "/commands/{command:int}",
        responses=responses(401, 403, 404, 422),
        summary="Call a command off",
    )
    def cancel_command(asker: Asker, device: DeviceRef, command: PathId) -> CommandBody:
        """The device does not get it any more; the answer tells what became of it.

        One that the device has, that expired or was called off before stays as it is. One that was
        on its way at that moment may still be `delivered`.
        """
        return _body(core, commands.cancel(asker, devices.get(asker, device), command))

    @routes.get(
        "/refused",
        responses=responses(401, 403, 404, 422),
        summary="List messages that were refused",
    )
    def list_refused(asker: Asker, device: DeviceRef) -> RefusedList:
        """The last 20 MQTT messages of the device that could not be read; kept for 30 days."""
        found = devices.get(asker, device)
        return RefusedList(
            items=[
                RefusedBody(
                    time=format_time(one.time),
                    topic=one.topic,
                    message=one.message,
                    payload=one.payload.decode("utf-8", "replace"),
                    size=one.size,
                )
                for one in core.refusals.of(found.id)
            ]
        )

    return routes


def _body(core: Core, command: Command) -> CommandBody:
    return CommandBody(
        id=command.id,
        command=command.command,
        status=command.status(core.clock()),
        created_time=format_time(command.created_time),
        expires_time=format_time(command.expires_time),
        delivered_time=time_text(command.delivered_time),
        answered_time=time_text(command.answered_time),
        cancelled_time=time_text(command.cancelled_time),
        reply=command.reply,
    )
