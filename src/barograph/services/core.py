"""Everything a transport may use, in one hand. Built once by the wiring."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from barograph.domain.limits import Limits
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.live_bus import LiveBus
from barograph.ports.reading_store import ReadingStore
from barograph.services.accounts import Accounts
from barograph.services.analytics import Analytics
from barograph.services.assets import AssetService
from barograph.services.commands import CommandService
from barograph.services.dashboards import DashboardService
from barograph.services.devices import DeviceService
from barograph.services.ingest import Ingest
from barograph.services.jobs import JobService
from barograph.services.latest import NewestReadings
from barograph.services.metrics import MetricService
from barograph.services.presence import Presences
from barograph.services.readings import Readings
from barograph.services.refusals import Refusals
from barograph.services.registry import Registry
from barograph.services.reports import ReportService
from barograph.services.retention import RetentionService
from barograph.services.schedules import ScheduleService
from barograph.services.sharing import DeviceSharing
from barograph.services.telemetry import Telemetry
from barograph.services.writer import Writer


@dataclass(frozen=True, slots=True)
class Core:
    """The running program without its transports."""

    catalog: Catalog
    store: ReadingStore
    registry: Registry
    writer: Writer
    ingest: Ingest
    latest: NewestReadings
    live: LiveBus
    accounts: Accounts
    devices: DeviceService
    commands: CommandService
    presence: Presences
    refusals: Refusals
    sharing: DeviceSharing
    assets: AssetService
    metrics: MetricService
    analytics: Analytics
    dashboards: DashboardService
    readings: Readings
    retention: RetentionService
    jobs: JobService
    reports: ReportService
    schedules: ScheduleService
    telemetry: Telemetry
    limits: Limits
    clock: Clock
    zone: ZoneInfo
    """The setting `timezone`."""
    others_counted: Callable[[], Mapping[int, bytes | None]] = dict
    """What the other processes on the port count, by number, as text for Prometheus; None where one
    does not answer."""
    degradations: Sequence[Callable[[], str | None]] = ()
    """Each looks whether something is away without which the program goes on, and says what."""
