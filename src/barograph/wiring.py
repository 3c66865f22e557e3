"""Builds the program from settings; the only file that names a concrete store."""

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barograph.config import Settings, length_text
from barograph.domain.batch import Batch
from barograph.domain.errors import ConfigurationError
from barograph.domain.period import Period
from barograph.domain.report import Way
from barograph.domain.time import DAY, MINUTE, SECOND, parse_zone
from barograph.jobs.in_process import InProcessRunner
from barograph.ports.clock import Clock
from barograph.ports.job_queue import JobQueue
from barograph.ports.notifier import Notifier
from barograph.ports.processes import Tries
from barograph.ports.reading_store import ReadingStore
from barograph.services.access_tokens import AccessTokens
from barograph.services.accounts import Accounts
from barograph.services.analytics import Analytics
from barograph.services.analytics_job import AnalyticsJob
from barograph.services.assets import AssetService
from barograph.services.backups import Backups
from barograph.services.commands import CommandService
from barograph.services.core import Core
from barograph.services.dashboards import DashboardService
from barograph.services.devices import DeviceService
from barograph.services.following import Follower
from barograph.services.housekeeping import Chore, Housekeeping
from barograph.services.ingest import Ingest
from barograph.services.jobs import JobService, Kind
from barograph.services.latest import Latest, SharedLatest
from barograph.services.live import InProcessLiveBus
from barograph.services.metrics import MetricService
from barograph.services.passwords import Passwords
from barograph.services.presence import Presences
from barograph.services.rate_limit import MemoryTries
from barograph.services.readings import Readings
from barograph.services.refusals import Refusals
from barograph.services.registry import Registry
from barograph.services.relayed_live import RelayedLiveBus
from barograph.services.report_delivery import Deliveries, ReportDelivery
from barograph.services.report_making import ReportMaking
from barograph.services.reports import ReportService
from barograph.services.schedules import ScheduleService
from barograph.services.sharing import DeviceSharing
from barograph.services.system import SAMPLE_SECONDS, System
from barograph.services.telemetry import Telemetry
from barograph.services.turn import Turn
from barograph.services.user_statistics import UserStatistics
from barograph.services.writer import Writer
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.copying import MARK, CatalogCopy
from barograph.stores.readings.sql import Sizes, SqlReadingStore
from barograph.transport.http import admin
from barograph.transport.http.access import Access
from barograph.transport.http.app import HttpApplication
from barograph.transport.http.short_ingest import ShortIngest
from barograph.transport.http.systems.routers import routers as routers_of_systems
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.arrivals import Arrivals
from barograph.transport.mqtt.asyncapi import describe, servers_at
from barograph.transport.mqtt.bridge import BridgeOptions, MqttBridge
from barograph.transport.mqtt.bridge_state import BridgeState
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.listener import MqttListener
from barograph.transport.mqtt.storage import MqttStorage
from barograph.transport.mqtt.storage import copy as copy_sessions
from barograph.transport.mqtt.tls import TlsCertificate
from barograph.transport.mqtt.topics import Template, Topics
from barograph.transport.notifiers.smtp import SmtpNotifier
from barograph.transport.notifiers.webhook import WebhookNotifier
from barograph.transport.reports.forms import RENDERERS
from barograph.transport.reports.notice import composer
from barograph.transport.web.router import router as web_router
from barograph.transport.web.snippets import MqttAddress

if TYPE_CHECKING:
    from celery import Celery

    from barograph.jobs.celery_worker import CeleryWorker

logger = logging.getLogger(__name__)

CATALOG_FILE = "data.db"
MQTT_FILE = "mqtt.db"
BRIDGE_FILE = "mqtt-bridge.json"
READINGS_DIRECTORY = "readings"
BACKUPS_DIRECTORY = "backups"
_CHANGES_KEPT = 10_000
_RELAYED_KEPT = 3
"""How many times more relayed readings the database keeps than each process: for those behind."""
_HELD_READING_BYTES = 32
_DUE_SECONDS = 5.0
"""How often it is looked whether a report is due."""
_COMMANDS_KEPT = 90 * DAY


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


@dataclass(frozen=True, slots=True)
class Place:
    """Which of several processes on one port this is."""

    number: int
    operator_token: str
    """The same in all."""


def build(
    settings: Settings,
    clock: Clock | None = None,
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
    clock = clock or _now
    limits = settings.bounds()
    directory = prepare(settings.data_dir)
    with ExitStack() as opened:
        store = open_readings(settings)
        opened.callback(store.close)
        catalog = open_catalog(settings)
        opened.callback(catalog.close)
        if catalog.secrets.get(MARK) is not None:
            raise ConfigurationError(
                "a move into this catalog did not finish: run the same barograph move again"
            )

        zone = parse_zone(settings.timezone)
        telemetry = Telemetry(worker=None if place is None else place.number)
        between = _between(settings, catalog, store, clock, opened)
        registry, latest, live = between.registry, between.latest, between.live
        devices = DeviceService(catalog, registry, store, clock, limits)
        accounts = Accounts(
            catalog,
            registry,
            devices,
            Passwords(limits),
            AccessTokens(catalog.secrets, clock, lifetime=settings.access_token_minutes * MINUTE),
            clock,
            limits,
            registration=settings.registration,
            tries=between.tries,
        )
        analytics = Analytics(registry, store, clock, limits, zone)
        runner = None if settings.celery_broker else InProcessRunner(settings.job_workers)
        queue = runner or _celery_queue(settings, catalog, between, opened)
        notifiers = _notifiers(settings)
        kinds = _job_kinds(settings, catalog, registry, analytics, notifiers, clock)
        jobs = JobService(catalog, clock, limits, queue, kinds, before=registry.catch_up)
        writer = Writer(
            store,
            backlog_readings_max=limits.backlog_readings_max,
            on_commit=(latest.update, live.publish),
            telemetry=telemetry,
        )
        opened.callback(writer.close)
        core = Core(
            catalog=catalog,
            store=store,
            registry=registry,
            writer=writer,
            ingest=Ingest(registry, limits, settings.round_time),
            latest=latest,
            live=live,
            accounts=accounts,
            devices=devices,
            commands=CommandService(catalog, clock, limits),
            presence=Presences(clock),
            refusals=Refusals(clock),
            sharing=DeviceSharing(catalog, registry, clock),
            assets=AssetService(catalog, registry, clock, limits),
            metrics=MetricService(catalog, registry),
            analytics=analytics,
            dashboards=DashboardService(catalog, registry, analytics, clock),
            readings=Readings(
                registry, store, latest, clock, limits, zone, _write_parquet, accounts.audit
            ),
            jobs=jobs,
            reports=ReportService(catalog, jobs, clock, limits, RENDERERS),
            schedules=ScheduleService(
                catalog, analytics, jobs, notifiers, clock, limits, accounts.audit
            ),
            telemetry=telemetry,
            limits=limits,
            clock=clock,
            zone=zone,
            degradations=tuple(between.degradations),
        )
        access = Access(
            registry,
            accounts,
            settings.auth,
            [settings.host],
            None if place is None else place.operator_token,
        )
        backups = Backups(
            catalog,
            store,
            directory / BACKUPS_DIRECTORY,
            clock,
            partial(copy_sessions, directory / MQTT_FILE),
        )
        admin_router = partial(admin.router, backups=backups)
        system = System(
            catalog,
            store,
            registry,
            latest,
            telemetry,
            lambda: writer.backlog,
            backups,
            clock,
            limits,
            directory,
            between.degradations,
        )
        pages = partial(
            web_router,
            system=system,
            retention=length_text(settings.retention) if settings.retention else "",
            newest_page="parameters" in settings.apis,
            mqtt=mqtt_address,
            describe_mqtt=_mqtt_description(settings, mqtt_address),
        )
        systems = routers_of_systems(settings.apis, parameters_count=settings.parameters_n)
        app = HttpApplication(core, access, extra=(admin_router, pages, *systems))
        bridge = _bridge(core, access, settings, place) if settings.mqtt_bridge else None
        first = place is None or place.number == 0
        served = settings.mqtt and bridge is None and first
        mqtt = _mqtt(core, access, settings, opened) if served else None
        if mqtt is not None and registry.follows:
            chore = Chore("commands from other processes", core.commands.look, 0.5, everywhere=True)
            between.chores.append(chore)
        chores = [*_chores(core, settings), *between.chores, _sampling(system)]
        housekeeping = Housekeeping(chores, between.my_turn)
        if runner is not None:
            runner.start(jobs)
            opened.callback(runner.stop)
        housekeeping.start()
        opened.callback(housekeeping.close)
        close = opened.pop_all().close
    return Program(core, access, app, ShortIngest(core, access), mqtt, bridge, close)


def _mqtt(core: Core, access: Access, settings: Settings, opened: ExitStack) -> MqttListener:
    certificate = certificate_of(settings)
    storage = MqttStorage(settings.data_dir / MQTT_FILE)
    opened.callback(storage.close)
    try:
        return MqttListener(
            core,
            MqttAccess(core.registry, core.accounts, access, open=settings.auth == "open"),
            Topics(core.registry, map(Template.parse, settings.mqtt_topics)),
            storage,
            auto_create=settings.auto_create_devices,
            certificate=certificate,
        )
    except ValueError as error:
        raise ConfigurationError(f"limits of MQTT: {error}") from None


def _mqtt_description(
    settings: Settings, address: MqttAddress | None
) -> Callable[[str], dict[str, Any]]:
    """Describes what devices may publish where, for who reaches this server at an address."""
    templates = [Template.parse(one) for one in settings.mqtt_topics]
    limits = settings.bounds()

    def at(base_url: str) -> dict[str, Any]:
        servers = (
            {}
            if address is None
            else servers_at(base_url, address.port, tls=address.tls, host=address.host)
        )
        if not settings.mqtt_websocket or settings.workers > 1:
            servers.pop("websocket", None)
        return describe(templates, limits, servers)

    return at


def _bridge(core: Core, access: Access, settings: Settings, place: Place | None) -> MqttBridge:
    for name in ("mqtt_port", "mqtt_tls_certificate", "mqtt_tls_key"):
        if getattr(settings, name) is not None:
            raise ConfigurationError(
                f"{name}: with mqtt_bridge Barograph is a client of that broker and serves no MQTT "
                "itself; set one of the two"
            )
    group = core.catalog.secrets.get_or_create(
        "mqtt_bridge_group", b"barograph-" + os.urandom(8).hex().encode()
    )
    broker = BrokerAddress.parse(settings.mqtt_bridge)
    options = BridgeOptions(
        broker,
        _trust(settings.mqtt_bridge_ca) if broker.tls else None,
        user=settings.mqtt_bridge_user,
        group=settings.mqtt_bridge_group,
        default_group=group.decode(),
        first=place is None or place.number == 0,
        session_seconds=settings.mqtt_bridge_session // SECOND,
    )
    try:
        state = _bridge_state(settings, place)
        return MqttBridge(
            core,
            MqttAccess(core.registry, core.accounts, access, open=settings.auth == "open"),
            Topics(core.registry, map(Template.parse, settings.mqtt_topics)),
            state,
            Arrivals(state.path.with_suffix(".arrivals")),
            options,
            auto_create=settings.auto_create_devices,
        )
    except ValueError as error:
        raise ConfigurationError(f"mqtt_bridge: {error}") from None


def _trust(authority: Path | None) -> ssl.SSLContext:
    """Whose certificates are believed; raises `ConfigurationError`."""
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise ConfigurationError(
            f"mqtt_bridge_ca {authority}: {error.strerror or 'no certificate in PEM'}"
        ) from None


def certificate_of(settings: Settings) -> TlsCertificate | None:
    """The certificate of MQTT over TLS; raises `ConfigurationError`."""
    certificate, key = settings.mqtt_tls_certificate, settings.mqtt_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "mqtt_tls_key" if key is None else "mqtt_tls_certificate"
        raise ConfigurationError(f"{missing} is not set: TLS needs a certificate and its key")
    return TlsCertificate(certificate, key)


def catalog_url(settings: Settings) -> str:
    """Where the catalog is."""
    return settings.database_url or f"sqlite:///{settings.data_dir.absolute() / CATALOG_FILE}"


def catalog_copy(source: Settings, target: Settings) -> CatalogCopy:
    """Copies the catalog of one installation to that of another."""
    return CatalogCopy(catalog_url(source), catalog_url(target))


def series_ids(settings: Settings) -> list[int]:
    """The series that the catalog knows, in order."""
    with closing(SqlCatalog(catalog_url(settings))) as catalog:
        return [series.id for series in catalog.series.all()]


def _bridge_state(settings: Settings, place: Place | None) -> BridgeState:
    """Each process is a client of its own; the broker shares the messages out among them."""
    client_id = settings.mqtt_bridge_client_id
    if place is None or place.number == 0:
        return BridgeState(settings.data_dir / BRIDGE_FILE, client_id)
    path = (settings.data_dir / BRIDGE_FILE).with_stem(f"mqtt-bridge-{place.number}")
    return BridgeState(path, client_id and f"{client_id}-{place.number}")


@dataclass(frozen=True, slots=True)
class _Between:
    """What depends on whether other processes use the same stores."""

    registry: Registry
    latest: Latest
    live: InProcessLiveBus
    tries: Tries | None = None
    my_turn: Callable[[], bool] = lambda: True
    degradations: list[Callable[[], str | None]] = field(default_factory=list)
    chores: list[Chore] = field(default_factory=list)


def is_shared(settings: Settings) -> bool:
    """Whether other processes may write to the stores."""
    return bool(settings.readings_url) and (settings.workers > 1 or bool(settings.redis_url))


def check_processes(settings: Settings) -> None:
    """Raise `ConfigurationError` where the stores cannot be used by so many processes."""
    if settings.celery_broker and not settings.readings_url:
        raise ConfigurationError(
            "celery_broker is set, but the readings are in DuckDB, which one process only can use: "
            "set readings_url to postgresql://… or mysql://…, or leave celery_broker empty to run "
            "jobs in the server"
        )
    if settings.workers == 1:
        return
    if not settings.readings_url:
        raise ConfigurationError(
            f"workers is {settings.workers}, but the readings are in DuckDB, which one process only "
            "can use: set readings_url (and database_url) to postgresql://… or mysql://…, or workers "
            "to 1"
        )
    for name in ("readings_url", "database_url"):
        url = getattr(settings, name)
        if not url or url.startswith("sqlite"):
            raise ConfigurationError(
                f"workers is {settings.workers}, which needs a database server: set {name} to "
                "postgresql://… or mysql://…, or workers to 1"
            )


def _between(
    settings: Settings,
    catalog: SqlCatalog,
    store: ReadingStore,
    clock: Clock,
    opened: ExitStack,
) -> _Between:
    most = settings.bounds().live_backlog_events_max
    if not is_shared(settings):
        return _Between(Registry(catalog), Latest(store), InProcessLiveBus(most))
    registry = Registry(catalog, follows=True)
    latest = SharedLatest(store)
    relay, tries = catalog.relay(_RELAYED_KEPT * most), catalog.tries
    degradations: list[Callable[[], str | None]] = []
    if settings.redis_url:
        from barograph.stores.redis.relay import RedisRelay  # noqa: PLC0415  # an extra
        from barograph.stores.redis.tries import RedisTries  # noqa: PLC0415

        name = _installation(catalog)
        redis = RedisRelay(settings.redis_url, name, clock, most)
        opened.callback(redis.close)
        counted = RedisTries(settings.redis_url, name, MemoryTries())
        opened.callback(counted.close)
        relay, tries = redis, counted
        degradations.append(counted.problem)
    live = RelayedLiveBus(relay, most, registry.catch_up)
    live.subscribe(lambda _, batch: latest.update(batch))
    live.start()
    opened.callback(live.close)
    follower = Follower(registry)
    follower.start()
    opened.callback(follower.close)
    turn = Turn(catalog.turns, "housekeeping", clock)
    opened.callback(turn.end)

    def refresh() -> bool:
        latest.refresh()
        return False

    def expire_changes() -> bool:
        catalog.changes.expire(_CHANGES_KEPT)
        return False

    chores = [
        Chore("comparison of the newest values", refresh, 60.0, everywhere=True),
        Chore("removal of old changes", expire_changes, 600.0),
    ]
    return _Between(registry, latest, live, tries, turn, degradations, chores)


def _installation(catalog: SqlCatalog) -> str:
    """A name that keeps this installation apart from others on the same Redis or RabbitMQ."""
    return catalog.secrets.get_or_create("installation", os.urandom(6).hex().encode()).decode()


def _celery_queue(
    settings: Settings, catalog: SqlCatalog, between: _Between, opened: ExitStack
) -> JobQueue:
    from barograph.jobs.celery_queue import CeleryQueue  # noqa: PLC0415  # an extra

    queue = CeleryQueue(_celery(settings, catalog))
    opened.callback(queue.close)
    between.degradations.append(queue.problem)
    return queue


def _celery(settings: Settings, catalog: SqlCatalog) -> "Celery":
    from barograph.jobs.celery_app import make_app  # noqa: PLC0415  # an extra

    seconds = settings.bounds().job_seconds_max
    return make_app(settings.celery_broker, _installation(catalog), seconds)


def build_worker(settings: Settings) -> "CeleryWorker":
    """What runs the jobs that Celery announces; raises `ConfigurationError`."""
    if not settings.celery_broker:
        raise ConfigurationError(
            "barograph worker runs jobs that the server announces by Celery: set celery_broker to "
            "redis://… or amqp://…, for the server as well. Without it jobs run in the server"
        )
    check_processes(settings)
    prepare(settings.data_dir)
    # Asked for here, so that settings that cannot work are told before any process begins.
    with closing(open_catalog(settings)) as catalog:
        app = _celery(settings, catalog)
    from barograph.jobs.celery_worker import CeleryWorker  # noqa: PLC0415  # an extra

    return CeleryWorker(app, partial(_jobs_of_worker, settings, app), settings.job_workers)


@contextmanager
def _jobs_of_worker(settings: Settings, app: "Celery") -> Iterator[JobService]:
    """The jobs as a process of the worker runs them, with connections of its own."""
    from barograph.jobs.celery_queue import CeleryQueue  # noqa: PLC0415  # an extra

    limits = settings.bounds()
    with ExitStack() as opened:
        store = open_readings(settings)
        opened.callback(store.close)
        catalog = open_catalog(settings)
        opened.callback(catalog.close)
        registry = Registry(catalog, follows=True)
        analytics = Analytics(registry, store, _now, limits, parse_zone(settings.timezone))
        queue = CeleryQueue(app)
        opened.callback(queue.close)
        kinds = _job_kinds(settings, catalog, registry, analytics, _notifiers(settings), _now)
        yield JobService(catalog, _now, limits, queue, kinds, before=registry.catch_up)


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog that the settings name, in a prepared data directory."""
    return SqlCatalog(catalog_url(settings))


def _write_parquet(
    target: Path, metrics: Mapping[int, str], texts: frozenset[int], batches: Iterable[Batch]
) -> None:
    from barograph.stores.readings.parquet import write_parquet  # noqa: PLC0415  # as DuckDB

    write_parquet(target, metrics, texts, batches)


def open_readings(settings: Settings) -> ReadingStore:
    """The store of readings that the settings name, in a prepared data directory."""
    if settings.readings_url:
        return SqlReadingStore(
            settings.readings_url,
            sizes=Sizes(held=(settings.memory_limit_mb << 20) // _HELD_READING_BYTES),
        )
    # Megabytes, which who keeps readings elsewhere need not hold.
    from barograph.stores.readings.duckdb.store import DuckDBReadingStore  # noqa: PLC0415

    return DuckDBReadingStore(
        settings.data_dir / READINGS_DIRECTORY,
        memory_mb=settings.memory_limit_mb,
        threads=settings.store_threads or os.cpu_count() or 1,
    )


def prepare(directory: Path) -> Path:
    """The data directory, made where missing, for its owner's eyes only."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--data-dir {directory}: cannot be made ({error.strerror})"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"--data-dir {directory}: this user may not write there; choose another or change "
            "its owner"
        )
    return directory


def _job_kinds(
    settings: Settings,
    catalog: SqlCatalog,
    registry: Registry,
    analytics: Analytics,
    notifiers: dict[Way, Notifier],
    clock: Clock,
) -> dict[str, Kind]:
    """What jobs can be asked for."""
    limits = settings.bounds()
    return {
        "analytics": AnalyticsJob(analytics),
        UserStatistics.KIND: UserStatistics(analytics),
        ReportMaking.KIND: ReportMaking(catalog, registry, analytics, clock, limits),
        ReportDelivery.KIND: ReportDelivery(
            catalog, notifiers, RENDERERS, composer(settings.public_url), clock, limits
        ),
    }


def _notifiers(settings: Settings) -> dict[Way, Notifier]:
    """The ways to tell somebody that are configured."""
    found: dict[Way, Notifier] = {}
    if settings.smtp_url or settings.mail_from:
        found["email"] = SmtpNotifier(settings.smtp_url, settings.mail_from)
    if settings.webhooks:
        found["webhook"] = WebhookNotifier(settings.webhooks, settings.webhook_secret)
    return found


def _sampling(system: System) -> Chore:
    def sample() -> bool:
        system.sample()
        return False

    return Chore("count of what came in", sample, SAMPLE_SECONDS, everywhere=True)


def _chores(core: Core, settings: Settings) -> list[Chore]:
    deliveries = Deliveries(core.catalog, core.jobs, core.clock)

    def expire_reports() -> bool:
        before = core.clock() - (settings.report_retention or core.clock())
        return core.catalog.reports.expire(before, core.limits.reports_max) > 0

    def expire_jobs() -> bool:
        core.catalog.jobs.expire(core.clock() - settings.jobs_kept)
        return False

    def note_uses() -> bool:
        core.accounts.tokens.note_uses()
        return False

    def expire_audit() -> bool:
        if settings.audit_retention:
            core.catalog.audit.expire(core.clock() - settings.audit_retention)
        return False

    def expire_commands() -> bool:
        core.catalog.commands.expire(core.clock() - _COMMANDS_KEPT)
        return False

    def retain() -> bool:
        ids = [
            series
            for device in core.registry.devices()
            for series in core.registry.series_of(device.id).values()
        ]
        removed = core.store.delete(ids, Period(end=core.clock() - settings.retention))
        if removed:
            logger.info("%d readings were older than the retention and are removed", removed)
            core.latest.reload(ids)
        return False

    chores = [
        Chore("store maintenance", core.store.maintain, 1.0),
        Chore("removal of old commands", expire_commands, 3600.0),
        Chore("note of used tokens", note_uses, 60.0, everywhere=True),
        Chore("removal of old audit entries", expire_audit, 3600.0),
        Chore("reports that are due", core.schedules.run_due, _DUE_SECONDS),
        Chore("deliveries that are due", deliveries.run_due, _DUE_SECONDS),
        Chore("removal of old reports", expire_reports, 3600.0),
    ]
    if settings.jobs_kept:
        chores.append(Chore("removal of old jobs", expire_jobs, 3600.0))
    if settings.retention:
        chores.append(Chore("retention", retain, 3600.0))
    return chores


def _now() -> int:
    return time.time_ns() // 1000
