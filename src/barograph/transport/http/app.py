"""The HTTP application: readings in and health answered at once, everything else by FastAPI's routes.

Outermost stand the rules that hold for every path: a trailing slash is ignored, HEAD is GET without
a body, a request's headers say who asks (`access.py`), errors become problem documents
(`problems.py`).
"""

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from starlette.types import Message, Receive, Scope, Send

from barograph.domain.errors import TooLarge
from barograph.services.core import Core
from barograph.transport.http.access import Access
from barograph.transport.http.health import Health
from barograph.transport.http.ingest import HttpIngest, catch_up, device_in
from barograph.transport.http.live_streams import LiveStreams
from barograph.transport.http.paths import encode_slashes, keep_slashes
from barograph.transport.http.problems import problem_response
from barograph.transport.http.request_body import bounded, check_length

if TYPE_CHECKING:
    from fastapi import FastAPI

_OWN_PATHS = ("/api/", "/auth")
"""Where bodies are bounded here. The older systems and the pages refuse a large one in their own
words."""

_UNCHANGING_PATHS = ("/ui/static/", "/healthz", "/readyz", "/metrics")
"""Whose answers do not depend on what other processes have changed just now."""

MakeRoutes = Callable[[HttpIngest, LiveStreams], "FastAPI"]


class HttpApplication:
    """An ASGI application."""

    def __init__(self, core: Core, access: Access, make_routes: MakeRoutes) -> None:
        """`make_routes` is called once, when the routes are first needed."""
        self._ingest = HttpIngest(core, access)
        self._health = Health(core)
        self._bytes_max = core.limits.body_bytes_max
        self._registry = core.registry
        self.streams = LiveStreams(core.live, core.registry, core.clock, core.limits)
        """The open live streams; who stops the server closes them."""
        self._make_routes = make_routes
        self._making = Lock()
        self._routes: FastAPI | None = None

    @property
    def routes(self) -> "FastAPI":
        """The routes, made by the first who asks, which takes half a second."""
        with self._making:
            if self._routes is None:
                self._routes = self._make_routes(self._ingest, self.streams)
            return self._routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request on its way."""
        if scope["type"] == "http":
            if scope["method"] == "HEAD":
                scope, receive, send = _without_body(scope, send)
            keep_slashes(scope)
            path: str = scope["path"]
            if path[-1:] == "/" and len(path) > 1:
                path = scope["path"] = path[:-1]
            device = device_in(path) if scope["method"] == "POST" else None
            if device is not None:
                await self._ingest(scope, receive, send, device)
                return
            if await self._health(scope, send):
                return
            scope["path"] = encode_slashes(path)
            if path.startswith(_OWN_PATHS):
                try:
                    check_length(scope, self._bytes_max)
                except TooLarge as error:
                    status, headers, body = problem_response(error, path)
                    await send(
                        {"type": "http.response.start", "status": status, "headers": headers}
                    )
                    await send({"type": "http.response.body", "body": body})
                    return
                receive = bounded(receive, self._bytes_max)
            if self._registry.follows and not path.startswith(_UNCHANGING_PATHS):
                await catch_up(self._registry)
        routes = self._routes
        if routes is None:
            routes = await asyncio.to_thread(lambda: self.routes)
        await routes(scope, receive, send)


def _without_body(scope: Scope, send: Send) -> tuple[Scope, Receive, Send]:
    """A HEAD request as the GET request that it stands for (RFC 9110, 9.3.2).

    The answer ends with its headers, and whoever makes it hears that nobody listens any more, so
    that an endless one ends, too.
    """
    answered = asyncio.Event()

    async def receive() -> Message:
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})
            answered.set()

    return {**scope, "method": "GET"}, receive, send_headers
