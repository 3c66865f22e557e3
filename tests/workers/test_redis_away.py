"""Redis is a convenience: without it readings are still taken, and the server says what is missing."""

import pytest
from tests.jobs.conftest import PrivateRedis
from tests.waiting import until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device, ok, watching, write


@pytest.fixture
def redis(tmp_path):
    redis = PrivateRedis(tmp_path)
    yield redis
    redis.kill()


def test_readings_are_taken_while_redis_is_away_and_told_live_when_it_is_back(tmp_path, redis):
    with workers(tmp_path, "postgresql", BAROGRAPH_REDIS_URL=redis.url) as server:
        pair = server.each()
        device = make_device(pair[0])
        assert ok(pair[0].get("/readyz")) == {"status": "ok"}
        with watching(server, 1, device) as stream:
            ok(write(pair[0], device, {"x": 1}), 201)
            assert stream.events(1)[0][2]["value"] == 1
            redis.kill()
            said = until(lambda: (r := ok(pair[0].get("/readyz")))["status"] == "degraded" and r)
            assert "Redis does not answer" in said["away"][0]
            ok(write(pair[0], device, {"x": 2}), 201)
            assert (
                ok(pair[1].get(f"/api/devices/{device['id']}/latest"))["metrics"]["x"]["value"] == 2
            )
            assert pair[1].post("/auth", json={"username": "x", "password": "y"}).status_code == 401
            redis.start()
            until(lambda: ok(pair[0].get("/readyz"))["status"] == "ok")
            until(lambda: write(pair[0], device, {"x": 3}).status_code == 201)
            events = stream.events(1)
            while events[-1][2].get("value") != 3:
                ok(write(pair[0], device, {"x": 3}), 201)
                events += stream.events(1)
            # What was committed meanwhile is told late, or as a gap; never silently left out.
            assert events[0][0] == "gap" or events[0][2]["value"] == 2
        for client in pair:
            client.close()
