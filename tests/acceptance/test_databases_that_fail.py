"""The catalog and the readings on a database that is killed, cut off and filled up under load.

Real servers of our own, real connections. Whoever sends goes on sending the same readings until they
are acknowledged, as a device does. Each reading's value follows from its device and time, so that a
mix-up shows.
"""

import contextlib
import os
import secrets
import tempfile
import threading
import time
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.private_servers import KINDS, private_server, small_disk
from tests.waiting import PATIENCE_SECONDS

START = 1_750_000_000_000_000


def value_of(device, at):
    return float((device * 7919 + at // 1000) % 1_000_003)


class Sender(threading.Thread):
    """Sends to one device, each piece until it is acknowledged, and notes what it was told."""

    def __init__(self, url, device):
        super().__init__(daemon=True)
        self.url, self.device = url, device
        self.acknowledged = 0
        self.refusals = set()
        self.done = threading.Event()

    def connect(self):
        return httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)

    def run(self):
        with self.connect() as client:
            while not self.done.is_set():
                count = 1 if self.acknowledged % 3 else 100
                times = [START + (self.acknowledged + i) * 1000 for i in range(count)]
                body = {"ts": times, "m": [value_of(self.device, at) for at in times]}
                try:
                    answer = client.post(f"/api/devices/{self.device}/data", json=body)
                except httpx.TransportError as error:
                    self.refusals.add(repr(error))
                    continue
                if answer.status_code == 201:
                    self.acknowledged += count
                else:
                    self.refusals.add(answer.status_code)
                    self.done.wait(0.02)


def wait_until(is_so, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def sending_goes_on(senders):
    """Wait until every sender got something new acknowledged."""
    before = [sender.acknowledged for sender in senders]
    wait_until(
        lambda: all(
            sender.acknowledged > count for sender, count in zip(senders, before, strict=True)
        ),
        "an acknowledgement",
    )


def everything_is_there_once(client, senders):
    for sender in senders:
        answer = client.get(f"/api/devices/{sender.device}/data", params={"format": "ndjson"})
        assert answer.status_code == 200, answer.text
        rows = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        assert [row["m"] for row in rows] == [
            value_of(sender.device, START + i * 1000) for i in range(len(rows))
        ]
        # The last piece may be stored without its acknowledgement having arrived.
        assert sender.acknowledged <= len(rows) <= sender.acknowledged + 100
        summary = client.get(f"/api/analytics/devices/{sender.device}").json()["metrics"]["m"]
        assert summary["count"] == len(rows)
        assert summary["sum"] == sum(row["m"] for row in rows)


@pytest.fixture(params=KINDS, scope="module")
def database(request):
    with private_server(request.param) as server:
        yield server


@contextlib.contextmanager
def load(server):
    """Devices that send."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        ids = [client.post("/api/devices", json={"name": str(n)}).json()["id"] for n in (1, 2)]
        senders = [Sender(server.url, device) for device in ids]
        try:
            for sender in senders:
                sender.start()
            sending_goes_on(senders)
            yield client, senders
        finally:
            finished(senders)


@pytest.fixture
def loaded(database, serve):
    """A server on a new database, and devices that send to it."""
    name = f"of_{secrets.token_hex(4)}"
    database.run(f"CREATE DATABASE {name}")
    url = database.url(name)
    server = serve(BAROGRAPH_DATABASE_URL=url, BAROGRAPH_READINGS_URL=url)
    with load(server) as (client, senders):
        yield client, senders, name


def finished(senders):
    for sender in senders:
        sender.done.set()
    for sender in senders:
        sender.join()


def test_a_database_killed_and_restarted_loses_and_doubles_nothing(database, loaded):
    client, senders, _ = loaded
    for _ in range(2):
        database.kill()
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "check that the database server runs" in answer.json()["detail"]
        assert client.get("/healthz").status_code == 200
        database.start()
        wait_until(lambda: client.get("/readyz").status_code == 200, "/readyz")
        sending_goes_on(senders)
    finished(senders)
    assert {503} <= set().union(*(sender.refusals for sender in senders)) <= {503}
    everything_is_there_once(client, senders)


def test_connections_cut_again_and_again_lose_and_double_nothing(database, loaded):
    client, senders, name = loaded
    cut = 0
    for _ in range(15):
        cut += database.cut(name)
        sending_goes_on(senders)
    finished(senders)
    assert cut > 15
    assert set().union(*(sender.refusals for sender in senders)) <= {503}
    assert client.get("/readyz").status_code == 200
    everything_is_there_once(client, senders)


@contextlib.contextmanager
def scratch_directory():
    """Where a server's own user can get to, which pytest's directories do not allow."""
    with tempfile.TemporaryDirectory(prefix="barograph-test-") as scratch:
        Path(scratch).chmod(0o755)
        yield Path(scratch)


def fill(path):
    """Let a file take all the room there is."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(handle, bytes(4096)):
            pass
    os.close(handle)


def grow(client):
    """Store so much that the database has room to take a statement back.

    A table of MariaDB that is smaller than a few megabytes keeps none in reserve, and the server
    aborts: "[FATAL] InnoDB: Error (Out of disk space) in rollback".
    """
    device = client.post("/api/devices", json={"name": "long known"}).json()["id"]
    for first in range(0, 100_000, 10_000):
        times = [START + one for one in range(first, first + 10_000)]
        answer = client.post(f"/api/devices/{device}/data", json={"ts": times, "m": times})
        assert answer.status_code == 201, answer.text


@contextlib.contextmanager
def database_on(disk, kind):
    """The URL of a database whose tables have no more room than the disk has."""
    if kind == "mariadb":
        with private_server(kind, data=disk / "data") as server:
            server.run("CREATE DATABASE small")
            yield server.url("small")
        return
    with private_server(kind) as server:
        place = disk / "tables"
        place.mkdir()
        server.own(place)
        server.run(
            f"CREATE TABLESPACE small LOCATION '{place}'",
            "CREATE DATABASE small TABLESPACE small",
        )
        yield server.url("small")


@pytest.mark.parametrize(("kind", "megabytes"), [("postgresql", 24), ("mariadb", 200)])
def test_a_full_disk_is_told_and_loses_and_doubles_nothing(kind, megabytes, tmp_path, serve):
    with (
        scratch_directory() as scratch,
        small_disk(scratch / "disk", megabytes) as disk,
        database_on(disk, kind) as url,
        load(serve(BAROGRAPH_READINGS_URL=url)) as (client, senders),
    ):
        grow(client)
        fill(disk / "filler")
        wait_until(lambda: all(507 in s.refusals for s in senders), "a refusal")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "full" in answer.json()["detail"]
        (disk / "filler").unlink()
        sending_goes_on(senders)
        assert client.get("/readyz").status_code == 200
        finished(senders)
        assert set().union(*(sender.refusals for sender in senders)) <= {503, 507}
        everything_is_there_once(client, senders)
