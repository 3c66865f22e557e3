"""The commands that wait for their devices, in memory: found by their number and by their device."""

from collections.abc import Iterable, Sequence
from threading import Lock

from barograph.domain.command import Command


class WaitingCommands:
    """Thread-safe. What has expired is forgotten when it is come upon."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._lock = Lock()
        self._commands: dict[int, Command] = {}
        self._of_devices: dict[int, dict[int, Command]] = {}
        for one in commands:
            self.add(one)

    def add(self, command: Command) -> None:
        """The command waits from now on."""
        with self._lock:
            self._commands[command.id] = command
            self._of_devices.setdefault(command.device_id, {})[command.id] = command

    def remove(self, command_id: int) -> bool:
        """The command waits no more; whether it did."""
        with self._lock:
            return self._remove(command_id)

    def _remove(self, command_id: int) -> bool:
        command = self._commands.pop(command_id, None)
        if command is None:
            return False
        of_device = self._of_devices[command.device_id]
        del of_device[command_id]
        if not of_device:
            del self._of_devices[command.device_id]
        return True

    def get(self, command_id: int) -> Command | None:
        """The command, if it waits."""
        return self._commands.get(command_id)

    def ids(self) -> set[int]:
        """The numbers of all."""
        return set(self._commands)

    def of(self, device_id: int | None, now: int) -> Sequence[Command]:
        """Those of the device, or of any, that have not expired, the oldest first."""
        if not self._commands:
            return []
        with self._lock:
            if device_id is None:
                found = list(self._commands.values())
            else:
                found = list(self._of_devices.get(device_id, {}).values())
            for one in found:
                if one.expires_time <= now:
                    self._remove(one.id)
        return sorted((one for one in found if one.expires_time > now), key=lambda one: one.id)
