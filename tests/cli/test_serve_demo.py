"""`barograph serve --demo`."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from tests.waiting import PATIENCE_SECONDS


def test_the_demo_shows_a_house_a_mast_and_cars(tmp_path, serve):
    server = serve("--demo")
    found = httpx.get(server.url + "/api/devices/", timeout=PATIENCE_SECONDS).json()
    assert found["total"] == 12
    page = httpx.get(server.url + "/", timeout=PATIENCE_SECONDS).text
    assert "Weather mast 1" in page
    assert "km/h" in page
    asked = {"stats": "count", "metrics": "pressure", "start_time": "-8d"}
    summary = httpx.get(
        server.url + "/api/analytics/devices/weather-mast", params=asked, timeout=PATIENCE_SECONDS
    ).json()
    assert summary["metrics"]["pressure"]["count"] > 2_500
    assert server.stop() == 0


def test_without_a_named_directory_nothing_stays(tmp_path):
    command = [sys.executable, "-m", "barograph", "serve", "--demo", "--port", "0"]
    with subprocess.Popen(
        [*command, "--mqtt-port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        told = ""
        while "data " not in told:
            told += process.stdout.readline()
        directory = Path(re.search(r"data\s+(\S+)", told)[1])
        assert directory.is_dir()
        url = re.search(r"dashboard\s+(\S+)", told)[1]
        # It answers, so Ctrl-C is heard.
        assert httpx.get(url, timeout=PATIENCE_SECONDS).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert not directory.exists()
    assert list(tmp_path.iterdir()) == []
