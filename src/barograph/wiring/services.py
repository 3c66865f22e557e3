"""The services, on the stores that were opened."""

from contextlib import ExitStack

from barograph.config import Settings
from barograph.domain.time import MINUTE, parse_zone
from barograph.jobs.in_process import InProcessRunner
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore
from barograph.services.access_tokens import AccessTokens
from barograph.services.accounts import Accounts
from barograph.services.analytics import Analytics
from barograph.services.assets import AssetService
from barograph.services.commands import CommandService
from barograph.services.core import Core
from barograph.services.dashboards import DashboardService
from barograph.services.devices import DeviceService
from barograph.services.ingest import Ingest
from barograph.services.jobs import JobService
from barograph.services.metrics import MetricService
from barograph.services.passwords import Passwords
from barograph.services.presence import Presences
from barograph.services.readings import Readings
from barograph.services.refusals import Refusals
from barograph.services.reports import ReportService
from barograph.services.retention import RetentionService
from barograph.services.schedules import ScheduleService
from barograph.services.sharing import DeviceSharing
from barograph.services.telemetry import Telemetry
from barograph.services.writer import Writer
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.transport.reports.forms import RENDERERS
from barograph.wiring.jobs import celery_queue, job_kinds, notifiers_of
from barograph.wiring.processes import Between, Place
from barograph.wiring.stores import write_parquet

_GATHER_SECONDS_MAX = 0.005
"""A commit in a database costs as much of the processor as a dozen requests."""


def build_core(
    settings: Settings,
    catalog: SqlCatalog,
    store: ReadingStore,
    between: Between,
    runner: InProcessRunner | None,
    clock: Clock,
    place: Place | None,
    opened: ExitStack,
) -> Core:
    """Every service; `opened` is to close what they start.

    Jobs go to the `runner`; without one, to the queue that the settings name.
    """
    limits = settings.bounds()
    zone = parse_zone(settings.timezone)
    telemetry = Telemetry(worker=None if place is None else place.number)
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
    queue = runner or celery_queue(settings, catalog, between, opened)
    notifiers = notifiers_of(settings)
    kinds = job_kinds(settings, catalog, registry, analytics, notifiers, clock)
    jobs = JobService(catalog, clock, limits, queue, kinds, before=registry.catch_up)
    writer = Writer(
        store,
        backlog_readings_max=limits.backlog_readings_max,
        on_commit=(latest.update, live.publish),
        telemetry=telemetry,
        gather_seconds_max=_GATHER_SECONDS_MAX if settings.readings_url else 0.0,
    )
    opened.callback(writer.close)
    return Core(
        catalog=catalog,
        store=store,
        registry=registry,
        writer=writer,
        ingest=Ingest(registry, limits, settings.round_time),
        latest=latest,
        live=live,
        accounts=accounts,
        devices=devices,
        commands=CommandService(catalog, clock, limits, accounts.audit, follows=registry.follows),
        presence=between.presence or Presences(clock),
        refusals=Refusals(clock, catalog.refused),
        sharing=DeviceSharing(catalog, registry, clock),
        assets=AssetService(catalog, registry, clock, limits),
        metrics=MetricService(catalog, registry, accounts.audit),
        analytics=analytics,
        dashboards=DashboardService(catalog, registry, analytics, clock),
        readings=Readings(
            registry,
            store,
            latest,
            writer.settle,
            clock,
            limits,
            zone,
            write_parquet,
            accounts.audit,
        ),
        retention=RetentionService(
            catalog, registry, store, latest, clock, accounts.audit, settings.retention
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
        others_counted=dict if place is None or place.siblings is None else place.siblings.ask,
        degradations=tuple(between.degradations),
    )
