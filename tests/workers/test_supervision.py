"""Processes come and go; the server stays."""

import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS, until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device, ok, write


def children(server):
    """The processes that serve."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
        capture_output=True,
        text=True,
        check=False,  # it has none at the moment
    ).stdout
    return sorted(map(int, listed.split()))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(params=["postgresql", "mysql"])
def server(request, tmp_path):
    with workers(tmp_path, request.param) as server:
        yield server


def test_a_killed_process_is_replaced_and_loses_nothing_acknowledged(server):
    (first, second) = children(server)
    setup = server.each()
    device = make_device(setup[0])
    acknowledged, numbers, over = [], itertools.count(), []

    def send(_):
        with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
            while not over:
                n = next(numbers)
                try:
                    if write(client, device, [{"ts": n, "x": n}]).status_code == 201:
                        acknowledged.append(n)
                except httpx.TransportError:
                    pass  # unknown: not counted

    def kill():
        try:
            for pid in (first, second):
                before = len(acknowledged)
                until(lambda more=before + 20: len(acknowledged) > more)
                os.kill(pid, signal.SIGKILL)
                until(lambda gone=pid: len(now := children(server)) == 2 and gone not in now)
            fresh = server.each()
        finally:
            over.append(True)
        return fresh

    with ThreadPoolExecutor(4) as threads:
        killing = threads.submit(kill)
        for job in [threads.submit(send, n) for n in range(3)]:
            job.result()
    fresh = killing.result()
    path = f"/api/devices/{device['id']}/data"
    for client in fresh:
        stored = [int(row["x"]) for row in ok(client.get(path))["data"]]
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
    for client in [*setup, *fresh]:
        client.close()
    assert "is started again" in server.log.read_text()


def test_stopping_ends_every_process(server):
    pids = children(server)
    assert len(pids) == 2
    assert server.stop() == 0
    assert not any(alive(pid) for pid in pids)
    assert "everything accepted is committed" in server.log.read_text()


def test_processes_whose_supervisor_is_killed_end_by_themselves(tmp_path):
    with workers(tmp_path, "postgresql", ends=-signal.SIGKILL) as server:
        pids = children(server)
        server.kill()
        until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BAROGRAPH_WORKERS": "2"}, "the readings are in DuckDB.*set readings_url"),
        (
            {"BAROGRAPH_WORKERS": "2", "BAROGRAPH_READINGS_URL": "postgresql://x/y"},
            "set database_url",
        ),
        (
            {
                "BAROGRAPH_WORKERS": "2",
                "BAROGRAPH_READINGS_URL": "sqlite:////tmp/x.db",
                "BAROGRAPH_DATABASE_URL": "postgresql://x/y",
            },
            "needs a database server: set readings_url",
        ),
        (
            {"BAROGRAPH_CELERY_BROKER": "redis://localhost"},
            "celery_broker is set, but the readings are in DuckDB.*set readings_url",
        ),
    ],
)
def test_what_cannot_work_is_refused_and_says_what_to_set(tmp_path, settings, says):
    command = [sys.executable, "-m", "barograph", "serve", "--port", "0", "--data-dir", tmp_path]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, **settings},
    )
    assert done.returncode == 2
    assert says.split(".*")[0] in " ".join(done.stderr.split())
    assert says.rpartition(".*")[2] in " ".join(done.stderr.split())


def test_settings_that_a_process_cannot_begin_with_end_the_server(tmp_path):
    nowhere = "postgresql://nobody:wrong@127.0.0.1:1/nothing"
    command = [sys.executable, "-m", "barograph", "serve", "--workers", "2", "--port", "0"]
    done = subprocess.run(
        [*command, "--mqtt-port", "0", "--data-dir", tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "BAROGRAPH_DATABASE_URL": nowhere,
            "BAROGRAPH_READINGS_URL": nowhere,
        },
    )
    assert done.returncode == 2, done.stderr
    assert "check that the database server runs" in " ".join(done.stderr.split())
