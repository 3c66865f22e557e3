"""Builds the server."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.jobs.in_process import InProcessRunner
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore
from barograph.services.backups import Backups
from barograph.services.core import Core
from barograph.services.housekeeping import Housekeeping
from barograph.services.system import System
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.copying import MARK
from barograph.transport.http.access import Access
from barograph.transport.http.app import HttpApplication
from barograph.transport.http.ingest import HttpIngest
from barograph.transport.http.live_streams import LiveStreams
from barograph.transport.http.short_ingest import ShortIngest
from barograph.transport.mqtt.bridge import MqttBridge
from barograph.transport.mqtt.listener import MqttListener
from barograph.transport.mqtt.storage import copy as copy_sessions
from barograph.transport.web.snippets import MqttAddress
from barograph.wiring.chores import chores_of, commands_from_others, note_last
from barograph.wiring.clock import now
from barograph.wiring.mqtt import make_bridge, make_listener
from barograph.wiring.processes import Place, between_processes, check_processes
from barograph.wiring.services import build_core
from barograph.wiring.stores import (
    BACKUPS_DIRECTORY,
    MQTT_FILE,
    is_on_server,
    keep_apart,
    left_out,
    open_catalog,
    open_readings,
    prepare,
)

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Program:
    """The running program: its core, its HTTP application, and how to end it."""

    core: Core
    access: Access
    app: HttpApplication
    shortcut: ShortIngest
    mqtt: MqttListener | None
    """In the first of several processes only."""
    bridge: MqttBridge | None
    close: Callable[[], None]
    """Commits what was accepted and releases everything; call it once."""


def build(
    settings: Settings,
    clock: Clock = now,
    *,
    mqtt_address: MqttAddress | None = None,
    place: Place | None = None,
) -> Program:
    """Open the stores, build the services and start the background work.

    `mqtt_address` is where devices publish, which the pages tell; `place` which of several
    processes this is.

    Raises `ConfigurationError` where the settings cannot work.
    """
    check_processes(settings)
    prepare(settings.data_dir)
    with ExitStack() as opened:
        store, catalog = _opened_stores(settings, opened)
        between = between_processes(settings, catalog, store, clock, opened)
        runner = None if settings.celery_broker else InProcessRunner(settings.job_workers)
        core = build_core(settings, catalog, store, between, runner, clock, place, opened)
        token = None if place is None else place.operator_token
        access = Access(core.registry, core.accounts, settings.auth, [settings.host], token)
        backups = Backups(
            None if is_on_server(settings.database_url) else catalog,
            None if is_on_server(settings.readings_url) else store,
            settings.data_dir / BACKUPS_DIRECTORY,
            clock,
            partial(copy_sessions, settings.data_dir / MQTT_FILE),
            left_out(settings),
        )
        system = System(
            catalog,
            store,
            core.registry,
            between.latest,
            core.telemetry,
            lambda: core.writer.backlog,
            backups,
            clock,
            core.limits,
            settings.data_dir,
            between.degradations,
        )

        def make_routes(ingest: HttpIngest, streams: LiveStreams) -> "FastAPI":
            from barograph.wiring import routes  # noqa: PLC0415  # half of what a start would cost

            return routes.make_routes(
                settings, core, access, backups, system, mqtt_address, ingest, streams
            )

        app = HttpApplication(core, access, make_routes)
        bridge = make_bridge(core, access, settings, place) if settings.mqtt_bridge else None
        first = place is None or place.number == 0
        served = settings.mqtt and bridge is None and first
        mqtt = make_listener(core, access, settings, opened) if served else None
        chores = [*chores_of(core, system, settings), *between.chores]
        if mqtt is not None and core.registry.follows:
            chores.append(commands_from_others(core))
        housekeeping = Housekeeping(chores, between.my_turn)
        if runner is not None:
            runner.start(core.jobs)
            opened.callback(runner.stop)
        if place is not None and place.siblings is not None:
            from barograph.transport.http.metrics import counted  # noqa: PLC0415  # with the routes

            place.siblings.serve(counted(core))
        if first and between.presence is not None:
            between.presence.began()
        opened.callback(note_last, core, between)
        housekeeping.start()
        opened.callback(housekeeping.close)
        close = opened.pop_all().close
    return Program(core, access, app, ShortIngest(core, access), mqtt, bridge, close)


def _opened_stores(settings: Settings, opened: ExitStack) -> tuple[ReadingStore, SqlCatalog]:
    store = open_readings(settings)
    opened.callback(store.close)
    catalog = open_catalog(settings)
    opened.callback(catalog.close)
    if catalog.secrets.get(MARK) is not None:
        raise ConfigurationError(
            "a move into this catalog did not finish: run the same barograph move again"
        )
    keep_apart(catalog, store)
    return store, catalog
