import pytest

from barograph.domain.errors import Unavailable
from barograph.ports.reading_store import Health


def test_the_program_says_that_it_lives_and_is_ready(stranger):
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").json() == {"status": "ok"}


@pytest.fixture
def full_disk(core):
    class Full(type(core.store)):
        def health(self):
            return Health(writable=False, detail="the disk is full")

    core.store = Full()


def test_a_store_that_cannot_write_is_not_ready(full_disk, stranger):
    answer = stranger.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "the disk is full" in answer.json()["detail"]
    assert "retry-after" in answer.headers
    assert stranger.get("/healthz").status_code == 200


def test_a_catalog_that_is_away_is_not_ready(core, stranger):
    class Away:
        def check(self):
            raise Unavailable("the catalog does not answer")

    core.catalog = Away()
    assert stranger.get("/readyz").status_code == 503


def test_metrics_are_for_administrators(admin, stranger, sign_in, fleet):
    assert stranger.get("/metrics").status_code == 401
    stranger.headers = sign_in(fleet.user("anna"))
    assert stranger.get("/metrics").status_code == 403
    assert admin.get("/metrics").status_code == 200


def test_metrics_count_what_was_stored(admin, fleet):
    device = fleet.device()
    sent = admin.post(f"/api/devices/{device.id}/data", json={"x": 1, "y": 2})
    assert sent.status_code == 201
    answer = admin.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert "barograph_readings_committed_total 2.0" in lines
    assert "barograph_commit_seconds_count 1.0" in lines
    assert 'barograph_commit_seconds_bucket{le="+Inf"} 1.0' in lines
    assert "barograph_devices 1.0" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
