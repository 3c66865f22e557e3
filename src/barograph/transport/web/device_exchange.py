"""What was said to a device and what it said wrongly: its commands and its refused messages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.command import Command
from barograph.domain.device import Device
from barograph.domain.errors import Conflict, Forbidden, InvalidInput
from barograph.domain.refusal import Refusal
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.web.language import marked
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit

_COMMANDS = 10
_REFUSALS = 5

STATUS_LABEL = {
    "queued": marked("waiting for the device"),
    "delivered": marked("delivered"),
    "answered": marked("answered"),
    "expired": marked("expired"),
    "cancelled": marked("cancelled"),
}


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command as its row shows it."""

    command: Command
    status: str
    text: str
    reply: str | None

    @classmethod
    def of(cls, command: Command, now: int) -> "ShownCommand":
        """The row of a command."""
        answered = command.answered_time is not None
        reply = _text(command.reply) if answered else None
        return cls(command, command.status(now), _text(command.command), reply)


@dataclass(frozen=True, slots=True)
class ShownRefusal:
    """A refused message as its row shows it."""

    refusal: Refusal
    payload: str
    more: int
    """Bytes of the payload that are not shown."""

    @classmethod
    def of(cls, refusal: Refusal) -> "ShownRefusal":
        """The row of a refused message."""
        text = refusal.payload.decode("utf-8", "replace")
        shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
        return cls(refusal, shown, refusal.size - len(refusal.payload))


def exchange(core: Core, visit: Visit, device: Device) -> dict[str, Any]:
    """The newest commands and refusals of a device that the visitor may see."""
    page = core.commands.list(visit.asker, device, limit=_COMMANDS)
    return {
        "device": device,
        "commands": [ShownCommand.of(one, visit.now) for one in page.items],
        "commands_total": page.total,
        "may_cancel": may_write(visit, device),
        "command_status": STATUS_LABEL,
        "refusals": [ShownRefusal.of(one) for one in core.refusals.of(device.id)[:_REFUSALS]],
    }


def may_write(visit: Visit, device: Device) -> bool:
    """Whether the visitor may write to the device: send readings, and tell it what to do."""
    try:
        require_device(visit.asker, device, write=True)
    except Forbidden:
        return False
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The commands of single devices."""
    core = site.core
    pages = APIRouter(prefix="/ui/devices/{device_id}", **options)

    @pages.get("/exchange")
    def shown(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> HTMLResponse:
        device = require_device(visit.asker, core.registry.device(device_id))
        return visit.page("device_exchange.html", **exchange(core, visit, device))

    @pages.post("/commands")
    def send(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        command: Annotated[str, Form()] = "",
    ) -> Response:
        device = require_device(visit.asker, core.registry.device(device_id), write=True)
        try:
            core.commands.send(visit.asker, device, _read(command))
        except (Conflict, InvalidInput) as error:
            if not visit.wants_piece:
                raise
            problem = visit.refusal(error)
            context = exchange(core, visit, device)
            return visit.page("device_exchange.html", **context, problem=problem)
        if visit.wants_piece:
            return visit.page("device_exchange.html", **exchange(core, visit, device))
        return RedirectResponse(f"/ui/devices/{device_id}#commands", 303)

    @pages.post("/commands/{command_id}/cancel")
    def cancel(
        visit: Annotated[Visit, Depends(visits.sending)], device_id: int, command_id: int
    ) -> Response:
        device = require_device(visit.asker, core.registry.device(device_id), write=True)
        core.commands.cancel(visit.asker, device, command_id)
        if visit.wants_piece:
            return visit.page("device_exchange.html", **exchange(core, visit, device))
        return RedirectResponse(f"/ui/devices/{device_id}#commands", 303)

    return pages


def _read(text: str) -> Any:
    """What was typed: JSON, or else the text as it is; raises `InvalidInput` for nothing."""
    text = text.strip()
    if not text:
        raise InvalidInput.of("", marked("Type what the device is to be told."))
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
