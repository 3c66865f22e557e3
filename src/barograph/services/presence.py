"""Which devices hold a connection, as far as a transport can tell.

A device that only sends requests holds none, and nothing is known of it here. One connection may
stand for several devices, such as a gateway's; a device may have several. Nothing is kept over a
restart: who is there then comes again.
"""

from dataclasses import dataclass
from typing import Literal

from barograph.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a device is there."""

    status: Literal["online", "offline"]
    since: int
    """Microseconds."""
    detail: str = ""
    """Why it is offline."""


class Presences:
    """Written by the event loop, read by any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: dict[int, Presence] = {}
        self._connections: dict[int, int] = {}

    def of(self, device_id: int) -> Presence | None:
        """How the device is connected; None when it was not since the start."""
        return self._found.get(device_id)

    def opened(self, device_id: int) -> None:
        """A connection stands for the device from now on."""
        count = self._connections.get(device_id, 0)
        self._connections[device_id] = count + 1
        if not count:
            self._found[device_id] = Presence("online", self._clock())

    def closed(self, device_id: int, why: str) -> None:
        """One of them is over."""
        count = self._connections.pop(device_id, 0) - 1
        if count > 0:
            self._connections[device_id] = count
        else:
            self._found[device_id] = Presence("offline", self._clock(), why)
