"""The measurements run, with next to nothing to measure; what they find is not judged here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_without_a_name_the_measurements_are_listed():
    said = bench().stdout
    assert {"bulk", "single", "query", "idle", "load", "mqtt"} <= set(said.split())


def test_an_unknown_name_is_refused():
    assert bench("nonsense").returncode != 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["bulk", "--rounds", "1", "--bodies", "1"], "columns"),
        (
            ["single", "--rounds", "1", "--seconds", "1", "--connections", "2"],
            ("barograph", "skip"),
        ),
        (
            ["query", "--readings", "3000", "--devices", "2", "--times", "1", "--settle", "0"],
            "newest",
        ),
        (
            ["idle", "--readings", "600", "--devices", "2", "--seconds", "1", "--starts", "1"],
            "ready",
        ),
        (
            [
                *("mqtt", "--rounds", "1", "--seconds", "0.2", "--connections", "2"),
                *("--messages", "2000", "--paced", "5", "--idle", "5"),
            ],
            "idle connections",
        ),
        pytest.param(
            ["mqtt_bridge", "--rounds", "1", "--messages", "300"],
            "ratio",
            marks=pytest.mark.skipif(
                shutil.which("mosquitto") is None and os.environ.get("CI") != "true",
                reason="mosquitto is not installed",
            ),
        ),
        pytest.param(
            ["page", "--readings", "3000", "--devices", "2", "--times", "1"],
            "kB compressed",
            marks=pytest.mark.skipif(
                not Path("/usr/bin/chromium").exists(), reason="/usr/bin/chromium is missing"
            ),
        ),
        (
            [
                *("sql_stores", "--rounds", "1", "--batches", "1", "--batch", "100"),
                *("--readings", "50000", "--times", "1"),
            ],
            "SQLite: the month",
        ),
        (["load", "--households", "3", "--seconds", "3"], "POST readings, one"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_measurement_runs(arguments, expected):
    run = bench(*arguments)
    assert run.returncode == 0, run.stderr
    assert any(
        one in run.stdout for one in (expected if isinstance(expected, tuple) else [expected])
    )
