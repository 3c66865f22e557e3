"""Which devices hold a connection, as far as a transport can tell.

A device that only sends requests holds none, and nothing is known of it here. One connection may
stand for several devices, such as a gateway's; a device may have several. One process keeps nothing
over a restart: who is there then comes again. Several tell each other by the catalog.
"""

from threading import Lock

from barograph.domain.errors import Unavailable
from barograph.domain.presence import Presence
from barograph.ports.clock import Clock
from barograph.ports.processes import PresenceFeed


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
            self._note(device_id)

    def closed(self, device_id: int, why: str) -> None:
        """One of them is over."""
        count = self._connections.pop(device_id, 0) - 1
        if count > 0:
            self._connections[device_id] = count
        else:
            self._found[device_id] = Presence("offline", self._clock(), why)
            self._note(device_id)

    def _note(self, device_id: int) -> None:
        """What is found of the device has changed."""


class SharedPresences(Presences):
    """Of several processes: what each finds is told to all by `exchange`, which each calls often."""

    def __init__(self, clock: Clock, feed: PresenceFeed, server: str) -> None:
        """`server` names the processes on one port, the same after a restart."""
        super().__init__(clock)
        self._feed = feed
        self._server = server
        self._lock = Lock()
        self._changed: set[int] = set()
        self._number = 0

    def began(self) -> None:
        """The process that serves devices here begins: nobody is connected any more."""
        self._feed.lost(self._server, self._clock(), "the server was started again")

    def exchange(self) -> bool:
        """Tell what changed here, hear what changed elsewhere; False: that was all.

        Raises `Unavailable`.
        """
        with self._lock:
            changed, self._changed = self._changed, set()
        try:
            if changed:
                self._feed.tell(self._server, {one: self._found[one] for one in changed})
            found, self._number = self._feed.since(self._number)
        except Unavailable:
            with self._lock:
                self._changed |= changed
            raise
        with self._lock:
            for device_id, presence in found.items():
                if device_id not in self._connections and device_id not in self._changed:
                    self._found[device_id] = presence
        return False

    def _note(self, device_id: int) -> None:
        with self._lock:
            self._changed.add(device_id)
