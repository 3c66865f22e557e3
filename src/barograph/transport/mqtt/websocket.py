"""MQTT over WebSocket (5.0 and 3.1.1, chapter 6; RFC 6455): the frames between a socket and a `Peer`.

Rules:
- The client offers the subprotocol `mqtt`, or is refused ([MQTT-6.0.0-3], [MQTT-6.0.0-4]).
- Frames are binary; any other data frame ends the connection ([MQTT-6.0.0-1]).
- Packets and frames do not know of each other: what a frame holds is handed on as it comes, so a
  message of many frames needs no memory ([MQTT-6.0.0-2]).
- A frame has a bound. There is no compression, which would need one more.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from barograph.transport.mqtt.peer import Peer

logger = logging.getLogger(__name__)

_SUBPROTOCOL = Subprotocol("mqtt")
_FRAME_BYTES_MIN = 1 << 20


class WebSocketLine(asyncio.Protocol):
    """The protocol of one upgraded connection, which brings its own request first."""

    def __init__(self, make_peer: Callable[[], Peer], packet_bytes_max: int) -> None:
        """`make_peer` is asked once the request is accepted.

        A frame may hold several packets, and at most `packet_bytes_max` or 1 MiB, if that is more.
        """
        self._make_peer = make_peer
        self._peer: Peer | None = None
        self._transport: asyncio.Transport | None = None
        self._frames = ServerProtocol(
            subprotocols=[_SUBPROTOCOL],
            max_size=(None, max(packet_bytes_max, _FRAME_BYTES_MIN)),
            logger=logger,
        )

    # asyncio's.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is not a subclass

    def data_received(self, data: bytes) -> None:
        self._frames.receive_data(data)
        for event in self._frames.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._take(event)
        self.flush()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.BINARY, Opcode.CONT}:
            if self._peer is not None and frame.data:
                self._peer.data_received(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._frames.fail(CloseCode.UNSUPPORTED_DATA, "MQTT comes in binary frames")

    def pause_writing(self) -> None:
        if self._peer is not None:
            self._peer.pause_writing()

    def resume_writing(self) -> None:
        if self._peer is not None:
            self._peer.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._peer is not None:
            self._peer.connection_lost(exc)

    # For the peer's transport.

    @property
    def transport(self) -> asyncio.Transport | None:
        """The socket's; None when it is closed."""
        return self._transport

    @property
    def is_open(self) -> bool:
        """Whether frames may be sent."""
        return self._frames.state is State.OPEN

    def send(self, data: bytes) -> None:
        """Send one frame."""
        if self.is_open:
            self._frames.send_binary(data)
            self.flush()

    def close(self) -> None:
        """Say goodbye, and close the socket after what was sent."""
        if self.is_open:
            self._frames.send_close(CloseCode.NORMAL_CLOSURE)
            self.flush()

    def flush(self) -> None:
        """Send what the protocol has to say; close where it expects no more."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = b"".join(self._frames.data_to_send())
        if data:
            transport.write(data)
        if self._frames.close_expected():
            transport.close()

    # Within.

    def _open(self, request: Request) -> None:
        response = self._frames.accept(request)
        self._frames.send_response(response)
        self.flush()
        if self.is_open:
            peer = self._make_peer()
            peer.headers = tuple(
                (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                for name, value in request.headers.raw_items()
            )
            self._peer = peer
            peer.connection_made(WebSocketTransport(self))


class WebSocketTransport(asyncio.Transport):
    """What a `Peer` writes to: each write is a binary frame."""

    def __init__(self, line: WebSocketLine) -> None:
        super().__init__()
        self._line = line

    def get_extra_info(self, name: str, default: object = None) -> object:
        transport = self._line.transport
        return default if transport is None else transport.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._line.send(bytes(data))

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        transport = self._line.transport
        return transport is None or transport.is_closing() or not self._line.is_open

    def close(self) -> None:
        self._line.close()

    def abort(self) -> None:
        transport = self._line.transport
        if transport is not None:
            transport.abort()

    def is_reading(self) -> bool:
        transport = self._line.transport
        return transport is not None and transport.is_reading()

    def pause_reading(self) -> None:
        transport = self._line.transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading()

    def resume_reading(self) -> None:
        transport = self._line.transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()
