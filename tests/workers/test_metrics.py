"""`/metrics` of several processes."""

import contextlib
import os
import signal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.waiting import PATIENCE_SECONDS, until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device, ok, write
from tests.workers.test_supervision import children


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with workers(tmp_path_factory.mktemp("workers"), "postgresql") as server:
        yield server


def told(client):
    """The samples by name, worker and, where there is one, bucket."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (
            sample.name,
            *(sample.labels[name] for name in ("worker", "le") if name in sample.labels),
        ): (sample.value)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def told_by_both(client):
    """The same, once neither process was too slow to be heard."""

    def heard():
        found = told(client)
        return found if {found["barograph_worker_up", w] for w in ("0", "1")} == {1} else None

    return until(heard)


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_every_process_tells_what_all_of_them_count(pair):
    device = make_device(pair[0])
    before = told_by_both(pair[0])
    for client, count in ((pair[0], 2), (pair[1], 3)):
        for n in range(count):
            ok(write(client, device, {"x": n}), 201)
    for client in pair:
        after = told_by_both(client)
        name = "barograph_readings_committed_total"
        assert [after[name, w] - before[name, w] for w in ("0", "1")] == [2, 3]
        for worker in ("0", "1"):
            assert after["process_resident_memory_bytes", worker] > 1e6
            buckets = after["barograph_commit_seconds_bucket", worker, "+Inf"]
            assert buckets == after["barograph_commit_seconds_count", worker]


def test_a_process_that_hangs_is_told_as_down(server, pair):
    for hanging in children(server):
        with stopped(hanging):
            other, still = until(lambda: first_answer(pair))
            found = told(other)
        ups = {worker: found["barograph_worker_up", worker] for worker in ("0", "1")}
        assert ups == {still: 1, str(1 - int(still)): 0}
        assert {key[1] for key in found if key[0] == "barograph_devices"} == {still}


def first_answer(pair):
    """The client of the process that still answers, and the process's number."""
    for client in pair:
        with contextlib.suppress(httpx.TimeoutException):
            return client, str(client.get("/healthz", timeout=3).json()["worker"])
    return None  # the one that does not hang was slow


def test_a_stranger_is_told_nothing(server):
    with httpx.Client(
        base_url=server.url, headers={"X-Forwarded-For": "1.2.3.4"}, timeout=PATIENCE_SECONDS
    ) as stranger:
        assert stranger.get("/metrics").status_code == 401
