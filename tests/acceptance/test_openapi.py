"""The OpenAPI schema is true: schemathesis tries every operation against a real server."""

import subprocess
import sysconfig
from pathlib import Path

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS

EXAMPLES = 30
SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"


# With partial=true the good part of a body that is partly against the schema is stored, as it is
# meant to be: that has tests of its own.
CONFIG = """
[[operations]]
include-name = "POST /api/devices/{device}/data"
parameters = { "query.partial" = false }
"""


@pytest.fixture(scope="module")
def furnished(server):
    """A server with something of everything, so that small ids hit."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        ann = {"username": "ann", "email": "ann@example.org"}
        user = client.post("/api/users", json=ann).json()
        asset = client.post("/api/assets", json={"kind": "car", "name": "one"}).json()
        device = client.post(
            "/api/devices",
            json={"name": "kitchen", "user_id": user["id"], "asset_id": asset["id"]},
        ).json()
        readings = [{"ts": 1_750_000_000 + i * 60, "x": i, "state": "on"} for i in range(50)]
        client.post(f"/api/devices/{device['id']}/data", json=readings).raise_for_status()
        client.post(f"/api/devices/{device['id']}/commands", json={"command": "on"})
    return server


def test_every_answer_is_documented_and_none_is_an_error_of_the_server(furnished, tmp_path):
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "--config-file", str(config), "run", furnished.url + "/openapi.json"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)),
            *(
                "--generation-deterministic",
                "--no-color",
                "--request-timeout",
                str(PATIENCE_SECONDS),
            ),
            # The live stream does not end by itself; it has tests of its own.
            *("--exclude-path", "/api/live"),
            # JSON Schema cannot say what a time, a zone or a common password is: such values are
            # refused with a 422 that is documented.
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " 0 generated" not in done.stdout
