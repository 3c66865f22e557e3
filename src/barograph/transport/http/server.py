"""uvicorn with the deadlines and bounds that it leaves to the application.

uvicorn closes neither connections that never send a request nor half-sent ones, and llhttp has no
limit on a header block. Both are held here: `Deadlines` looks over the open connections once a
second, which costs a busy connection two assignments per request instead of timers.
"""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FrameType, MappingProxyType
from typing import Any, Protocol, cast

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from barograph.domain.errors import ConfigurationError
from barograph.domain.limits import Limits
from barograph.transport.http.access import is_loopback

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_GRACE_SECONDS = 10
_SWEEP_SECONDS = 1.0
_WRITE_STALLED_SECONDS = 60.0
_REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_HEADERS_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_HEADS_MAX = 4
"""Heads remembered per connection: a device's differ in `Content-Length` only."""
_ANSWERS_MAX = 64
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


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


class _Head:
    """A request's head as it came, and what it was found to mean."""

    __slots__ = ("bytes", "prepared")

    def __init__(self, data: bytes, prepared: object) -> None:
        self.bytes = data
        self.prepared = prepared


WebSockets = Mapping[bytes, Callable[[], asyncio.Protocol]]
"""By path, what makes the protocol of a WebSocket connection; its first bytes are the request."""


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
        self.connections: set[BoundedProtocol] = set()
        self.by_address: Counter[str] = Counter()
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
                connection.enforce(now)

    def admit(self, connection: "BoundedProtocol", address: str) -> bool:
        """Count the connection in, unless there are too many."""
        if len(self.connections) >= self.limits.connections_max or (
            self.by_address[address] >= self.limits.address_connections_max
            and not is_loopback(address)
        ):
            return False
        self.connections.add(connection)
        self.by_address[address] += 1
        return True

    def release(self, connection: "BoundedProtocol", address: str) -> None:
        """Count the connection out."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.by_address[address] -= 1
            if not self.by_address[address]:
                del self.by_address[address]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, bounded in time and size.

    A device sends the same head with every reading. The heads of a connection's last short requests
    are remembered, and a read that consists of such a head and a body of its length means what it
    meant before, so it goes to the shortcut without being parsed again. While such a request is
    `_answering`, what follows it is held back.
    """

    deadlines: Deadlines
    """Set on a subclass per server, because uvicorn makes the protocols."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._since = self.loop.time()
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False
        self._requests = 0
        self._short: ASGI3Application | None = None
        self._prepared: object | None = None
        self._heads: dict[int, _Head] = {}
        self._answering = False
        self._held = b""
        self._ending = False
        if not self.deadlines.admit(self, self._address):
            transport.write(_TOO_MANY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadlines.release(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._since = self.loop.time()
        if self._answering:
            self._held += data
            self.flow.pause_reading()
            return
        head = self._heads.get(len(data))
        if head is not None and data.startswith(head.bytes) and self._is_at_rest():
            self._answer_again(head, data)
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        whole, requests = self._is_at_rest(), self._requests
        self._read_bytes = len(data)
        super().data_received(data)
        if self._in_head:
            # What llhttp holds of an unfinished header block; whole ones passed `on_header`.
            self._head_bytes += len(data)
            if self._head_bytes > self.deadlines.limits.header_bytes_max:
                self._refuse(_HEADERS_TOO_LARGE)
        elif self._prepared is not None and whole and self._requests == requests + 1:
            self._remember(data)

    def _is_at_rest(self) -> bool:
        """Whether all that was asked is answered, and the next byte begins a request."""
        return (
            not self._in_head
            and not self._in_body
            and (not self._requests or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _remember(self, data: bytes) -> None:
        """Remember the head of the short request that is all of `data`, if it is whole."""
        cycle = self.cycle
        stop = len(data) - len(cycle.body)
        if (
            not self._in_body
            and cycle.keep_alive
            and cycle.body
            and data[stop:] == cycle.body
            and data[stop - 4 : stop] == b"\r\n\r\n"
            and not self.parser.should_upgrade()
        ):
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            self._heads[len(data)] = _Head(data[:stop], self._prepared)

    def _answer_again(self, head: _Head, data: bytes) -> None:
        shortcut = self.deadlines.shortcut
        assert shortcut is not None
        self._unset_keepalive_if_required()
        self._answering = True
        if not shortcut(head.prepared, data[len(head.bytes) :], self._respond_again):
            self._answering = False
            self._parse(data)

    def _respond_again(self, status: int, head: bytes, body: bytes) -> None:
        self._answering = False
        state = self.server_state
        state.total_requests += 1
        if self.transport.is_closing():
            return
        self.transport.write(self.deadlines.answer(state.default_headers, status, head, body))
        if self._ending:
            self.transport.close()
        elif self._held:
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(held)

    def shutdown(self) -> None:
        """Close the connection once what it asked is answered."""
        if self._answering:
            self._ending = True
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._prepared = None
        self._in_head = True
        self._head_bytes = 0
        self._head_since = self._since

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        limit = self.deadlines.limits.header_bytes_max
        if self._read_bytes > limit and (
            sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > limit
        ):
            self._refuse(_HEADERS_TOO_LARGE)
            return
        self._requests += 1
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        shortcut = self.deadlines.shortcut
        # A request that had to wait for the answer before it is complete by now, and goes to ASGI.
        if shortcut is not None and cycle is self.cycle and self._in_body:
            self._prepared = shortcut.prepare(cast("Scope", cycle.scope))
            if self._prepared is not None:
                self._short = app
                return
        super()._start_asgi_task(cycle, app)

    def _answer_shortly(self, app: ASGI3Application) -> None:
        cycle, shortcut = self.cycle, self.deadlines.shortcut
        assert shortcut is not None
        if not shortcut(self._prepared, bytes(cycle.body), partial(self._respond, cycle)):
            self._prepared = None
            super()._start_asgi_task(cycle, app)

    def _respond(self, cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> None:
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        if cycle.disconnected:
            return
        if not cycle.keep_alive:
            head += b"connection: close\r\n"
        answer = self.deadlines.answer(cycle.default_headers, status, head, body)
        self.transport.write(answer)
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _should_upgrade(self) -> bool:
        return self._websocket() is not None and self._get_upgrade() == b"websocket"

    def _websocket(self) -> Callable[[], asyncio.Protocol] | None:
        path = self.url.partition(b"?")[0]
        return self.deadlines.websockets.get(path.rstrip(b"/"))

    def _unsupported_upgrade_warning(self) -> None:
        # Answered like any other request (RFC 9110, section 7.8), but the parser ends here.
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """Hand the socket over; from here on it is the other protocol's to bound."""
        make = self._websocket()
        if make is None or (self._requests > 1 and not self.cycle.response_complete):
            self.transport.close()  # it asks before it has its answers
            return
        self.connections.discard(self)
        self.deadlines.release(self, self._address)
        request = [self.scope["method"].encode(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            request += (name, b": ", value, b"\r\n")
        protocol = make()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(b"".join((*request, b"\r\n")))

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        if not self.transport.is_closing():
            super().on_message_complete()
            if self._short is not None:
                app, self._short = self._short, None
                self._answer_shortly(app)

    def enforce(self, now: float) -> None:
        """Close the connection if what it owes is overdue at `now` (the loop's time)."""
        limits = self.deadlines.limits
        waited = now - self._since
        if self._in_head:
            if now - self._head_since > limits.header_seconds_max:
                self._refuse(_REQUEST_TIMEOUT)
        elif self._in_body and not self.cycle.response_complete:
            if waited > limits.body_idle_seconds_max and not self.flow.read_paused:
                self._refuse(_REQUEST_TIMEOUT)
        elif not self._requests:
            if waited > limits.header_seconds_max:
                self.transport.close()
        elif self.flow.write_paused and waited > _WRITE_STALLED_SECONDS:
            self.transport.abort()
        elif waited > limits.idle_seconds_max and not self._answering and self._is_at_rest():
            self.transport.close()  # as uvicorn's timer does, which remembered heads do not set

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            if (
                not self._requests
                or not self.cycle.response_started
                or self.cycle.response_complete
            ):
                self.transport.write(answer)
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the program has its own."""

    when_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        self.should_exit = True


class HttpServer:
    """Serves one ASGI application on sockets that are bound already."""

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        limits: Limits,
        shortcut: Shortcut | None = None,
        websockets: WebSockets = MappingProxyType({}),
    ) -> None:
        self._sockets = list(sockets)
        self._deadlines = Deadlines(limits, shortcut, websockets)
        protocol = type("Protocol", (BoundedProtocol,), {"deadlines": self._deadlines})
        self._server = _Server(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=int(limits.idle_seconds_max),
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    async def run(self, when_started: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`, then finish what was begun."""
        self._server.when_started = when_started
        sweeper = asyncio.create_task(self._deadlines.sweep())
        try:
            await self._server.serve(self._sockets)
        finally:
            sweeper.cancel()

    @property
    def started(self) -> bool:
        """Whether connections are accepted."""
        return self._server.started

    def stop(self) -> None:
        """Accept no more, answer what is under way, then end."""
        self._server.should_exit = True


def bind_each(host: str, port: int, count: int) -> list[list[socket.socket]]:
    """As `bind`, `count` times on the same port: the kernel shares the connections out."""
    # First alone, for sockets that share a port also join another program's that does.
    alone = bind(host, port)
    port = alone[0].getsockname()[1]
    for one in alone:
        one.close()
    with contextlib.ExitStack() as opened:
        found = []
        for _ in range(count):
            sockets = bind(host, port, shared=True)
            for one in sockets:
                opened.callback(one.close)
            found.append(sockets)
        opened.pop_all()
    return found


def bind(
    host: str, port: int, option: str = "--port", *, shared: bool = False
) -> list[socket.socket]:
    """Listening sockets for every address of `host`; port 0 takes a free one, the same for all.

    `option` is what chooses the port; `shared` lets other sockets have the same one. Raises
    `ConfigurationError`, whose message says what to do.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigurationError(f"--host {host}: no such address ({error.strerror})") from None
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in found:
        listening = socket.socket(family, kind, protocol)
        sockets.append(listening)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listening.bind((address[0], port, *address[2:]))
            listening.listen(_BACKLOG)
        except OSError as error:
            for one in sockets:
                one.close()
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}): is another program, or another "
                f"Barograph, using it? Choose one with {option}, or {option} 0 for any free one"
            ) from None
        listening.setblocking(False)
        port = port or listening.getsockname()[1]
    return sockets
