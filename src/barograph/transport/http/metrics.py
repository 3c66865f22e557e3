"""`/metrics`: what the program counts about itself, for Prometheus."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from barograph.domain.user import require_admin
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.users import Asker

if TYPE_CHECKING:
    from barograph.transport.http.exposition import Exposition


def counted(core: Core) -> Callable[[], bytes]:
    """Tells what this process counts, to the others on its port."""

    def tell() -> bytes:
        from barograph.transport.http.exposition import Exposition  # noqa: PLC0415  # when scraped

        return Exposition(core).of_this_process()

    return tell


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
        """What the program counts about itself, and what it uses of the machine.

        With several processes on the port the answer is about all of them, whichever was asked:
        each sample has the label `worker`, and `barograph_worker_up` says whether it answered.
        """
        require_admin(asker)
        found = exposition()
        return Response(found.text(), headers={"Content-Type": found.content_type})

    return routes
