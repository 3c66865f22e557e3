"""Real parts for tests: a catalog in SQLite, readings in memory, and the services on them.

And, where a test is about the program as a whole, a server process as a user starts it.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import HealthCheck, settings
from tests.databases import STORAGES, Storage
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.batch import Batch
from barograph.domain.limits import Limits
from barograph.domain.user import Principal
from barograph.services.access_tokens import AccessTokens
from barograph.services.accounts import Accounts
from barograph.services.analytics import Analytics
from barograph.services.analytics_job import AnalyticsJob
from barograph.services.assets import AssetService
from barograph.services.commands import CommandService
from barograph.services.dashboards import DashboardService
from barograph.services.devices import DeviceService
from barograph.services.ingest import Ingest
from barograph.services.jobs import JobService
from barograph.services.latest import Latest
from barograph.services.live import InProcessLiveBus
from barograph.services.metrics import MetricService
from barograph.services.passwords import Passwords
from barograph.services.presence import Presences
from barograph.services.readings import Readings
from barograph.services.refusals import Refusals
from barograph.services.registry import Registry
from barograph.services.report_making import ReportMaking
from barograph.services.reports import ReportService
from barograph.services.retention import RetentionService
from barograph.services.schedules import ScheduleService
from barograph.services.sharing import DeviceSharing
from barograph.services.telemetry import Telemetry
from barograph.services.writer import Writer
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.readings.memory import MemoryReadingStore
from barograph.stores.readings.parquet import write_parquet
from barograph.transport.reports.forms import RENDERERS

# How long an example takes says nothing on a machine that others use as well.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TESTS = Path(__file__).parent
LONG = (
    "acceptance/test_openapi.py",
    "stores/readings/test_conformance_random.py",
    "acceptance/test_mqtt.py",
    "acceptance/test_bridge.py",
    "browser/test_dashboard.py",
    "jobs/test_runners.py",
    "browser/test_dashboards.py",
    "browser/test_device.py",
    "bench/test_bench.py",
    "workers/test_supervision.py",
    "browser/test_people.py",
    "acceptance/test_durability.py",
    "workers/test_worker_command.py",
    "workers/test_agreement.py",
    "stores/readings/test_conformance_summaries.py",
    "stores/readings/test_conformance.py",
    "stores/catalog/test_migrations.py",
    "stores/readings/test_duckdb_layout.py",
    "workers/test_faults.py",
    "acceptance/test_databases_that_fail.py",
    "systems/test_postman.py",
)
"""The files that take longest, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Where processes share the files, begin with those that take long: all end together then."""
    if hasattr(config, "workerinput"):
        places = {TESTS / name: place for place, name in enumerate(LONG)}
        assert all(path.exists() for path in places)
        items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_terminal_summary(terminalreporter):
    """Tell at the end what was skipped and why, a reason at a time."""
    skipped = defaultdict(Counter)
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        skipped[reason][report.nodeid.partition("::")[0]] += 1
    if skipped:
        terminalreporter.section("skipped")
    for reason, files in sorted(skipped.items()):
        terminalreporter.write_line(f"{files.total()} x {reason}")
        for name, count in sorted(files.items()):
            terminalreporter.write_line(f"    {name}: {count}")


class SetClock:
    """A clock that stands still until a test sets it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return SetClock(1_760_000_000_000_000)


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "data.db"
    SqlCatalog(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def catalog(empty_catalog, tmp_path):
    path = tmp_path / "data.db"
    shutil.copyfile(empty_catalog, path)
    catalog = SqlCatalog(f"sqlite:///{path}")
    yield catalog
    catalog.close()


@pytest.fixture(scope="session")
def cheap_passwords():
    """Argon2id at its cheapest, which says as much about behaviour as at its dearest."""
    return Passwords(Limits(), memory_kib=64, passes=1)


@pytest.fixture
def parts(catalog, clock, cheap_passwords):
    """The services of accounts, devices and assets, and what they stand on."""
    limits, store, registry = Limits(), MemoryReadingStore(), Registry(catalog)
    devices = DeviceService(catalog, registry, store, clock, limits)
    access_tokens = AccessTokens(catalog.secrets, clock)
    accounts = Accounts(catalog, registry, devices, cheap_passwords, access_tokens, clock, limits)
    return SimpleNamespace(
        catalog=catalog,
        registry=registry,
        store=store,
        latest=Latest(store),
        clock=clock,
        limits=limits,
        passwords=cheap_passwords,
        access_tokens=access_tokens,
        devices=devices,
        commands=CommandService(catalog, clock, limits, accounts.audit),
        presence=Presences(clock),
        refusals=Refusals(clock, catalog.refused),
        sharing=DeviceSharing(catalog, registry, clock),
        assets=AssetService(catalog, registry, clock, limits),
        metrics=MetricService(catalog, registry, accounts.audit),
        accounts=accounts,
    )


class Fleet:
    """Users, their devices and what these sent, made in a line each."""

    def __init__(self, parts) -> None:
        self._parts = parts

    def user(self, name="anna", role="member"):
        user = self._parts.catalog.users.create(name, f"{name}@example.org", None, role, 0)
        self._parts.registry.put_user(user)
        return Principal("user", user.id, role=role)

    def device(self, name="kitchen", owner=None):
        user_id = None if owner is None else owner.user_id
        device = self._parts.catalog.devices.create(None, name, user_id, None, {}, 0)
        self._parts.registry.put_device(device)
        return device

    def send(self, device, metric, readings):
        """Store (time, value) pairs; returns the series."""
        series = self._parts.registry.ensure_series(device.id, [metric])[metric]
        batch = Batch.of([(series, time, value) for time, value in readings])
        self._parts.store.append(batch)
        self._parts.latest.update(batch)
        self._parts.live.publish(batch)
        return series


class Announcements(list):
    """A `JobQueue` that notes what was announced."""

    def announce(self, job_id):
        self.append(job_id)


@pytest.fixture
def core(parts):
    """`parts`, and the services that take readings and give readings, summaries and jobs."""
    parts.zone = UTC
    parts.telemetry = Telemetry()
    parts.degradations = ()
    parts.live = InProcessLiveBus(parts.limits.live_backlog_events_max)
    parts.analytics = Analytics(parts.registry, parts.store, parts.clock, parts.limits, parts.zone)
    parts.dashboards = DashboardService(parts.catalog, parts.registry, parts.analytics, parts.clock)
    parts.writer = Writer(
        parts.store,
        backlog_readings_max=parts.limits.backlog_readings_max,
        on_commit=(parts.latest.update, parts.live.publish),
        telemetry=parts.telemetry,
    )
    parts.readings = Readings(
        parts.registry,
        parts.store,
        parts.latest,
        parts.writer.settle,
        parts.clock,
        parts.limits,
        parts.zone,
        write_parquet,
        parts.accounts.audit,
    )
    parts.retention = RetentionService(
        parts.catalog,
        parts.registry,
        parts.store,
        parts.latest,
        parts.clock,
        parts.accounts.audit,
        configured=0,
    )
    parts.announced = Announcements()
    parts.jobs = JobService(
        parts.catalog,
        parts.clock,
        parts.limits,
        parts.announced,
        {
            "analytics": AnalyticsJob(parts.analytics),
            ReportMaking.KIND: ReportMaking(
                parts.catalog, parts.registry, parts.analytics, parts.clock, parts.limits
            ),
        },
    )
    parts.reports = ReportService(parts.catalog, parts.jobs, parts.clock, parts.limits, RENDERERS)
    parts.schedules = ScheduleService(
        parts.catalog,
        parts.analytics,
        parts.jobs,
        {},
        parts.clock,
        parts.limits,
        parts.accounts.audit,
    )
    parts.fleet = Fleet(parts)
    parts.ingest = Ingest(parts.registry, parts.limits)
    yield parts
    parts.writer.close()


@pytest.fixture
def fleet(core):
    return core.fleet


class Server:
    """One `barograph serve` on a data directory."""

    def __init__(self, directory, *options, **environment):
        self.directory = directory
        self.log = directory / "server.log"
        announced = directory / "data" / "server.json"
        announced.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "barograph", "serve"),
                    *("--port", "0", "--data-dir", str(directory / "data"), *options),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                found = json.loads(announced.read_text())
                if found["pid"] == self.process.pid:
                    httpx.get(found["url"] + "/healthz", timeout=5)
                    self.url, self.token = found["url"], found["token"]
                    self.mqtt_port = found["mqtt_port"]
                    self.mqtt_tls_port = found["mqtt_tls_port"]
                    return
            except (OSError, ValueError, httpx.TransportError):
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self):
        """As a power cut does it to a process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def stop(self):
        """As Ctrl-C does it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def storage(request):
    """Where servers keep everything: in the data directory, unless a module says otherwise."""
    with contextlib.closing(Storage(getattr(request, "param", STORAGES[0]))) as storage:
        yield storage


@pytest.fixture
def serve(tmp_path):
    """Starts servers on the test's directory; all end with the test."""
    started = []

    def start(*options, **environment):
        server = Server(tmp_path, *options, **environment)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, storage):
    """One server for the tests of a module."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory, **storage(directory))
    yield server
    assert server.stop() == 0, server.log.read_text()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, storage):
    """A server where everything needs a credential."""
    directory = tmp_path_factory.mktemp("guarded")
    server = Server(directory, "--auth", "required", **storage(directory))
    yield server
    assert server.stop() == 0, server.log.read_text()
