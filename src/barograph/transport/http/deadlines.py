"""The open connections of a server: how many there may be, and what is told about them."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from barograph.domain.limits import Limits
from barograph.transport.http.places import Places

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 1.0
_ANSWERS_MAX = 64

Respond = Callable[[int, bytes, bytes], None]
"""Answers a request in one write: the status, whole header lines, the body."""


class Shortcut(Protocol):
    """Answers small requests without a task, ASGI messages or a future.

    What these cost is a large part of the time of a request that carries one reading.
    """

    def prepare(self, scope: Scope) -> object | None:
        """What a request's head means to it, or None where ASGI is to answer.

        It may be used again for each request whose head is the same to the byte.
        """

    def __call__(self, prepared: Any, body: bytes, respond: Respond) -> bool:
        """Answer by `respond`, later on the loop or now; False hands the request to ASGI."""


WebSockets = Mapping[bytes, Callable[[], asyncio.Protocol]]
"""By path, what makes the protocol of a WebSocket connection; its first bytes are the request."""


class Connection(Protocol):
    """What may be over its time."""

    def enforce(self, now: float) -> None:
        """Close the connection if what it owes is overdue at `now` (the loop's time)."""


class Deadlines:
    """The open connections and what they are waiting for."""

    def __init__(
        self,
        limits: Limits,
        shortcut: Shortcut | None = None,
        websockets: WebSockets = MappingProxyType({}),
    ) -> None:
        self.limits = limits
        self.shortcut = shortcut
        self.websockets = websockets
        self.connections: set[Connection] = set()
        self._places = Places(limits)
        self._answers: dict[tuple[int, bytes, bytes], bytes] = {}
        self._answers_headers: object = None

    def answer(
        self, headers: list[tuple[bytes, bytes]], status: int, head: bytes, body: bytes
    ) -> bytes:
        """The whole answer. `headers` is a new list each second, for its date."""
        if headers is not self._answers_headers or len(self._answers) >= _ANSWERS_MAX:
            self._answers.clear()
            self._answers_headers = headers
        key = (status, head, body)
        found = self._answers.get(key)
        if found is None:
            parts = [STATUS_LINE[status]]
            for name, value in headers:
                parts += (name, b": ", value, b"\r\n")
            parts += (head, b"content-length: %d\r\n\r\n" % len(body), body)
            found = self._answers[key] = b"".join(parts)
        return found

    async def sweep(self) -> None:
        """Close what is over its time, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = loop.time()
            for connection in tuple(self.connections):
                try:
                    connection.enforce(now)
                except Exception:  # of one connection, which the others need not suffer for
                    logger.exception("A connection could not be looked at")

    def admit(self, connection: Connection, address: str) -> bool:
        """Count the connection in, unless there are too many."""
        if not self._places.take(address):
            return False
        self.connections.add(connection)
        return True

    def release(self, connection: Connection, address: str) -> None:
        """Count the connection out."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._places.give_back(address)
