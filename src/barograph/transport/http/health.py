"""`/healthz` and `/readyz`: whether the program lives, and whether it can do its work."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from barograph.domain.errors import Unavailable
from barograph.services.core import Core
from barograph.transport.http.problems import responses
from barograph.transport.http.query import answer


class Alive(BaseModel):
    """The program answers."""

    status: str
    worker: int | None = None
    """Which of several processes answered."""


class Ready(BaseModel):
    """The program can store and answer."""

    status: Literal["ok", "degraded"]
    """`degraded`: something else that was set up does not work, and is named."""
    mqtt_bridge: str | None = None
    """Where there is a bridge: `connected`, or what keeps it from its broker."""
    away: list[str] = []
    """What else does not answer, Redis or the broker of jobs, and what that means."""


def router(core: Core) -> APIRouter:
    """For whatever watches over the program; neither needs a credential."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", response_model=Alive, summary="Alive?")
    async def alive() -> Response:
        """The program answers requests."""
        worker = core.telemetry.worker
        return answer({"status": "ok"} if worker is None else {"status": "ok", "worker": worker})

    @routes.get("/readyz", response_model=Ready, responses=responses(503), summary="Ready?")
    def ready() -> Response:
        """The catalog answers and readings can be stored, found out by looking.

        A bridge without its MQTT broker is `degraded` and not a 503: the program still takes
        readings over HTTP and answers, and taking it out of service would help nobody.
        """
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
        return answer(told)

    return routes
