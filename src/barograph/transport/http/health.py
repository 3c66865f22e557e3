"""Whether the program lives, and whether it can do its work: answered without FastAPI.

So whoever watches over the program is told it is ready as soon as it is.
"""

import asyncio

import msgspec
from starlette.types import Scope, Send

from barograph.domain.errors import BarographError, Unavailable
from barograph.services.core import Core
from barograph.transport.http.problems import Headers, problem_response

_encode = msgspec.json.Encoder().encode


class Health:
    """`GET /healthz` and `GET /readyz`; neither needs a credential."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer the request, if it is for one of the two."""
        path: str = scope["path"]
        if path not in {"/healthz", "/readyz"} or scope["method"] != "GET":
            return False
        try:
            told = self.alive() if path == "/healthz" else await asyncio.to_thread(self.ready)
            status, headers, body = _json(told)
        except BarographError as error:
            status, headers, body = problem_response(error, path)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return True

    def alive(self) -> dict[str, object]:
        """That the program answers, and which of several processes this is."""
        worker = self._core.telemetry.worker
        return {"status": "ok"} if worker is None else {"status": "ok", "worker": worker}

    def ready(self) -> dict[str, object]:
        """That the catalog answers and readings can be stored, found out by looking.

        Raises `Unavailable` where they cannot.
        """
        core = self._core
        core.catalog.check()
        health = core.store.health()
        if not health.writable:
            raise Unavailable(f"readings cannot be stored now: {health.detail}")
        bridge = core.telemetry.mqtt_bridge
        away = [problem for look in core.degradations if (problem := look()) is not None]
        told: dict[str, object] = {"status": "degraded" if bridge or away else "ok"}
        if bridge is not None:
            told["mqtt_bridge"] = bridge or "connected"
        if away:
            told["away"] = away
        return told


def _json(told: dict[str, object]) -> tuple[int, Headers, bytes]:
    body = _encode(told)
    return (
        200,
        [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        body,
    )
