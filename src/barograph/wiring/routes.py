"""FastAPI's routes: our own API, the pages, the older systems.

`program` imports this module when the routes are first needed; see `transport.http.routes`.
"""

from functools import partial

from fastapi import FastAPI

from barograph.config import Settings
from barograph.services.backups import Backups
from barograph.services.core import Core
from barograph.services.system import System
from barograph.transport.http import admin, routes
from barograph.transport.http.access import Access
from barograph.transport.http.ingest import HttpIngest
from barograph.transport.http.live_streams import LiveStreams
from barograph.transport.http.systems.routers import routers as routers_of_systems
from barograph.transport.web.router import router as web_router
from barograph.transport.web.snippets import MqttAddress
from barograph.wiring.mqtt import description


def make_routes(
    settings: Settings,
    core: Core,
    access: Access,
    backups: Backups,
    system: System,
    mqtt_address: MqttAddress | None,
    ingest: HttpIngest,
    streams: LiveStreams,
) -> FastAPI:
    """The routes that the settings ask for."""
    pages = partial(
        web_router,
        system=system,
        newest_page="parameters" in settings.apis,
        mqtt=mqtt_address,
        describe_mqtt=description(settings, mqtt_address),
    )
    systems = routers_of_systems(settings.apis, parameters_count=settings.parameters_n)
    extra: list[routes.RouterFactory] = [partial(admin.router, backups=backups), pages, *systems]
    return routes.make(core, access, ingest, streams, extra)
