"""Dashboards on a wall, and arranging them while the connection comes and goes."""

import contextlib
import json
import urllib.request

import pytest
from playwright.sync_api import expect
from tests.waiting import until

from .pages import DISCONNECTED, held


@pytest.fixture(scope="module")
def hall(server):
    """A device with a reading."""
    made = server.post("/api/devices", {"name": "Hall", "key": "hall"})
    server.post("/api/devices/hall/data", {"temperature": 20})
    return made


@pytest.fixture
def board(server, hall):
    """A dashboard with three panels."""
    question = {"devices": ["hall"], "metrics": ["temperature"]}
    panels = [
        {"kind": "stat", "title": "Now", "question": question},
        {"kind": "line", "title": "Course", "question": question},
        {"kind": "text", "title": "Note", "text": "Hello"},
    ]
    return server.post("/api/dashboards", {"name": "Wall", "panels": panels})


def _change(server, method, path, body=None):
    request = urllib.request.Request(
        server.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    urllib.request.urlopen(request).close()


def _titles(page):
    return page.locator("[data-panel] h2").all_inner_texts()


def test_a_pointer_that_was_left_on_a_panel_does_not_keep_it_as_it_is(server, board, open_page):
    page = open_page(server.url)
    page.clock.install()
    page.goto(f"{server.url}/ui/dashboards/{board['id']}?kiosk=true")
    now = page.get_by_role("article", name="Now")
    now.hover()
    page.clock.fast_forward(120_000)
    server.post("/api/devices/hall/data", {"temperature": 35})
    expect(now.locator(".figure-value")).to_have_text("35")


def test_a_chart_keeps_its_name_when_it_is_drawn_to_be_read(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}")
    course = page.get_by_role("article", name="Course")
    expect(course.locator("canvas")).to_be_visible()
    expect(course.get_by_role("img", name="Course")).to_be_visible()


def test_a_link_that_is_revoked_ends_what_is_open_by_it(server, board, open_page):
    links = f"/api/dashboards/{board['id']}/links"
    link = server.post(links, {"name": "hall"})
    page = open_page(server.url, expected_error="status of 404")
    page.goto(f"{server.url}{link['path']}?kiosk=true")
    expect(page.get_by_role("article", name="Now")).to_be_visible()
    _change(server, "DELETE", f"{links}/{link['id']}")
    server.post("/api/devices/hall/data", {"temperature": 21})
    expect(page.get_by_text("There is nothing here")).to_be_visible()


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "not heard yet"])
def test_a_board_of_notes_follows_its_changes(server, open_page, is_heard):
    note = {"kind": "text", "title": "Note", "text": "Closed today"}
    path = (
        f"/dashboards/{server.post('/api/dashboards', {'name': 'Notes', 'panels': [note]})['id']}"
    )
    panels = [{**note, "text": "Open again"}]
    page = open_page(server.url, service_workers="block")
    with contextlib.nullcontext() if is_heard else held(page, "**/live?*"):
        with page.expect_request("**/live?*"):
            page.goto(f"{server.url}/ui{path}")
        expect(page.get_by_text("Closed today")).to_be_visible()
        _change(server, "PUT", f"/api{path}", {"name": "Notes", "panels": panels})
    expect(page.get_by_text("Open again")).to_be_visible()


def test_an_arrangement_that_is_not_saved_is_saved_when_the_server_answers(
    server, board, open_page
):
    path = f"{server.url}/ui/dashboards/{board['id']}/arrange"
    page = open_page(server.url, expected_error=DISCONNECTED, service_workers="block")
    page.clock.install()
    page.goto(path)
    lost = page.get_by_text("The live connection is lost")
    page.route(path, lambda route: route.abort("connectionfailed"), times=1)
    page.get_by_role("button", name="Move later: Now").click()
    expect(lost).to_be_visible()
    page.clock.fast_forward(10_000)
    expect(lost).to_be_hidden()
    expect(page.locator("[data-board]")).not_to_have_attribute("aria-busy", "true")
    page.goto(path)
    assert _titles(page) == ["Course", "Now", "Note"]


def test_who_is_signed_out_while_arranging_is_told(server, board, open_page):
    path = f"{server.url}/ui/dashboards/{board['id']}/arrange"
    page = open_page(path, service_workers="block")
    signed_out = {"status": 200, "content_type": "text/html", "body": "<h1>Sign in</h1>"}
    page.route(path, lambda route: route.fulfill(**signed_out), times=1)
    with page.expect_navigation():
        page.get_by_role("button", name="Move later: Now").click()
    assert _titles(page) == ["Now", "Course", "Note"], "as it is stored"


def test_done_waits_for_what_is_being_saved(server, board, open_page):
    path = f"{server.url}/ui/dashboards/{board['id']}/arrange"
    page = open_page(path, service_workers="block")
    with held(page, path) as waiting:
        page.get_by_role("button", name="Move later: Now").click()
        until(lambda: page.title() and waiting)
        page.get_by_role("button", name="Done").click(no_wait_after=True)
    page.wait_for_url(f"{server.url}/ui/dashboards/{board['id']}")
    assert page.locator("[data-place] h2").all_inner_texts() == ["Course", "Now", "Note"]
