"""The Locust file of device monitoring, run as its documentation says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD_TESTS = Path(__file__).parents[2] / "load_tests"
END = Path(__file__).parent / "load_end.py"
MIX = {
    "POST readings, one",
    "POST readings, 20 rows",
    "GET newest values of a device",
    "GET summary of a device",
    "GET a device's last hour by the minute",
    "GET summary of all a user's devices",
}


def load(url, **environment):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", f"locustfile.py,{END}", f"--host={url}"),
            *("--headless", "--users", "20", "--spawn-rate", "20", "--run-time", "240s"),
            *("--stop-timeout", "20", "--json"),
        ],
        cwd=LOAD_TESTS,
        env={**os.environ, "LOAD_NAMES": "|".join(MIX), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def ran(started):
    server = started()
    return server, load(server.url)


def test_the_load_mixes_writes_newest_values_and_summaries_and_none_fails(ran):
    told = ran[1]
    assert set(told) >= MIX
    assert [one["name"] for one in told.values() if one["num_failures"]] == []


def test_what_the_load_wrote_is_stored_for_users_with_many_devices(ran):
    server, told = ran
    users = server.client.get("/api/users").json()["items"]
    counts = []
    for user in users:
        answer = server.client.get(f"/api/analytics/users/{user['id']}").json()
        assert answer["device_count"] == 5
        counts.append(answer["metrics"]["x"]["count"])
    one, many = (told[f"POST readings, {what}"]["num_requests"] for what in ("one", "20 rows"))
    # What gathered rows overlap in time differs in its microseconds, so that nothing is replaced.
    assert sum(counts) == one + 20 * many


def test_the_load_runs_as_one_user_where_credentials_are_wanted(locked):
    reg = {"command": "reg", "params": "load@example.org"}
    token = locked.client.post("/users", json=reg).json()["message"]
    told = load(locked.url, BAROGRAPH_TOKEN=token, DEVICES="2")
    assert [one["name"] for one in told.values() if one["num_failures"]] == []
    assert "POST /api/users/" not in told
