"""Pages that stay open while readings come: what follows them, and what they do not do for it."""

import re
import time

import pytest
from playwright.sync_api import expect
from tests.waiting import until

from .pages import DISCONNECTED, ages, held

MINUTE = 60


@pytest.fixture
def device(server):
    """Make a device with readings: `device(name, readings)`; gives its id."""

    def device(name, readings):
        made = server.post("/api/devices/", {"name": name})
        server.post(f"/api/devices/{made['id']}/data", readings)
        return made["id"]

    return device


def _refresh(page):
    """Have the list asked for anew, and wait for it."""
    with page.expect_response(lambda answer: "hx-request" in answer.request.headers) as answer:
        page.evaluate(
            """document.dispatchEvent(
              new CustomEvent("live:list", { detail: { atMostEvery: 0 } }))"""
        )
    answer.value.finished()


def test_a_reading_that_comes_between_the_page_and_its_stream_is_drawn(server, device, open_page):
    now = int(time.time())
    shed = device("Shed", [{"ts": now - MINUTE * i, "temperature": 20} for i in range(1, 30)])
    page = open_page(server.url, service_workers="block")
    strip = page.locator('[data-strip="temperature"]')
    with held(page, "**/api/live?*"):
        page.goto(f"{server.url}/ui/devices/{shed}?range=1h")
        expect(strip.locator("canvas")).to_be_visible()
        server.post(f"/api/devices/{shed}/data", {"temperature": 90})
    box = strip.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 40)
    expect(strip.locator("[data-read] b")).to_have_text("90")


def test_metrics_without_a_place_in_the_list_do_not_have_it_asked_for_again_and_again(
    server, device, open_page
):
    now = int(time.time())
    way = [
        {"ts": now - 9 + i, "speed": speed, "lat": 52.5, "lon": 13.4}
        for i, speed in enumerate((0, 100))
    ]
    tracker = device("Tracker", way)
    page = open_page(server.url)
    page.clock.install()
    page.goto(f"{server.url}/?search=Tracker")
    asked = []
    page.on("request", lambda one: "hx-request" in one.headers and asked.append(one.url))
    speed = page.locator(f'[data-device="{tracker}"][data-metric="speed"]')
    for i in range(6):
        server.post(f"/api/devices/{tracker}/data", {"speed": 50 + i, "lat": 52 + i, "lon": 13 + i})
        expect(speed).to_have_text(str(50 + i))
        page.clock.fast_forward(5_000)
    assert len(asked) <= 2, "once for each of the two"


def test_a_late_reading_is_not_the_newest_even_after_the_list_came_anew(server, device, open_page):
    now = int(time.time())
    attic = device("Late attic", {"ts": now - MINUTE, "temperature": 20, "humidity": 40})
    page = open_page(f"{server.url}/?search=Late")

    def value(metric):
        return page.locator(f'[data-device="{attic}"][data-metric="{metric}"]')

    server.post(f"/api/devices/{attic}/data", {"ts": now, "temperature": 21, "humidity": 41})
    expect(value("humidity")).to_have_text("41")
    _refresh(page)
    expect(value("temperature")).to_have_text("21")
    server.post(f"/api/devices/{attic}/data", {"ts": now - 600, "temperature": 20.5})
    server.post(f"/api/devices/{attic}/data", {"ts": now, "humidity": 42})
    expect(value("humidity")).to_have_text("42")
    assert value("temperature").inner_text() == "21"


def test_a_curve_that_came_anew_is_the_one_that_goes_on(server, device, open_page):
    now = int(time.time())
    shed = device("Shed", [{"ts": now - 600 * i, "temperature": 20 + i % 7} for i in range(1, 30)])
    page = open_page(f"{server.url}/?search=Shed")
    line = page.locator(f'svg[data-spark="{shed}"] .line')
    first = line.get_attribute("d")
    server.post(f"/api/devices/{shed}/data", {"temperature": 21})
    expect(line).to_have_attribute("d", re.compile("^" + re.escape(first) + r"L160,\d"))
    server.post(
        f"/api/devices/{shed}/data",
        [{"ts": now - 300 - 600 * i, "temperature": 22} for i in range(40)],
    )
    _refresh(page)
    anew = until(lambda: not (found := line.get_attribute("d")).startswith(first) and found)
    server.post(f"/api/devices/{shed}/data", {"temperature": 23})
    expect(line).to_have_attribute("d", re.compile("^" + re.escape(anew) + r"L160,\d"))


def test_the_moment_beside_a_value_is_that_of_the_value(server, device, open_page):
    now = int(time.time())
    barn = device("Barn", {"ts": now - 60 * MINUTE, "temperature": 20})
    page = open_page(f"{server.url}/ui/devices/{barn}")
    tile = page.locator("#newest dd")
    server.post(f"/api/devices/{barn}/data", {"ts": now, "temperature": 21})
    expect(tile).to_have_text("21")
    moment = time.strftime("%d %b %Y %H:%M:%S", time.gmtime(now)).lstrip("0")
    expect(tile).to_have_attribute("title", moment)
    expect(page.locator(".facts time").first).to_have_attribute("title", moment)


def test_a_button_that_copies_can_be_pressed_twice(server, device, open_page):
    stable = device("Stable", {"x": 1})
    page = open_page(server.url, permissions=["clipboard-read", "clipboard-write"])
    page.clock.install()
    page.goto(f"{server.url}/ui/devices/{stable}")
    button = page.locator("#connect .copy").first
    button.click()
    expect(button).to_have_text("✓")
    button.click()
    page.clock.run_for(10_000)
    expect(button).to_have_text("Copy")


@pytest.fixture
def hundred(start_server):
    """A server with an asset that has 101 devices."""
    server = start_server()
    room = server.post("/api/assets", {"kind": "room", "name": "Hall"})["id"]
    for i in range(101):
        made = server.post("/api/devices/", {"name": f"Sensor {i:03}", "asset_id": room})
        server.post(f"/api/devices/{made['id']}/data", {"x": i})
    return server


def test_a_page_of_very_many_devices_catches_up_and_stays_the_page_it_is(hundred, open_page):
    page = open_page(
        f"{hundred.url}/ui/inventory", expected_error=DISCONNECTED, service_workers="block"
    )
    with page.expect_response(re.compile(r"/ui/newest\?.*device=101(&|$)")) as answer:
        page.get_by_role("link", name="Hall").click()
    assert answer.value.status == 200
    # An answer that fails is asked for again, of the same page of the list.
    page.clock.install()
    page.goto(f"{hundred.url}/?page=2")
    expect(page.locator("#devices")).to_contain_text("Page 2 of 3")
    with page.expect_request(lambda one: "hx-request" in one.headers):
        page.route("**/?page=2", lambda route: route.abort("connectionfailed"), times=1)
        page.evaluate("document.dispatchEvent(new CustomEvent('live:list', { detail: {} }))")
    expect(page.get_by_text("The live connection is lost")).to_be_visible()
    with page.expect_response(lambda answer: "hx-request" in answer.request.headers) as answer:
        page.clock.fast_forward(6_000)
    assert answer.value.url.endswith("/?page=2")
    expect(page.get_by_text("The live connection is lost")).to_be_hidden()
    expect(page.locator("#devices")).to_contain_text("Page 2 of 3")
    assert page.url.endswith("/?page=2")


@pytest.fixture
def oven(server, device):
    """The page of a device with three hours of readings, 60 of them in the last hour."""
    now = int(time.time())
    readings = [{"ts": now - age, "heat": 20 + i % 7} for i, age in enumerate(ages(180))]
    return f"{server.url}/ui/devices/{device('Oven', readings)}"


def _drawn(page, query):
    expect(page.locator("#period")).to_have_attribute("data-drawn", query)


def _count(page):
    return page.locator('[data-of="heat"][data-statistic="count"] .figure')


def test_the_figures_are_those_of_the_period_that_was_chosen_last(oven, open_page):
    page = open_page(f"{oven}?range=6h", service_workers="block")
    _drawn(page, "range=6h")
    expect(_count(page)).to_have_text("180")
    with held(page, "**/figures?*"):
        for label, range_ in (("7 d", "7d"), ("30 d", "30d"), ("1 h", "1h")):
            page.get_by_role("link", name=label, exact=True).click()
            _drawn(page, f"range={range_}")
            page.evaluate("new Promise((done) => setTimeout(done))")
    expect(_count(page)).to_have_text("60")


def test_older_readings_stay_while_figures_follow(server, oven, open_page):
    page = open_page(server.url)
    page.clock.install()
    page.goto(f"{oven}?range=6h")
    _drawn(page, "range=6h")
    expect(_count(page)).to_have_text("180")
    first = page.locator("#readings tbody time").first
    newest = first.inner_text()
    page.get_by_role("link", name="Older readings").click()
    expect(first).not_to_have_text(newest)
    older = first.inner_text()
    server.post(f"/api/devices/{oven.rpartition('/')[2]}/data", {"heat": 33})
    expect(page.locator("#newest .value")).to_have_text("33")
    page.clock.fast_forward(60_000)
    expect(_count(page)).to_have_text("181")
    expect(first).to_have_text(older)


def test_a_jump_within_the_page_loads_nothing(oven, open_page):
    page = open_page(oven)
    page.reload()
    expect(_count(page)).to_have_text("180")
    asked = []
    page.on("request", lambda one: asked.append(one.url))
    page.evaluate("addEventListener('popstate', () => { window.jumped = true; })")
    page.get_by_role("link", name="Statistics", exact=True).click()
    until(lambda: page.evaluate("window.jumped"))
    assert [url for url in asked if "/chart" in url or "/figures" in url] == []


def test_a_chart_of_a_long_period_does_not_gather_readings_without_end(server, oven, open_page):
    page = open_page(server.url)
    page.clock.install()
    page.goto(f"{oven}?range=1y")
    _drawn(page, "range=1y")
    now = time.time()
    with page.expect_response("**/chart?*"):
        for part in range(25):
            server.post(
                f"/api/devices/{oven.rpartition('/')[2]}/data",
                [{"ts": now + (part * 100 + i) / 1000, "heat": part} for i in range(100)],
            )
            expect(page.locator("#newest .value")).to_have_text(str(part))
        page.clock.fast_forward(10_000)


def test_a_refresh_of_commands_leaves_the_button_that_is_about_to_be_pressed(
    server, oven, open_page
):
    server.post(f"/api/devices/{oven.rpartition('/')[2]}/commands", {"command": "off"})
    page = open_page(server.url)
    page.clock.install()
    page.goto(oven)
    _drawn(page, "range=24h")
    cancel = page.get_by_role("button", name="Cancel off")
    cancel.focus()
    with page.expect_response("**/exchange") as answer:
        page.clock.fast_forward(4_000)
    answer.value.finished()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(cancel).to_be_focused()
