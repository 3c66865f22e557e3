"""`/metrics`: what the program counts about itself, for Prometheus."""

from functools import cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from barograph.domain.user import require_admin
from barograph.services.core import Core
from barograph.transport.http.problems import responses
from barograph.transport.http.users import Asker

if TYPE_CHECKING:
    from barograph.transport.http.exposition import Exposition


def router(core: Core) -> APIRouter:
    """For administrators and the local operator; a scraper uses an administrator's API token."""
    routes = APIRouter(tags=["health"])

    @cache
    def exposition() -> "Exposition":
        from barograph.transport.http.exposition import Exposition  # noqa: PLC0415  # when scraped

        return Exposition(core)

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={
            **responses(401, 403),
            200: {"description": "Prometheus text format.", "content": {"text/plain": {}}},
        },
        summary="Counters for Prometheus",
    )
    def show(asker: Asker) -> Response:
        """What the program counts about itself, and what it uses of the machine."""
        require_admin(asker)
        found = exposition()
        return Response(found.text(), headers={"Content-Type": found.content_type})

    return routes
