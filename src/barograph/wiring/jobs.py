"""Jobs: what can be asked for, what they tell people by, and the worker that runs them elsewhere."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.domain.report import Way
from barograph.domain.time import parse_zone
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.job_queue import JobQueue
from barograph.ports.notifier import Notifier
from barograph.services.analytics import Analytics
from barograph.services.analytics_job import AnalyticsJob
from barograph.services.jobs import JobService, Kind
from barograph.services.registry import Registry
from barograph.services.report_delivery import ReportDelivery
from barograph.services.report_making import ReportMaking
from barograph.services.user_statistics import UserStatistics
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.transport.notifiers.smtp import SmtpNotifier
from barograph.transport.notifiers.webhook import WebhookNotifier
from barograph.transport.reports.forms import RENDERERS
from barograph.transport.reports.notice import composer
from barograph.wiring.clock import now
from barograph.wiring.processes import Between, check_processes, installation
from barograph.wiring.stores import open_catalog, open_readings, prepare

if TYPE_CHECKING:
    from celery import Celery

    from barograph.jobs.celery_worker import CeleryWorker


def job_kinds(
    settings: Settings,
    catalog: Catalog,
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


def notifiers_of(settings: Settings) -> dict[Way, Notifier]:
    """The ways to tell somebody that are configured."""
    found: dict[Way, Notifier] = {}
    if settings.smtp_url or settings.mail_from:
        found["email"] = SmtpNotifier(settings.smtp_url, settings.mail_from)
    if settings.webhooks:
        found["webhook"] = WebhookNotifier(settings.webhooks, settings.webhook_secret)
    return found


def celery_queue(
    settings: Settings, catalog: SqlCatalog, between: Between, opened: ExitStack
) -> JobQueue:
    """Announces jobs to workers; `opened` is to close it."""
    from barograph.jobs.celery_queue import CeleryQueue  # noqa: PLC0415  # an extra

    queue = CeleryQueue(_celery(settings, catalog))
    opened.callback(queue.close)
    between.degradations.append(queue.problem)
    return queue


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


def _celery(settings: Settings, catalog: SqlCatalog) -> "Celery":
    from barograph.jobs.celery_app import make_app  # noqa: PLC0415  # an extra

    seconds = settings.bounds().job_seconds_max
    return make_app(settings.celery_broker, installation(catalog), seconds)


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
        analytics = Analytics(registry, store, now, limits, parse_zone(settings.timezone))
        queue = CeleryQueue(app)
        opened.callback(queue.close)
        kinds = job_kinds(settings, catalog, registry, analytics, notifiers_of(settings), now)
        yield JobService(catalog, now, limits, queue, kinds, before=registry.catch_up)
