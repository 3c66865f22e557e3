"""Serves an application over HTTP, on sockets that are bound here."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, MappingProxyType

import uvicorn
from starlette.types import ASGIApp

from barograph.domain.errors import ConfigurationError
from barograph.domain.limits import Limits
from barograph.transport.http.connection import BoundedProtocol
from barograph.transport.http.deadlines import Deadlines, Shortcut, WebSockets

_BACKLOG = 2048
_GRACE_SECONDS = 10


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
