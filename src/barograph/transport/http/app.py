"""The HTTP application: the bare ingest path in front of FastAPI's routes.

Outermost stand the rules that hold for every path: a trailing slash is ignored, a request's
headers say who asks (`access.py`), errors become problem documents (`problems.py`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from barograph import __version__
from barograph.domain.errors import BarographError
from barograph.services.core import Core
from barograph.transport.http import (
    analytics,
    assets,
    audit,
    auth,
    commands,
    dashboards,
    data,
    devices,
    health,
    ingest_schema,
    jobs,
    latest,
    live,
    metrics,
    problems,
    reports,
    sharing,
    users,
)
from barograph.transport.http.access import Access
from barograph.transport.http.ingest import HttpIngest, catch_up, device_in, too_large
from barograph.transport.http.live_streams import LiveStreams
from barograph.transport.http.paths import encode_slashes, keep_slashes

_OWN_PATHS = ("/api/", "/auth")
"""Where bodies are bounded here. The older systems refuse a large one in their own words."""

_UNCHANGING_PATHS = ("/ui/static/", "/healthz", "/readyz", "/metrics")
"""Whose answers do not depend on what other processes have changed just now."""

RouterFactory = Callable[[Core], APIRouter]

_ROUTERS: Sequence[RouterFactory] = (
    auth.router,
    users.router,
    devices.router,
    sharing.router,
    commands.router,
    data.router,
    latest.router,
    analytics.router,
    jobs.router,
    reports.router,
    assets.router,
    audit.router,
    dashboards.router,
    health.router,
    metrics.router,
)


class HttpApplication:
    """An ASGI application."""

    def __init__(self, core: Core, access: Access, extra: Sequence[RouterFactory] = ()) -> None:
        """`extra` routers (the dashboard, the source systems) come after our own API's."""
        self._ingest = HttpIngest(core, access)
        self._bytes_max = core.limits.body_bytes_max
        self._registry = core.registry
        self.streams = LiveStreams(core.live, core.registry, core.clock, core.limits)
        """The open live streams; who stops the server closes them."""
        watch: RouterFactory = partial(live.router, streams=self.streams)
        factories = (*_ROUTERS, watch, *extra)
        self.fastapi = _fastapi(core, access, self._ingest, factories)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request on its way."""
        if scope["type"] == "http":
            keep_slashes(scope)
            path: str = scope["path"]
            if path[-1:] == "/" and len(path) > 1:
                path = scope["path"] = path[:-1]
            device = device_in(path) if scope["method"] == "POST" else None
            if device is not None:
                await self._ingest(scope, receive, send, device)
                return
            scope["path"] = encode_slashes(path)
            if path.startswith(_OWN_PATHS):
                error = self._too_large(scope)
                if error is not None:
                    status, headers, body = problems.problem_response(error, path)
                    await send(
                        {"type": "http.response.start", "status": status, "headers": headers}
                    )
                    await send({"type": "http.response.body", "body": body})
                    return
                receive = self._bounded(receive)
            if self._registry.follows and not path.startswith(_UNCHANGING_PATHS):
                await catch_up(self._registry)
        await self.fastapi(scope, receive, send)

    def _bounded(self, receive: Receive) -> Receive:
        """`receive` for bodies that do not say how long they are."""
        left = self._bytes_max

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, str(too_large(self._bytes_max)))
            return message

        return bounded

    def _too_large(self, scope: Scope) -> BarographError | None:
        """The error for a body that says it is over the limit."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._bytes_max:
                return too_large(self._bytes_max)
        return None


def _fastapi(
    core: Core, access: Access, ingest: HttpIngest, factories: Sequence[RouterFactory]
) -> FastAPI:
    app = FastAPI(
        title="Barograph",
        version=__version__,
        summary="A self-hosted telemetry server",
        description="Devices send over MQTT, too: see [its topics](/docs/mqtt), or "
        "[AsyncAPI](/asyncapi.json) for programs.",
        redirect_slashes=False,
        docs_url=None,  # the dashboard has the page, with its files in the package
        redoc_url=None,
    )
    app.state.access = access
    app.openapi = partial(_schema, app, app.openapi)  # type: ignore[method-assign]  # FastAPI's way
    problems.install(app)
    app.include_router(ingest_schema.router(ingest))
    for factory in factories:
        app.include_router(factory(core))
    return app


def _schema(app: FastAPI, plain: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The schema with the credential in it, which no route may need on loopback."""
    if app.openapi_schema is None:
        schema = plain()
        schema["components"]["securitySchemes"] = {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A device's token, an API token or an access token from POST /auth.",
            }
        }
        schema["security"] = [{}, {"token": []}]
    return app.openapi_schema or plain()
