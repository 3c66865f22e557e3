"""`/api/system/retention`, on a real server."""

import time

import httpx


def test_how_long_readings_are_kept_is_read_tried_set_and_reset(serve):
    server = serve(BAROGRAPH_RETENTION="365d")
    url = f"{server.url}/api/system/retention"
    found = httpx.get(url, timeout=60).json()
    assert found == {
        "retention": "365d",
        "source": "configured",
        "configured": "365d",
        "set_by": None,
        "set_time": None,
    }
    device = httpx.post(f"{server.url}/api/devices", json={"name": "Attic"}, timeout=60).json()[
        "id"
    ]
    now = int(time.time())
    readings = [{"ts": now - 86_400 * i - 60, "x": i} for i in range(5)]
    httpx.post(f"{server.url}/api/devices/{device}/data", json=readings, timeout=60)
    assert (
        httpx.get(f"{url}/effect", params={"retention": "2d"}, timeout=60).json()["readings"] == 3
    )
    answer = httpx.put(url, json={"retention": "30d"}, timeout=60)
    assert answer.status_code == 200
    server.stop()
    server = serve(BAROGRAPH_RETENTION="365d")
    url = f"{server.url}/api/system/retention"
    found = httpx.get(url, timeout=60).json()
    assert (found["retention"], found["source"], found["set_by"]) == (
        "30d",
        "set",
        "local operator",
    )
    assert httpx.put(url, json={"retention": "5 minutes"}, timeout=60).status_code == 422
    assert httpx.put(url, json={"retention": "5m"}, timeout=60).status_code == 422
    assert httpx.put(url, json={"retention": ""}, timeout=60).status_code == 422
    assert httpx.delete(url, timeout=60).json()["retention"] == "365d"
