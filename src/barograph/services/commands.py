"""Telling devices what to do.

A command is a row of the catalog until the device acknowledged it; what waits is also known here,
so that a transport finds out without a query what a device that comes should be given. Transports
that bring commands to devices `watch` for new ones, and say when one was delivered or answered.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import msgspec

from barograph.domain.command import Command
from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, InvalidInput, MalformedInput, NotFound, TooLarge
from barograph.domain.limits import Limits
from barograph.domain.time import SECOND
from barograph.domain.user import Principal, require_device
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.services.audit import Audit
from barograph.services.names import check_json_value
from barograph.services.waiting_commands import WaitingCommands

LIFETIME_SECONDS = 7 * 24 * 3600
"""For which a command waits for its device, unless it says otherwise."""
LIFETIME_SECONDS_MAX = 30 * 24 * 3600
_NAME_CHARS_MAX = 64

Watcher = Callable[[Command], None]
"""Told of a new command, and of one that was called off (`cancelled_time`), on the thread that did it;
must neither block nor raise."""


class CommandService:
    """Sends commands, and shows what became of them."""

    def __init__(
        self, catalog: Catalog, clock: Clock, limits: Limits, audit: Audit, *, follows: bool = False
    ) -> None:
        """`follows`: other processes send commands, too, which `look` finds."""
        self._follows = follows
        self._audit = audit
        self._catalog = catalog
        self._clock = clock
        self._limits = limits
        self._lock = Lock()
        self._watchers: tuple[Watcher, ...] = ()
        self._waiting = WaitingCommands(catalog.commands.waiting(clock()))
        self._heard_of = self._waiting.ids()

    def send(
        self,
        principal: Principal,
        device: Device,
        command: Any,
        lifetime_seconds: int = LIFETIME_SECONDS,
    ) -> Command:
        """Have the device told; it gets the command now or when it next comes.

        Needs the right to write to the device. Raises `Forbidden`, `InvalidInput`, `Conflict`
        where too many wait already.
        """
        require_device(principal, device, write=True)
        if principal.kind == "device":
            raise Forbidden("a device's token sends no commands: its owner does")
        if not 1 <= lifetime_seconds <= LIFETIME_SECONDS_MAX:
            raise InvalidInput.of("expires_in", f"use 1 to {LIFETIME_SECONDS_MAX} seconds")
        limits = self._limits
        check_json_value("command", command, limits.json_depth_max, limits.command_bytes_max)
        now = self._clock()
        detail = _named(command)
        with self._audit.along(principal, "device.command", device.name, device.id, detail):
            made = self._catalog.commands.create(
                device.id,
                command,
                now,
                now + lifetime_seconds * SECOND,
                limits.device_commands_queued_max,
            )
        self._told_of(made)
        return made

    def look(self) -> bool:
        """Tell the watchers what other processes have made and called off; False: that was all."""
        known, now = self._waiting.ids(), self._clock()
        found = self._catalog.commands.waiting(now)
        for one in found:
            self._told_of(one)
        for command_id in known.difference(one.id for one in found):
            gone = self._catalog.commands.get(command_id)
            if gone is not None and gone.cancelled_time is not None:
                self._called_off(gone)
            elif gone is None or gone.status(now) != "queued":
                self._waiting.remove(command_id)
        with self._lock:
            # Those that were delivered meanwhile cannot come again.
            self._heard_of &= {one.id for one in found} | self._waiting.ids()
        return False

    def _told_of(self, made: Command) -> None:
        with self._lock:
            if self._follows:
                if made.id in self._heard_of:
                    return
                self._heard_of.add(made.id)
            self._waiting.add(made)
        for tell in self._watchers:
            tell(made)

    def cancel(self, principal: Principal, device: Device, command_id: int) -> Command:
        """Call a command off; one that does not wait any more stays as it is.

        Needs the right to write to the device. Raises `Forbidden` and `NotFound`.
        """
        require_device(principal, device, write=True)
        if principal.kind == "device":
            raise Forbidden("a device's token calls no commands off: its owner does")
        detail = _named(self.get(principal, device, command_id).command)
        with self._audit.along(principal, "device.uncommand", device.name, device.id, detail):
            called_off = self._catalog.commands.cancel(command_id, self._clock())
        found = self.get(principal, device, command_id)
        if called_off:
            self._called_off(found)
        return found

    def _called_off(self, command: Command) -> None:
        if not self._waiting.remove(command.id):
            return
        for tell in self._watchers:
            tell(command)

    def list(
        self, principal: Principal, device: Device, *, limit: int, offset: int = 0
    ) -> Page[Command]:
        """The device's commands, the newest first."""
        require_device(principal, device)
        limit = min(limit, self._limits.page_items_max)
        return self._catalog.commands.list(device.id, limit=limit, offset=offset)

    def get(self, principal: Principal, device: Device, command_id: int) -> Command:
        """One of the device's commands; raises `NotFound`."""
        require_device(principal, device)
        found = self._catalog.commands.get(command_id)
        if found is None or found.device_id != device.id:
            raise NotFound(f"the device has no command {command_id}")
        return found

    # For transports.

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every new command, until the returned call."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)

        def end() -> None:
            with self._lock:
                self._watchers = tuple(one for one in self._watchers if one is not watcher)

        return end

    def waiting(self, device_id: int | None = None) -> Sequence[Command]:
        """What the device, or any, should be given, the oldest first; from memory."""
        return self._waiting.of(device_id, self._clock())

    def waits(self, command_id: int) -> Command | None:
        """The command, if it was not delivered yet; from memory."""
        return self._waiting.get(command_id)

    def delivered(self, command_id: int) -> Callable[[], None]:
        """The device has it, and is given it no more; the returned call, on a thread, notes it."""
        self._waiting.remove(command_id)
        at = self._clock()
        return lambda: self._catalog.commands.deliver(command_id, at)

    def answered(
        self, principal: Principal, device: Device, command_id: int, payload: bytes
    ) -> Command:
        """Note what the device answered: JSON, or a text.

        Raises `TooLarge`, `MalformedInput`, `NotFound` for a command that is not the device's, and
        `Forbidden`.
        """
        require_device(principal, device, write=True)
        if len(payload) > self._limits.command_bytes_max:
            raise TooLarge(f"a reply is at most {self._limits.command_bytes_max} bytes")
        reply = _read(payload)
        check_json_value("reply", reply, self._limits.json_depth_max, 2 * len(payload) + 2)
        answered = self._catalog.commands.answer(command_id, device.id, reply, self._clock())
        self._waiting.remove(command_id)
        return answered


def _named(command: Any) -> dict[str, str]:
    """What the audit log says of the command: an object's fields or a text's first word.

    Values are left out, for a command can carry a password.
    """
    if isinstance(command, dict):
        name = ", ".join(command)
    elif isinstance(command, str) and command.strip():
        name = command.split(maxsplit=1)[0]
    else:
        return {}
    return {"command": name if len(name) <= _NAME_CHARS_MAX else name[: _NAME_CHARS_MAX - 1] + "…"}


def _read(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise MalformedInput("a reply is JSON, or text in UTF-8") from None
