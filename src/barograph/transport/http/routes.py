"""Every route of FastAPI, and the OpenAPI schema of the whole.

Imported and made when it is first needed (`app.py`): FastAPI, pydantic and all the routes are half
of what a start costs, and neither readings nor `/readyz` wait for them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from barograph import __version__
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
    health_schema,
    ingest_schema,
    jobs,
    latest,
    live,
    metrics,
    problem_documents,
    reports,
    retention,
    schedules,
    sharing,
    users,
)
from barograph.transport.http.access import Access
from barograph.transport.http.ingest import HttpIngest
from barograph.transport.http.joined import joined
from barograph.transport.http.live_streams import LiveStreams

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
    schedules.router,
    assets.router,
    audit.router,
    dashboards.router,
    retention.router,
    health_schema.router,
    metrics.router,
)


def make(
    core: Core,
    access: Access,
    ingest: HttpIngest,
    streams: LiveStreams,
    extra: Sequence[RouterFactory] = (),
) -> FastAPI:
    """Our own API's routes, then the `extra` ones (the dashboard, the source systems)."""
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
    app.state.streams = streams
    app.openapi = partial(_schema, app, app.openapi)  # type: ignore[method-assign]  # FastAPI's way
    problem_documents.install(app)
    watch: RouterFactory = partial(live.router, streams=streams)
    parts = [factory(core) for factory in (*_ROUTERS, watch, *extra)]
    app.routes.extend(joined(ingest_schema.router(ingest), *parts).routes)
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
