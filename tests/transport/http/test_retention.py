"""`/api/system/retention`, on a real server."""

import time

import httpx
from tests.waiting import PATIENCE_SECONDS


def test_how_long_readings_are_kept_is_read_tried_set_and_reset(serve):
    server = serve(BAROGRAPH_RETENTION="365d")
    url = f"{server.url}/api/system/retention"
    found = httpx.get(url, timeout=PATIENCE_SECONDS).json()
    assert found == {
        "retention": "365d",
        "source": "configured",
        "configured": "365d",
        "set_by": None,
        "set_time": None,
    }
    device = httpx.post(
        f"{server.url}/api/devices", json={"name": "Attic"}, timeout=PATIENCE_SECONDS
    ).json()["id"]
    now = int(time.time())
    readings = [{"ts": now - 86_400 * i - 60, "x": i} for i in range(5)]
    httpx.post(f"{server.url}/api/devices/{device}/data", json=readings, timeout=PATIENCE_SECONDS)
    assert (
        httpx.get(f"{url}/effect", params={"retention": "2d"}, timeout=PATIENCE_SECONDS).json()[
            "readings"
        ]
        == 3
    )
    answer = httpx.put(url, json={"retention": "30d"}, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200
    server.stop()
    server = serve(BAROGRAPH_RETENTION="365d")
    url = f"{server.url}/api/system/retention"
    found = httpx.get(url, timeout=PATIENCE_SECONDS).json()
    assert (found["retention"], found["source"], found["set_by"]) == (
        "30d",
        "set",
        "local operator",
    )
    assert (
        httpx.put(url, json={"retention": "5 minutes"}, timeout=PATIENCE_SECONDS).status_code == 422
    )
    assert httpx.put(url, json={"retention": "5m"}, timeout=PATIENCE_SECONDS).status_code == 422
    assert httpx.put(url, json={"retention": ""}, timeout=PATIENCE_SECONDS).status_code == 422
    assert httpx.delete(url, timeout=PATIENCE_SECONDS).json()["retention"] == "365d"
