"""Jobs asked for here and run by other processes, in each way there is to run them."""

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError
from tests.waiting import free_port, until

from barograph.domain.user import OPERATOR
from barograph.jobs.celery_app import make_app
from barograph.jobs.celery_queue import CeleryQueue
from barograph.stores.catalog.catalog import SqlCatalog

SCRIPT = Path(__file__).parent / "runner.py"
BROKERS = {
    "redis": ("BAROGRAPH_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
    "rabbitmq": ("BAROGRAPH_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}

_spec = importlib.util.spec_from_file_location("jobs_runner", SCRIPT)
runner = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(runner)


def missing(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def broker_url(name):
    """Where that broker is; skips the test where there is none."""
    variable, usual = BROKERS[name]
    url = os.environ.get(variable, usual)
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), 10).close()
    except OSError as error:
        missing(f"no {name} at {url} (set {variable}): {error}")
    return url


class NoQueue:
    """Nobody is told: the in-process runner of another process looks by itself."""

    def announce(self, job_id):
        pass


class Jobs:
    """Asks for jobs, and starts processes that run them."""

    def __init__(self, directory, catalog_url, broker, job_seconds_max, lease_seconds):
        self.directory = directory
        self.broker = broker
        self.installation = f"test-{secrets.token_hex(4)}"
        self._url = catalog_url
        self._seconds, self._lease = job_seconds_max, lease_seconds
        self._started = []
        self.catalog = SqlCatalog(catalog_url)
        self.app = None
        self.queue = NoQueue()
        if broker != "in_process":
            self.app = make_app(broker, self.installation, job_seconds_max)
            self.queue = CeleryQueue(self.app)
        self.service = runner.service(
            self.catalog, self.queue, directory, job_seconds_max, lease_seconds
        )

    def start(self, look_seconds=0.2):
        """A process that runs jobs, and looks for itself that often."""
        log = (self.directory / "runner.log").open("ab")
        arguments = (self._url, self.broker, self.installation, self.directory, self._seconds)
        arguments += (self._lease, look_seconds)
        with log:
            process = subprocess.Popen(
                [sys.executable, SCRIPT, *map(str, arguments)], stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    def ask(self, kind, **question):
        return self.service.ask(OPERATOR, kind, question)

    def get(self, job):
        return self.service.get(OPERATOR, job.id)

    def wait_for(self, job, status="done"):
        def there():
            found = self.get(job)
            return found if found.status == status else None

        return self.until(there)

    def began(self, times=1):
        """The processes that have begun to work on `block`."""
        file = self.directory / "began"

        def pids():
            found = file.read_text().split() if file.exists() else []
            return [int(pid) for pid in found] if len(found) >= times else None

        return self.until(pids)

    def go(self):
        (self.directory / "go").touch()

    def until(self, look):
        """What `look` finds, in the end."""

        def what():
            rows = self.service.list(OPERATOR, limit=10).items
            return f"it:\n{rows}\n{(self.directory / 'runner.log').read_text()}"

        return until(look, what)

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
        if self.app is not None:
            self._remove_queue()
            self.queue.close()
        self.catalog.close()

    def _remove_queue(self):
        with self.app.connection_for_write() as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0)
                connection.default_channel.queue_delete(self.app.conf.task_default_queue)
            except (
                OSError,
                OperationalError,
                *connection.connection_errors,
                *connection.channel_errors,
            ):
                pass  # the test has taken its broker away


@pytest.fixture
def make_jobs(tmp_path, empty_catalog):
    made = []

    def make(broker, job_seconds_max=100.0, lease_seconds=4):
        """A job is taken from a worker that gives no sign of life for `lease_seconds`."""
        path = tmp_path / "data.db"
        if not path.exists():
            shutil.copyfile(empty_catalog, path)
        jobs = Jobs(tmp_path, f"sqlite:///{path}", broker, job_seconds_max, lease_seconds)
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()


@pytest.fixture(params=["in_process", *BROKERS])
def broker(request):
    return "in_process" if request.param == "in_process" else broker_url(request.param)


@pytest.fixture
def jobs(make_jobs, broker):
    return make_jobs(broker)


class PrivateRedis:
    """A Redis of the test's own, which forgets everything when it is killed."""

    def __init__(self, directory):
        self.port = free_port()
        self._directory = directory
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--dir", str(self._directory)),
            ],
            stdout=subprocess.DEVNULL,
        )

        def answers():
            assert self._process.poll() is None, "Redis has ended"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                return False
            return True

        until(answers, lambda: "Redis")

    def kill(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture
def private_redis(tmp_path):
    if shutil.which("redis-server") is None:
        missing("no redis-server to start (Debian's package redis-server)")
    redis = PrivateRedis(tmp_path)
    yield redis
    redis.kill()
