"""`/healthz` and `/readyz` as FastAPI and its OpenAPI schema know them.

The application answers these requests before FastAPI sees them (`health.py`); these routes describe
them, and refuse other methods.
"""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from barograph.services.core import Core
from barograph.transport.http.health import Health
from barograph.transport.http.problem_documents import responses
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
    health = Health(core)

    @routes.get("/healthz", response_model=Alive, summary="Alive?")
    async def alive() -> Response:
        """The program answers requests."""
        return answer(health.alive())

    @routes.get("/readyz", response_model=Ready, responses=responses(503), summary="Ready?")
    def ready() -> Response:
        """The catalog answers and readings can be stored, found out by looking.

        A bridge without its MQTT broker is `degraded` and not a 503: the program still takes
        readings over HTTP and answers, and taking it out of service would help nobody.
        """
        return answer(health.ready())

    return routes
