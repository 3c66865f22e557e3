"""`barograph serve --demo`."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx


def test_the_demo_shows_a_house_a_mast_and_cars(tmp_path, serve):
    server = serve("--demo")
    found = httpx.get(server.url + "/api/devices/", timeout=60).json()
    assert found["total"] == 12
    page = httpx.get(server.url + "/", timeout=60).text
    assert "Weather mast 1" in page
    assert "km/h" in page
    asked = {"stats": "count", "metrics": "pressure", "start_time": "-8d"}
    summary = httpx.get(
        server.url + "/api/analytics/devices/weather-mast", params=asked, timeout=60
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
        assert httpx.get(url, timeout=60).status_code == 200  # it answers, so Ctrl-C is heard
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert not directory.exists()
    assert list(tmp_path.iterdir()) == []
