"""`barograph worker` beside `barograph serve`, on PostgreSQL, as a user starts them."""

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import create_engine, text
from tests.jobs.conftest import PrivateRedis, broker_url
from tests.waiting import PATIENCE_SECONDS, until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device, ok, write

from barograph.stores.catalog.address import read_url


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    return broker_url(request.param)


@pytest.fixture
def work(tmp_path):
    """Starts `barograph worker` with a server's settings."""
    started = []

    def start(server):
        log = (tmp_path / "worker.log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "barograph", "worker", "--data-dir", tmp_path / "data"],
                stdout=log,
                stderr=log,
                env={**os.environ, **server.environment},
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def ask(client, device):
    return ok(client.post("/api/analytics/jobs", json={"device": device["id"]}), 202)


def ended(client, job):
    found = ok(client.get(f"/api/jobs/{job['id']}"))
    return found if found["status"] not in {"queued", "running"} else None


def test_a_worker_runs_what_any_process_of_the_server_was_asked(tmp_path, broker, work):
    with workers(tmp_path, "postgresql", BAROGRAPH_CELERY_BROKER=broker) as server:
        pair = server.each()
        device = make_device(pair[0])
        for n in range(4):
            ok(write(pair[n % 2], device, {"x": n}), 201)
        asked = [ask(client, device) for client in pair]
        assert {ok(pair[0].get(f"/api/jobs/{job['id']}"))["status"] for job in asked} == {"queued"}
        worker = work(server)
        for job in asked:
            answer = until(lambda job=job: ended(pair[0], job))
            assert answer["status"] == "done", answer
            assert answer["result"]["metrics"]["x"]["count"] == 4
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
        for client in pair:
            client.close()


def test_a_worker_makes_the_report_that_is_due_and_any_process_gives_it_out(tmp_path, broker, work):
    with workers(tmp_path, "postgresql", BAROGRAPH_CELERY_BROKER=broker) as server:
        pair = server.each()
        device = make_device(pair[0], key="kitchen")
        for n in range(4):
            ok(write(pair[n % 2], device, {"ts": time.time() - 3600 + n, "x": n}), 201)
        plan = {
            "name": "What came in",
            "cron": "*/5 * * * *",
            "question": {"devices": ["kitchen"], "period": "24h", "stats": ["count", "max"]},
        }
        schedule = ok(pair[0].post("/api/schedules", json=plan), 201)
        worker = work(server)
        make_due(server, schedule)
        report, *_ = until(lambda: ok(pair[1].get("/api/reports"))["items"])
        assert report["schedule_id"] == schedule["id"]
        for client in pair:
            page = client.get(f"/api/reports/{report['id']}/html")
            assert page.status_code == 200
            assert "What came in" in page.text
            table = client.get(f"/api/reports/{report['id']}/csv").text
            assert table.splitlines()[1].endswith(",4,3.0")
            assert client.get(f"/api/reports/{report['id']}/pdf").content.startswith(b"%PDF")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
        for client in pair:
            client.close()


def make_due(server, schedule):
    """Let the time have come that the schedule waits for."""
    engine = create_engine(read_url(server.environment["BAROGRAPH_DATABASE_URL"]))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE schedules SET next_time = 1 WHERE id = :id"), {"id": schedule["id"]}
        )
    engine.dispose()


def test_jobs_are_run_and_the_server_says_so_while_the_broker_is_away(tmp_path, work):
    redis = PrivateRedis(tmp_path)
    try:
        with workers(tmp_path, "postgresql", BAROGRAPH_CELERY_BROKER=redis.url) as server:
            pair = server.each()
            device = make_device(pair[0])
            ok(write(pair[0], device, {"x": 1}), 201)
            work(server)
            job = ask(pair[0], device)
            until(lambda: ended(pair[0], job))
            redis.kill()
            said = ok(pair[1].get("/readyz"))
            assert said["status"] == "degraded"
            assert "the broker of jobs does not answer" in said["away"][0]
            job = ask(pair[1], device)
            assert until(lambda: ended(pair[0], job))["status"] == "done"
            redis.start()
            assert ok(pair[0].get("/readyz")) == {"status": "ok"}
            for client in pair:
                client.close()
    finally:
        redis.kill()


def test_a_worker_without_a_broker_says_what_to_set(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "barograph", "worker", "--data-dir", tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2
    assert "set celery_broker" in " ".join(done.stderr.split())
