"""uvicorn's HTTP/1.1 protocol with the deadlines and bounds that it leaves to the application.

uvicorn closes neither connections that never send a request nor half-sent ones, and llhttp has no
limit on a header block. Both are held here: `Deadlines` looks over the open connections once a
second, which costs a busy connection two assignments per request instead of timers.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import cast

import httptools
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from barograph.transport.http import problems
from barograph.transport.http.deadlines import Deadlines
from barograph.transport.leaving import leave


def _refusal(status: int, detail: str, *more: tuple[bytes, bytes]) -> bytes:
    """The whole answer to a request that no application sees; the connection ends with it."""
    _, headers, body = problems.answer(status, detail, headers=[*more, (b"connection", b"close")])
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, HTTPStatus(status).phrase.encode(), lines, body)


_UNREADABLE = _refusal(400, "this is not a request of HTTP/1.1 (RFC 9112)")
_NOT_ONE_HOST = _refusal(
    400, "exactly one host is to be named, in one Host header (RFC 9112, section 3.2)"
)
_REQUEST_TIMEOUT = _refusal(408, "the rest of the request did not come in time")
_HEADERS_TOO_LARGE = _refusal(431, "request line and headers are longer than this server reads")
_TOO_MANY = _refusal(
    503,
    "too many connections are open, in all or from this address",
    (b"retry-after", b"10"),
)
_CONNECT = b"CONNECT"
_DEFECT = "The shortcut failed; the request goes the long way"
_HEADS_MAX = 4
"""Heads remembered per connection: a device's differ in `Content-Length` only."""


class _Head:
    """A request's head as it came, and what it was found to mean."""

    __slots__ = ("bytes", "prepared")

    def __init__(self, data: bytes, prepared: object) -> None:
        self.bytes = data
        self.prepared = prepared


class _Answers:
    """What a cycle of uvicorn's writes its answer to; it closes the connection after the last one."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


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
        self._held_bytes = 0
        self._in_head = False
        self._in_body = False
        self._got_body = False
        self._requests = 0
        self._short: ASGI3Application | None = None
        self._prepared: object | None = None
        self._heads: dict[int, _Head] = {}
        self._answering = False
        self._held = b""
        self._ending = False
        self._pauses = 0
        self._unsent: tuple[int, int] | None = None
        self._unsent_since = self._since
        self._answers: _Answers | None = None
        if not self.deadlines.admit(self, self._address):
            transport.write(_TOO_MANY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadlines.release(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        since, self._since = self._since, self.loop.time()
        if self._answering:
            self._held += data
            self.flow.pause_reading()
            return
        head = self._heads.get(len(data))
        if head is not None and data.startswith(head.bytes) and self._is_at_rest():
            self._answer_again(head, data)
        else:
            self._parse(data, since)

    def _parse(self, data: bytes, since: float) -> None:
        at_rest, in_body, requests = self._is_at_rest(), self._in_body, self._requests
        self._read_bytes = len(data)
        self._got_body = False
        self._feed(data)
        if self._in_head:
            # What llhttp holds of an unfinished header block; whole ones passed `on_header`.
            if in_body or self._requests != requests:  # `data` began with what came before it
                self._held_bytes = self._bytes_of_head()
            else:
                self._held_bytes += len(data)
        elif self._in_body:
            # Trailers and chunk extensions, of which there may be no end either.
            if in_body and self._requests == requests and not self._got_body:
                self._held_bytes += len(data)
            else:
                self._held_bytes = 0
        else:
            self._held_bytes = 0
            if at_rest and self._requests == requests:
                self._since = since  # blank lines: nothing was asked
            elif at_rest and self._prepared is not None and self._requests == requests + 1:
                self._remember(data)
        if self._held_bytes > self.deadlines.limits.header_bytes_max:
            self._refuse(_HEADERS_TOO_LARGE)

    def _feed(self, data: bytes) -> None:
        """As uvicorn does, but that a protocol which is offered, and not ours, is ignored."""
        self._unset_keepalive_if_required()
        rest: bytes | memoryview = data
        try:
            while rest:
                rest = self._feed_some(rest)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _feed_some(self, data: bytes | memoryview) -> bytes | memoryview:
        """What follows a head that offers another protocol; nothing where there is none."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self.parser.get_method() == _CONNECT:
                self.transport.close()
            else:
                self._begin_without_offer()
                return memoryview(data)[upgrade.args[0] :]
        return b""

    def send_400_response(self, msg: str) -> None:
        """As uvicorn does, but with a problem document, and once."""
        self.logger.warning(msg)
        self._refuse(_UNREADABLE)

    def _begin_without_offer(self) -> None:
        """Have a request that offers another protocol read as any other (RFC 9110, section 7.8).

        The parser stops at such a head, as if no body of ours came after it. Java's client offers
        HTTP/2 with each first request to a server.
        """
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += (name, b": ", value, b"\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join((*head, b"\r\n")))

    def _bytes_of_head(self) -> int:
        """The request line, the headers and the blank line, each with its line's end."""
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        fields = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        return line + fields + len("\r\n")

    def _says_which_host(self) -> bool:
        """Whether it names one host, or is of an HTTP that knows none."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts:
            return self.parser.get_http_version() == "1.0"
        # A target may be a whole address, as proxies are asked: then its host is the one that counts.
        _, whole, rest = self.url.partition(b"?")[0].partition(b"://")
        named = rest.partition(b"/")[0] if whole and self.url[:1] != b"/" else hosts[0]
        return len(hosts) == 1 and named.lower() == hosts[0].lower()

    def _is_at_rest(self) -> bool:
        """Whether all that was asked is answered, and the next byte begins a request."""
        return (
            not self._in_head
            and not self._in_body
            and self._is_answered()
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _is_answered(self) -> bool:
        return not self._requests or self.cycle.response_complete

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
        ):
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            self._heads[len(data)] = _Head(data[:stop], self._prepared)

    def _answer_again(self, head: _Head, data: bytes) -> None:
        shortcut = self.deadlines.shortcut
        assert shortcut is not None
        self._unset_keepalive_if_required()
        self._answering = True
        try:
            taken = shortcut(head.prepared, data[len(head.bytes) :], self._respond_again)
        except Exception:
            self.logger.exception(_DEFECT)
            taken = False
        if not taken:
            self._answering = False
            self._parse(data, self._since)

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
        self._held_bytes = 0
        self._head_since = self._since

    def on_headers_complete(self) -> None:
        offer = self.parser.should_upgrade()
        if offer and not self._should_upgrade() and self.parser.get_method() != _CONNECT:
            return  # it begins anew, see `_begin_without_offer`
        self._in_head = False
        limit = self.deadlines.limits.header_bytes_max
        # The count is asked for where it may matter only: what came with this read or before it.
        if self._held_bytes + self._read_bytes > limit and self._bytes_of_head() > limit:
            self._refuse(_HEADERS_TOO_LARGE)
            return
        if not self._says_which_host():
            self._refuse(_NOT_ONE_HOST)
            return
        self._in_body = True
        super().on_headers_complete()
        if not offer:
            self._requests += 1
            self.headers = []  # what comes now are trailers, which are no headers

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        shortcut = self.deadlines.shortcut
        # A request that had to wait for the answer before it is complete by now, and goes to ASGI;
        # so does one whose sender takes no answers, for ASGI waits until it does.
        if (
            shortcut is not None
            and cycle is self.cycle
            and self._in_body
            and not self.flow.write_paused
        ):
            self._prepared = shortcut.prepare(cast("Scope", cycle.scope))
            if self._prepared is not None:
                self._short = app
                return
        if self._answers is None:
            self._answers = _Answers(self.transport, self._close)
        cycle.transport = cast("asyncio.Transport", self._answers)
        super()._start_asgi_task(cycle, app)

    def _close(self) -> None:
        """Close after an answer, such that who still sends the body of its request can read it."""
        if self._in_body and not self.pipeline:
            leave(self.transport, self)
        else:
            self.transport.close()

    def _answer_shortly(self, app: ASGI3Application) -> None:
        cycle, shortcut = self.cycle, self.deadlines.shortcut
        assert shortcut is not None
        try:
            taken = shortcut(self._prepared, bytes(cycle.body), partial(self._respond, cycle))
        except Exception:
            self.logger.exception(_DEFECT)
            taken = False
        if not taken:
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

    def handle_websocket_upgrade(self) -> None:
        """Hand the socket over; from here on it is the other protocol's to bound."""
        make = self._websocket()
        if make is None or not self._is_answered() or self.transport.is_closing():
            self.transport.close()  # it asks before it has its answers, or was refused
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
        self._got_body = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return  # of an offer, see `on_headers_complete`
        self._in_body = False
        if not self.transport.is_closing():
            super().on_message_complete()
            if self._short is not None:
                app, self._short = self._short, None
                self._answer_shortly(app)

    def pause_writing(self) -> None:
        self._pauses += 1
        super().pause_writing()

    def enforce(self, now: float) -> None:
        """Close the connection if what it owes is overdue at `now` (the loop's time)."""
        if self._takes_nothing(now):
            self.transport.abort()
        if self.transport.is_closing():
            return
        limits = self.deadlines.limits
        waited = now - self._since
        if self._in_head:
            if now - self._head_since > limits.header_seconds_max:
                self._refuse(_REQUEST_TIMEOUT)
        elif self._in_body:
            if waited > limits.body_idle_seconds_max and not self.flow.read_paused:
                self._refuse(_REQUEST_TIMEOUT)
        elif not self._requests:
            if waited > limits.header_seconds_max:
                self.transport.close()
        elif waited > limits.idle_seconds_max and not self._answering and self._is_at_rest():
            self.transport.close()  # as uvicorn's timer does, which remembered heads do not set

    def _takes_nothing(self, now: float) -> bool:
        """Whether answers wait, and for too long nothing of them was taken."""
        if not self.flow.write_paused and not self.transport.is_closing():
            self._unsent = None
            return False
        # While writing is paused, what waits becomes only less.
        unsent = (self._pauses, self.transport.get_write_buffer_size())
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > self.deadlines.limits.answer_idle_seconds_max

    def _refuse(self, answer: bytes) -> None:
        """Close the connection, with `answer` to the request that is being read if it has none."""
        if not self.transport.is_closing():
            begun = self._requests and self.cycle.response_started
            if not begun if self._in_body else self._is_answered():
                self.transport.write(answer)
            self.transport.close()
