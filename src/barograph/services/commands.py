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
from barograph.ports.catalog import Catalog, Page
from barograph.ports.clock import Clock
from barograph.services.names import check_json_value

LIFETIME_SECONDS = 7 * 24 * 3600
"""For which a command waits for its device, unless it says otherwise."""
LIFETIME_SECONDS_MAX = 30 * 24 * 3600

Watcher = Callable[[Command], None]
"""Told of a new command on the thread that made it; must neither block nor raise."""


class CommandService:
    """Sends commands, and shows what became of them."""

    def __init__(self, catalog: Catalog, clock: Clock, limits: Limits) -> None:
        self._catalog = catalog
        self._clock = clock
        self._limits = limits
        self._lock = Lock()
        self._watchers: tuple[Watcher, ...] = ()
        self._waiting = {one.id: one for one in catalog.commands.waiting(clock())}
        self._heard_of = set(self._waiting)

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
        """Tell the watchers of commands that other processes have made; False: that was all."""
        found = self._catalog.commands.waiting(self._clock())
        for one in found:
            self._told_of(one)
        with self._lock:
            # Those that were delivered meanwhile cannot come again.
            self._heard_of &= {one.id for one in found} | set(self._waiting)
        return False

    def _told_of(self, made: Command) -> None:
        with self._lock:
            if made.id in self._heard_of:
                return
            self._heard_of.add(made.id)
            self._waiting[made.id] = made
        for tell in self._watchers:
            tell(made)

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
        if not self._waiting:
            return []
        now = self._clock()
        with self._lock:
            for one in [one for one in self._waiting.values() if one.expires_time <= now]:
                del self._waiting[one.id]
            found = [
                one
                for one in self._waiting.values()
                if device_id is None or one.device_id == device_id
            ]
        return sorted(found, key=lambda one: one.id)

    def waits(self, command_id: int) -> Command | None:
        """The command, if it was not delivered yet; from memory."""
        return self._waiting.get(command_id)

    def delivered(self, command_id: int) -> None:
        """Note that the device has it."""
        with self._lock:
            self._waiting.pop(command_id, None)
        self._catalog.commands.deliver(command_id, self._clock())

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
        with self._lock:
            self._waiting.pop(command_id, None)
        return answered


def _read(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise MalformedInput("a reply is JSON, or text in UTF-8") from None
