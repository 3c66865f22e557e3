"""`/healthz` and `/readyz`: whether the program lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from barograph.domain.errors import Unavailable
from barograph.services.core import Core
from barograph.transport.http.problems import responses
from barograph.transport.http.query import answer


class Alive(BaseModel):
    """The program answers."""

    status: str


def router(core: Core) -> APIRouter:
    """For whatever watches over the program; neither needs a credential."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", response_model=Alive, summary="Alive?")
    async def alive() -> Response:
        """The program answers requests."""
        return answer({"status": "ok"})

    @routes.get("/readyz", response_model=Alive, responses=responses(503), summary="Ready?")
    def ready() -> Response:
        """The catalog answers and readings can be stored, found out by looking."""
        core.catalog.check()
        health = core.store.health()
        if not health.writable:
            raise Unavailable(f"readings cannot be stored now: {health.detail}")
        return answer({"status": "ok"})

    return routes
