"""The Postman collection of the car dealer, run by newman."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

POSTMAN = Path(__file__).parents[2] / "postman"
NEWMAN = ["npx", "--yes", "newman"]


@pytest.fixture(scope="module")
def newman(tmp_path_factory):
    """Runs newman; skips where it cannot be had."""
    if shutil.which("npx") is None:
        pytest.skip("npm is not installed: newman cannot run the Postman collection")
    folder = tmp_path_factory.mktemp("newman")

    def run(*arguments):
        return subprocess.run(
            [*NEWMAN, *arguments],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=280,
        )

    try:
        run("--version").check_returncode()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        if os.environ.get("CI"):
            raise
        pytest.skip("newman cannot be fetched from the npm registry")
    return run


def test_every_call_and_every_failure_of_the_collection_is_as_it_says(newman, started, tmp_path):
    report = tmp_path / "report.json"
    done = newman(
        *("run", str(POSTMAN / "dealer.postman_collection.json")),
        *("--environment", str(POSTMAN / "local.postman_environment.json")),
        *("--env-var", f"baseUrl={started().url}"),
        *("--reporters", "cli,json", "--reporter-json-export", str(report), "--color", "off"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = json.loads(report.read_text())["run"]
    assert ran["failures"] == []
    asserted = {one["assertion"] for call in ran["executions"] for one in call["assertions"]}
    assert "Stock before: no cars is an error" in asserted
    assert len(ran["executions"]) == 27


def test_the_collection_has_every_call_of_the_dealer():
    collection = json.loads((POSTMAN / "dealer.postman_collection.json").read_text())
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    calls = {
        (one["request"]["method"], one["request"]["url"]["path"][0])
        for folder in collection["item"]
        for one in folder["item"]
    }
    on_cars = {(method, "auto") for method in ("GET", "POST", "PUT", "DELETE")}
    assert calls == {("POST", "register"), ("POST", "auth"), ("GET", "stock")} | on_cars
