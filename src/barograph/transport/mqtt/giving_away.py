"""Bringing WebSocket connections from the processes that accept them to the one that serves MQTT.

Several processes share the HTTP port, and a connection comes to any of them. One that asks for MQTT over
WebSocket is given away whole: the socket's descriptor and the request go as one datagram through a pair
of Unix sockets, which the supervisor holds, so that what is on its way survives the replacement of the
process that serves. Nothing is read from the connection in between; the rest waits in the kernel.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

logger = logging.getLogger(__name__)

REQUEST_BYTES_MAX = 64 << 10
"""Above the limit of a header block, and within what one datagram carries."""
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


def giving_pair() -> tuple[socket.socket, socket.socket] | None:
    """Where connections are given away, and where they arrive; None where no socket can be passed."""
    if not hasattr(socket, "send_fds"):
        return None
    giving, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    giving.setblocking(False)
    taking.setblocking(False)
    return giving, taking


class GivenAway(asyncio.Protocol):
    """The protocol of an upgraded connection that another process is to serve."""

    def __init__(self, giving: socket.socket) -> None:
        self._giving = giving
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is not a subclass
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """The request; nothing else is read here."""
        transport = self._transport
        if transport is None:
            return
        self._transport = None
        if transport.get_write_buffer_size():
            transport.close()  # it asks before it took its answers
            return
        opened = transport.get_extra_info("socket")
        try:
            socket.send_fds(self._giving, [data], [opened.fileno()])
        except OSError as error:
            logger.warning("a WebSocket of MQTT cannot be given to the first process: %s", error)
            transport.write(_UNAVAILABLE)
        transport.close()


class Taking:
    """The connections that other processes give away."""

    def __init__(self, taking: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """`make` makes the protocol of each, which gets the request as its first bytes."""
        self._taking = taking
        self._make = make
        self._opening: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(taking.fileno(), self._take)

    def close(self) -> None:
        """Take no more; what comes waits for the next process."""
        self._loop.remove_reader(self._taking.fileno())

    def _take(self) -> None:
        try:
            request, descriptors, _, _ = socket.recv_fds(self._taking, REQUEST_BYTES_MAX, 1)
        except BlockingIOError:
            return
        for descriptor in descriptors:
            opening = self._loop.create_task(self._open(descriptor, request))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, descriptor: int, request: bytes) -> None:
        opened = socket.socket(fileno=descriptor)
        opened.setblocking(False)
        try:
            _, protocol = await self._loop.connect_accepted_socket(self._make, opened)
        except OSError as error:
            logger.debug("a WebSocket that was given here is gone: %s", error)
            opened.close()
            return
        protocol.data_received(request)
