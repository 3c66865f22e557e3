"""One client's socket: hands its bytes to the engine, and stops reading while too much waits."""

import asyncio
from typing import Protocol, cast

from barograph.mqtt import Connection
from barograph.transport.leaving import leave
from barograph.transport.mqtt.readings import Publisher

UNSTORED_BYTES_MAX = 1 << 20
"""What one client may have sent that is not yet stored, before its socket is no longer read."""

_CLOSING_SECONDS_MAX = 10.0
_WRITE_STALLED_SECONDS = 60.0


class Host(Protocol):
    """What a peer tells its listener."""

    def opened(self, peer: "Peer") -> Connection | None:
        """A client connected; None turns it away."""

    def received(self, peer: "Peer", data: bytes) -> None:
        """The socket brought bytes."""

    def writable(self, peer: "Peer", *, room: bool) -> None:
        """The socket's buffer is full, or has room again."""

    def lost(self, peer: "Peer") -> None:
        """The socket is closed."""


class HeldSocket(asyncio.Protocol):
    """A socket that is not read while too much of what it brought waits to be stored."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.answered_at = 0.0
        """When something it brought was last stored; the loop's time."""
        self._holds = 0
        self._unstored = 0
        self._since: float | None = None
        """When the socket began to be closed, or its buffer to be full."""
        self._said_all = False

    # asyncio's.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is not a subclass

    def pause_writing(self) -> None:
        self._since = self._loop.time()

    def resume_writing(self) -> None:
        self._since = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    # The owner's.

    @property
    def gone(self) -> bool:
        """Whether the socket is closed."""
        return self._transport is None

    @property
    def held(self) -> bool:
        """Whether the socket is not read now."""
        return self._holds > 0

    def hold(self) -> None:
        """Stop reading until `let_go` was called as often."""
        self._holds += 1
        if self._holds == 1 and (transport := self._open()) is not None:
            transport.pause_reading()

    def let_go(self) -> None:
        """See `hold`."""
        self._holds -= 1
        if not self._holds and (transport := self._open()) is not None:
            transport.resume_reading()

    def owe(self, size: int) -> None:
        """So many bytes wait to be stored; negative when they are."""
        before, self._unstored = self._unstored, self._unstored + size
        if before <= UNSTORED_BYTES_MAX < self._unstored:
            self.hold()
        elif self._unstored <= UNSTORED_BYTES_MAX < before:
            self.let_go()

    def write(self, data: bytes, *, close: bool) -> None:
        """Send, and then close if asked to."""
        transport = self._open()
        if transport is None:
            return
        if data:
            transport.write(data)
        if close:
            self._since = self._loop.time()
            self._said_all = True
            self._close(transport)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def enforce(self, now: float) -> None:
        """Close at once where the other side takes nothing any more; `now` is the loop's time."""
        transport, since = self._transport, self._since
        if transport is None or since is None:
            return
        limit = _CLOSING_SECONDS_MAX if self._said_all else _WRITE_STALLED_SECONDS
        if now - since > limit:
            transport.abort()

    # Within.

    def _open(self) -> asyncio.Transport | None:
        """The transport while there is something to say."""
        transport = self._transport
        if transport is None or self._said_all or transport.is_closing():
            return None
        return transport

    def _close(self, transport: asyncio.Transport) -> None:
        transport.close()


class Peer(HeldSocket):
    """The protocol of one client's socket."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.connection: Connection | None = None
        self.publisher = Publisher("")
        self.address = ""
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        """Of the request, where it came as WebSocket; else none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self.address = name[0] if name else ""
        self.connection = self._host.opened(self)
        if self.connection is None:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self.connection is not None:
            self._host.received(self, data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.connection is not None:
            self._host.writable(self, room=False)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.connection is not None:
            self._host.writable(self, room=True)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.connection is not None:
            self._host.lost(self)

    def _close(self, transport: asyncio.Transport) -> None:
        leave(transport, self)
