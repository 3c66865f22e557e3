"""What a visitor does with one device's period, metrics and readings."""

import re
import time

import pytest
from playwright.sync_api import expect
from tests.waiting import until

from .pages import DISCONNECTED, MOVED, ages, check, every_look, held, moved


@pytest.fixture(scope="module")
def car(server):
    """A device that drove for three hours: numbers, a place, a state."""
    device = server.post("/api/devices/", {"name": "Car", "key": "car"})
    now = int(time.time())
    server.post(
        "/api/devices/car/data",
        [
            {
                "ts": now - age,
                "speed": 50 + i % 7,
                "fuel": 40 - i / 10,
                "lat": 52.5 + i / 1000,
                "lon": 13.4 + i / 2000,
                "engine": "on" if i % 60 < 40 else "off",
            }
            for i, age in enumerate(ages(180))
        ],
    )
    return f"{server.url}/ui/devices/{device['id']}"


def figure(page, metric, statistic):
    return page.locator(f'[data-of="{metric}"][data-statistic="{statistic}"] .figure')


def drawn(page, metric):
    page.wait_for_selector(f'[data-strip="{metric}"] canvas')


def test_the_chart_comes_first_and_the_figures_after_it(car, open_page):
    page = open_page(car)
    drawn(page, "speed")
    page.reload()  # now the server knows that scripts run here
    expect(figure(page, "speed", "count")).to_have_text("180")
    page.get_by_role("link", name="1 h", exact=True).click()
    expect(figure(page, "speed", "count")).to_have_text("60")
    expect(page.locator('[data-of="fuel"][data-statistic="count"] .change')).to_have_text("±0")


def test_nothing_moves_when_the_chart_to_zoom_in_takes_the_place_of_the_drawn_one(car, open_page):
    page = open_page(f"{car}?range=6h")
    drawn(page, "speed")
    page.add_init_script(MOVED)
    page.reload()  # as from the second page on: the data come with the page
    drawn(page, "fuel")
    assert moved(page) < 0.001


def test_nothing_moves_when_the_figures_of_a_short_page_come(server, open_page):
    device = server.post("/api/devices", {"name": "Cellar"})
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 11.5, "door": "shut"})
    page = open_page(server.url, viewport={"width": 1280, "height": 900}, script=MOVED)
    page.goto(f"{server.url}/ui/devices/{device['id']}")
    expect(figure(page, "temperature", "count")).to_have_text("1")
    drawn(page, "temperature")
    assert moved(page) < 0.001


def test_what_every_page_loads_waits_for_the_chart(car, open_page):
    page = open_page(
        f"{car}?range=6h",
        script="""window.order = [];
        new PerformanceObserver((list) => {
          for (const one of list.getEntries()) window.order.push(one.name.split("/").at(-1));
        }).observe({ type: "resource", buffered: true });""",
    )
    files = {"uPlot.iife.min.js", "strip.js", "htmx.min.js", "app.js"}
    order = until(lambda: files <= {*(found := page.evaluate("window.order"))} and found)
    assert order.index("htmx.min.js") > order.index("uPlot.iife.min.js")
    assert order.index("app.js") > order.index("strip.js")


def test_a_tile_takes_its_metric_off_the_chart_and_puts_it_back(car, open_page):
    page = open_page(f"{car}?range=6h")
    drawn(page, "speed")
    page.locator('[data-toggle="speed"]').click()
    drawn(page, "fuel")
    expect(page.locator('[data-strip="speed"]')).to_have_count(0)
    page.wait_for_url("**range=6h*")
    page.locator('[data-toggle="speed"]').click()
    drawn(page, "speed")


def test_states_are_bars_and_follow_the_cursor_as_the_track_does(car, open_page):
    page = open_page(f"{car}?range=6h")
    drawn(page, "speed")
    bars = page.locator('[data-strip="engine"] [data-timeline] span')
    expect(bars).to_have_count(6)
    expect(page.locator("[data-legend]")).to_contain_text("on")
    over = page.locator('[data-strip="speed"] .u-over')
    over.hover(position={"x": over.bounding_box()["width"] * 0.95, "y": 40})
    expect(page.locator('[data-strip="engine"] [data-read]')).to_have_text("on")
    expect(page.locator("[data-track-now]")).to_have_attribute("visibility", "visible")


def test_the_period_moves_and_widens(car, open_page):
    page = open_page(f"{car}?range=1h")
    drawn(page, "speed")
    expect(figure(page, "speed", "count")).to_have_text("60")
    page.get_by_role("link", name="Earlier", exact=True).click()
    page.wait_for_url(re.compile("start_time="))
    expect(page.locator('[data-of="speed"][data-statistic="count"] .change')).to_be_visible()
    page.get_by_role("link", name="Zoom out").click()
    expect(figure(page, "speed", "count")).to_have_text(re.compile("1(19|20|21)"))


def test_older_readings_are_a_click_away(car, open_page):
    page = open_page(f"{car}?range=6h")
    first = page.locator("#readings tbody time").first
    newest = first.inner_text()
    page.get_by_role("link", name="Older readings").click()
    expect(first).not_to_have_text(newest)
    page.get_by_role("link", name="To the newest").click()
    expect(first).to_have_text(newest)


def test_a_metric_gets_a_name_a_unit_a_colour_and_a_limit(car, open_page):
    page = open_page(car)
    page.get_by_text("Names, units, colours and limits").click()
    page.get_by_label("fuel, shown as").fill("Tank")
    page.get_by_label("fuel, unit").fill("l")
    page.get_by_label("fuel, colour").select_option("violet")
    page.get_by_label("fuel, lower limit").fill("45")
    page.get_by_role("button", name="Save").click()
    tile = page.locator(".tile", has_text="Tank")
    expect(tile).to_have_class(re.compile("pen-5"))
    expect(tile).to_contain_text("40 l")
    expect(tile.locator(".value")).to_have_class("value beyond")
    drawn(page, "fuel")
    assert page.locator('[data-strip="fuel"]').get_attribute("data-low") == "45.0"


def test_the_chart_is_kept_as_a_picture(car, open_page, tmp_path):
    page = open_page(car)
    drawn(page, "speed")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "Car.png"
    download.value.save_as(tmp_path / "chart.png")
    picture = (tmp_path / "chart.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5_000


def test_a_slow_network_is_said_and_waited_for(car, open_page):
    page = open_page(car, service_workers="block")
    drawn(page, "speed")
    status = page.locator("[data-chart-status]")
    with held(page, "**/chart?*"):
        page.get_by_role("link", name="6 h", exact=True).click()
        expect(status).to_have_text("Loading…")
    page.wait_for_selector('[data-drawn="range=6h"]')
    expect(status).to_have_text("")


def test_a_lost_connection_is_said_and_the_chart_catches_up(car, open_page):
    page = open_page(car, expected_error=DISCONNECTED)
    drawn(page, "speed")
    page.context.set_offline(True)
    page.get_by_role("link", name="6 h", exact=True).click()
    expect(page.locator("[data-chart-status]")).to_contain_text("does not answer")
    page.context.set_offline(False)
    page.wait_for_selector('[data-drawn="range=6h"]')
    expect(page.locator("[data-chart-status]")).to_have_text("")


def test_every_look_is_for_everyone(server, car, open_page):
    device = car.removeprefix(server.url)
    every_look(open_page, server.url, ["/", "/?shape=cards", "/ui/devices/new", device])


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_what_is_folded_is_for_everyone_too(car, open_page, theme, width):
    page = open_page(car, color_scheme=theme, viewport={"width": width, "height": 800})
    drawn(page, "speed")
    expect(figure(page, "speed", "count")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    check(page)


def test_a_command_is_sent_and_its_state_follows(server, open_page):
    device = server.post("/api/devices/", {"name": "Pump", "key": "pump"})
    page = open_page(f"{server.url}/ui/devices/{device['id']}")
    field = page.get_by_label("Command", exact=True)
    field.fill('{"relay": "on"}')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#exchange")).to_contain_text('{"relay": "on"}')
    expect(page.locator("#exchange .state")).to_have_text("waiting for the device")
    expect(field).to_have_value("")


def test_the_labels_of_an_axis_are_told_apart_and_moments_are_written_as_the_server_does(
    car, open_page
):
    page = open_page(car, locale="ru-RU", timezone_id="UTC")
    ends = page.locator("[data-ends] time")
    expect(page.locator("[data-drawn] canvas").first).to_be_visible()
    moment = re.compile(r"^\d+ [а-я]+\.? \d{4} \d\d:\d\d:\d\d$")
    expect(ends.first).to_have_text(moment)
    expect(ends.last).to_have_text(moment)
    labels = page.evaluate(
        """async (ticks) => {
          const address = document.querySelector('link[rel="modulepreload"][href*="format.js"]').href;
          const { formatTicks } = await import(address);
          return ticks.map((one) => formatTicks(one));
        }""",
        [[38.495, 38.5, 38.505], [0.25, 0.5], [-10, 0, 10], [181710.402, 181710.404], [2e9, 3e9]],
    )
    assert [[label.replace("\xa0", " ") for label in axis] for axis in labels] == [
        ["38,495", "38,5", "38,505"],
        ["0,25", "0,5"],
        ["-10", "0", "10"],
        ["181 710,4", "181 710,4"],
        ["2.00e9", "3.00e9"],
    ]
