"""What a dashboard that is open is told, on a real server."""

import json

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def board(server):
    """A dashboard of two devices; the second panel shows all metrics of the first."""
    for key in ("kitchen", "attic"):
        httpx.post(
            f"{server.url}/api/devices", json={"name": key, "key": key}, timeout=PATIENCE_SECONDS
        )
    panels = [
        {"kind": "stat", "question": {"devices": ["kitchen"], "metrics": ["temp*"]}},
        {"kind": "table", "question": {"devices": ["kitchen"]}},
        {"kind": "stat", "question": {"devices": ["attic"]}},
        {"kind": "text", "text": "Note"},
    ]
    made = httpx.post(
        f"{server.url}/api/dashboards",
        json={"name": "House", "panels": panels},
        timeout=PATIENCE_SECONDS,
    )
    return made.json()["id"]


def _told(server, path, *readings):
    """The panels that the first event names after these readings came."""
    with httpx.stream("GET", f"{server.url}{path}", timeout=PATIENCE_SECONDS) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        for key, reading in readings:
            httpx.post(
                f"{server.url}/api/devices/{key}/data", json=reading, timeout=PATIENCE_SECONDS
            )
        return next(json.loads(line[6:]) for line in lines if line.startswith("data: "))


def test_only_the_panels_that_show_the_series_are_told(server, board):
    path = f"/ui/dashboards/{board}/live"
    assert _told(server, path, ("kitchen", {"temperature": 20})) == [0, 1]
    assert _told(server, path, ("kitchen", {"humidity": 50})) == [1]
    assert _told(server, path, ("attic", {"humidity": 50})) == [2]


def test_who_comes_by_a_link_is_told_as_well_until_it_is_revoked(server, board):
    link = httpx.post(
        f"{server.url}/api/dashboards/{board}/links",
        json={"name": "wall"},
        timeout=PATIENCE_SECONDS,
    ).json()
    path = f"{link['path']}/live"
    assert _told(server, path, ("attic", {"humidity": 51})) == [2]
    httpx.delete(
        f"{server.url}/api/dashboards/{board}/links/{link['id']}", timeout=PATIENCE_SECONDS
    )
    assert httpx.get(f"{server.url}{path}", timeout=PATIENCE_SECONDS).status_code == 404
