"""Dashboards, as a person goes about them."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from tests.waiting import free_port

from .pages import DISCONNECTED, MOVED, ages, check, every_look, held, moved


@pytest.fixture(scope="module")
def kitchen(server):
    """A device with two hours of readings, one a minute."""
    now = int(time.time())
    device = server.post("/api/devices", {"name": "Kitchen", "key": "kitchen"})
    readings = [
        {"ts": now - age, "temperature": 20 + i % 7, "heating": "on" if i // 20 % 2 else "off"}
        for i, age in enumerate(ages(120))
    ]
    server.post(f"/api/devices/{device['id']}/data", readings)
    return device


def _of(*metrics, **more):
    return {"devices": ["kitchen"], "metrics": list(metrics), **more}


@pytest.fixture
def board(server, kitchen):
    """A dashboard with a panel of each kind."""
    panels = [
        {"kind": "line", "title": "Course", "question": _of("temperature")},
        {"kind": "bar", "title": "By hour", "question": _of("temperature", interval="1h")},
        {"kind": "stat", "title": "Now", "question": _of("temperature")},
        {"kind": "gauge", "title": "Gauge", "low": 0, "high": 40, "question": _of("temperature")},
        {"kind": "table", "title": "Numbers", "question": _of(stats=["count", "max"])},
        {"kind": "states", "title": "Heating", "question": _of("heating")},
        {"kind": "text", "title": "Note", "text": "One <b>line</b>\nand another"},
    ]
    return server.post("/api/dashboards", {"name": "House", "panels": panels})


def _titles(page):
    return page.locator("[data-panel] h2").all_inner_texts()


def test_a_dashboard_is_made_filled_and_looked_at(server, kitchen, open_page):
    page = open_page(f"{server.url}/ui/dashboards")
    page.get_by_label("Name").fill("Mine")
    page.get_by_role("button", name="Make").click()
    page.get_by_role("link", name="Gauge").click()
    expect(page.get_by_label("Buckets of")).to_be_hidden()
    page.get_by_label("Title").fill("Warmth")
    page.get_by_role("checkbox", name="Kitchen").check()
    page.get_by_role("checkbox", name="temperature").check()
    page.get_by_label("to", exact=True).fill("40")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Text", exact=True).click()
    page.get_by_role("textbox", name="Text").fill("Mind the gap")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")
    expect(page.locator(".gauge-fill")).to_have_attribute("stroke-dasharray", "50.0 200")
    expect(page.get_by_text("Mind the gap")).to_be_visible()


def test_every_kind_of_panel_shows_what_it_should(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}")
    panel = lambda name: page.get_by_role("article", name=name)  # noqa: E731  # reads best here
    expect(panel("Course").locator("canvas")).to_be_visible()
    assert panel("By hour").locator("rect.bar").count() in {2, 3}
    expect(panel("Now").locator(".figure-value")).to_have_text("20")
    expect(panel("Gauge").locator(".figure-value")).to_have_text("20")
    expect(panel("Numbers").locator("tr", has_text="temperature").locator("td")).to_have_text(
        ["120", "26"]
    )
    assert panel("Heating").locator("rect.bar").count() >= 6
    expect(panel("Heating").locator(".state-times text")).to_have_count(4)
    assert all(panel("Heating").locator(".state-times text").all_text_contents())
    expect(panel("Note")).to_contain_text("One <b>line</b>")
    page.get_by_label("Period").select_option("last hour")
    page.wait_for_url("**since=-1h*")
    expect(panel("Numbers").locator("tr", has_text="temperature").locator("td").first).to_have_text(
        "60"
    )


def test_panels_are_arranged_by_keyboard_and_by_dragging(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}/arrange")
    before = _titles(page)
    page.get_by_role("button", name="Move later: Course").press("Enter")
    expect(page.get_by_role("button", name="Move later: Course")).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("Panel Course is now in place 2.")
    page.get_by_role("article", name="Note").drag_to(page.get_by_role("article", name="By hour"))
    moved = [before[-1], before[1], before[0], *before[2:-1]]
    expect(page.locator("[data-panel] h2")).to_have_text(moved)
    assert _titles(page) == moved
    page.get_by_label("Width: Note").select_option("a third")
    expect(page.locator("[data-board]")).not_to_have_attribute("aria-busy", "true")
    page.reload()
    assert _titles(page) == moved
    expect(page.get_by_label("Width: Note")).to_have_value("4")
    page.get_by_role("button", name="Remove Note").click()
    expect(page.locator("[data-panel]")).to_have_count(6)


def test_arranging_needs_no_scripts(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}/arrange", java_script_enabled=False)
    before = _titles(page)
    page.get_by_role("button", name="Move earlier: By hour").click()
    assert _titles(page)[:2] == [before[1], before[0]]
    page.goto(f"{server.url}/ui/dashboards/{board['id']}")
    expect(page.locator(".kind-line path.line")).to_have_count(1)


def test_panels_whose_readings_came_follow_at_once_and_only_they(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}")
    asked = []
    page.on("request", lambda one: asked.append(one.url) if "panels=" in one.url else None)
    now = page.get_by_role("article", name="Now")
    for value in (31, 32):
        server.post("/api/devices/kitchen/data", {"temperature": value})
        expect(now.locator(".figure-value")).to_have_text(str(value))
    expect(page.get_by_role("article", name="Gauge").locator(".figure-value")).to_have_text("32")
    places = {place for url in asked for place in parse_qs(urlsplit(url).query)["panels"][0]}
    assert {"2", "3"} <= places - {","}
    assert "6" not in places, "a note has no readings"


def test_a_panel_that_is_being_read_stays_as_it_is(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}")
    panels = {name: page.get_by_role("article", name=name) for name in ("Now", "Gauge")}
    before = panels["Now"].locator(".figure-value").inner_text()
    panels["Now"].hover()
    server.post("/api/devices/kitchen/data", {"temperature": 35})
    expect(panels["Gauge"].locator(".figure-value")).to_have_text("35")
    assert panels["Now"].locator(".figure-value").inner_text() == before
    page.mouse.move(0, 0)
    expect(panels["Now"].locator(".figure-value")).to_have_text("35")


def test_a_dashboard_says_when_the_connection_is_lost_and_catches_up(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}", expected_error=DISCONNECTED)
    value = page.get_by_role("article", name="Now").locator(".figure-value")
    page.context.set_offline(True)
    lost = page.get_by_text("The live connection is lost")
    expect(lost).to_be_visible()
    server.post("/api/devices/kitchen/data", {"temperature": 36})
    page.context.set_offline(False)
    expect(value).to_have_text("36")
    expect(lost).to_be_hidden()


def test_a_dashboard_says_when_the_network_is_slow(server, board, open_page):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}", service_workers="block")
    with held(page, "**/*panels=*"):
        server.post("/api/devices/kitchen/data", {"temperature": 37})
        expect(page.get_by_text("Loading…")).to_be_visible()
    expect(page.get_by_role("article", name="Now").locator(".figure-value")).to_have_text("37")
    expect(page.get_by_text("Loading…")).to_be_hidden()


def test_a_link_shows_the_dashboard_and_nothing_else_until_it_is_revoked(start_server, open_page):
    port = free_port()
    server = start_server(port=port)
    server.post("/api/devices", {"name": "Kitchen", "key": "kitchen"})
    server.post("/api/devices/kitchen/data", {"temperature": 20})
    panels = [{"kind": "stat", "title": "Now", "question": _of("temperature")}]
    board = server.post("/api/dashboards", {"name": "Wall", "panels": panels})
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}/sharing")
    page.locator("#links").get_by_label("What is it for?").fill("hall")
    page.get_by_role("button", name="Make a link").click()
    address = page.locator("#link").inner_text()
    server.stop()
    # Now everybody has to sign in; the link still shows what it showed.
    server = start_server("--auth", "required", port=port)
    wall = open_page(f"{address}?kiosk=true", expected_error="status of 404")
    expect(wall.get_by_role("article", name="Now")).to_contain_text("20")
    expect(wall.locator(".site")).to_be_hidden()
    check(wall)
    wall.get_by_role("link", name="Leave the kiosk").click()
    expect(wall.get_by_role("navigation")).to_have_count(0)
    check(wall)
    wall.goto(f"{server.url}/ui/dashboards/{board['id']}")
    assert "/sign-in" in wall.url
    other = address[:-1] + ("y" if address.endswith("x") else "x")
    assert wall.goto(other).status == 404


def test_a_dashboard_goes_to_a_file_and_comes_back(server, board, open_page, tmp_path):
    page = open_page(f"{server.url}/ui/dashboards/{board['id']}", expected_error="status of 4")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    file = tmp_path / "house.json"
    download.value.save_as(file)
    told = json.loads(file.read_text())
    assert told["panels"][0]["question"]["devices"] == ["kitchen"]
    page.goto(f"{server.url}/ui/dashboards")
    page.get_by_label("Exported dashboard").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".board-panel")).to_have_count(7)
    (tmp_path / "other.json").write_text("[1,")
    page.goto(f"{server.url}/ui/dashboards")
    page.get_by_label("Exported dashboard").set_input_files(tmp_path / "other.json")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_have_text("The file is no dashboard.")


def test_every_page_of_dashboards_is_accessible_in_every_look(server, board, open_page):
    at = f"/ui/dashboards/{board['id']}"
    paths = ("/ui/dashboards", at, f"{at}/arrange", f"{at}/panels/1", f"{at}/sharing")
    every_look(open_page, server.url, paths)


def test_nothing_moves_while_a_dashboard_or_the_form_of_a_panel_loads(server, board, open_page):
    page = open_page(server.url, viewport={"width": 360, "height": 780}, script=MOVED)
    at = f"{server.url}/ui/dashboards/{board['id']}"
    for path, shown in ((at, ".uplot"), (f"{at}/panels/3", "[data-kind]")):
        page.goto(path)
        expect(page.locator(shown).first).to_be_visible()
        assert moved(page) < 0.001, path


_LIE_ON_EACH_OTHER = """(panel) => {
  const parts = [...panel.querySelectorAll("h2, .figure-value, .gauge-ends, .figure-label")];
  const boxes = parts.map((part) => part.getBoundingClientRect());
  return boxes.some((a, i) => boxes.some((b, j) => i < j &&
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2));
}"""


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_figures_and_gauges_of_several_devices_lie_beside_each_other(server, open_page, width):
    devices = [
        server.post("/api/devices", {"name": f"A room with a long name {i}"})["id"]
        for i in range(3)
    ]
    for one in devices:
        server.post(f"/api/devices/{one}/data", {"temperature": 21.5, "humidity": 1048.25})
    of = {"devices": devices, "metrics": ["temperature", "humidity"]}
    panels = [
        {"kind": "stat", "title": "Rooms", "width": 3, "height": 1, "question": of},
        {"kind": "gauge", "title": "Rooms", "low": 0, "high": 40, "width": 6, "question": of},
    ]
    board = server.post("/api/dashboards", {"name": "Rooms", "panels": panels})
    for path in ("", "/arrange"):
        page = open_page(
            f"{server.url}/ui/dashboards/{board['id']}{path}",
            viewport={"width": width, "height": 900},
        )
        for panel in page.locator(".board-panel").all():
            assert not panel.evaluate(_LIE_ON_EACH_OTHER), panel.inner_text()
