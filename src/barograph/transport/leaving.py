"""Ends a connection so that its client can read what it was sent (RFC 9112, section 9.6).

TCP resets a connection that is closed while bytes of the client's are unread, and the client loses
what it had not read yet: why it was refused, or its last acknowledgements. So the server ends its own
side first and reads on, for a bounded time, until the client closes.
"""

import asyncio

_SILENT_SECONDS_MAX = 2.0
"""How long nothing may come before the connection is taken for over."""
_SECONDS_MAX = 30.0
"""How long it may take, whatever comes."""


def leave(transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
    """Send nothing more, and close once the client does, or after a while.

    Of `protocol` only what concerns the buffer and the end of the connection is called from now on;
    what still comes is dropped. A transport whose side cannot be ended alone (TLS) is just closed:
    it reads on by itself until the client has answered.
    """
    if transport.is_closing():
        return
    if not transport.is_reading():
        transport.resume_reading()
    if not transport.can_write_eof():
        transport.close()
        return
    transport.set_protocol(_Leaving(transport, protocol))
    try:
        transport.write_eof()
    except OSError:  # the client reset it
        transport.close()


class _Leaving(asyncio.Protocol):
    """What has a connection that ends."""

    def __init__(self, transport: asyncio.Transport, former: asyncio.Protocol) -> None:
        self._transport = transport
        self._former = former
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + _SECONDS_MAX
        self._has_received = False
        self._timer = self._loop.call_later(_SILENT_SECONDS_MAX, self._look)

    def data_received(self, data: bytes) -> None:
        del data
        self._has_received = True

    def pause_writing(self) -> None:
        self._former.pause_writing()

    def resume_writing(self) -> None:
        self._former.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._former.connection_lost(exc)

    def _look(self) -> None:
        """Close if nothing came for a while, or it takes too long."""
        is_lively = self._has_received or self._transport.get_write_buffer_size()
        if not is_lively or self._loop.time() > self._until:
            self._transport.abort()
            return
        self._has_received = False
        self._timer = self._loop.call_later(_SILENT_SECONDS_MAX, self._look)
