"""What a visitor does on the dashboard, in a real browser against a real server."""

import re
import shutil
import subprocess
import sys
import time

import pytest
from playwright.sync_api import expect
from tests.waiting import free_port, until

from .pages import DISCONNECTED, ages, held


def _device(server, name, readings):
    device = server.post("/api/devices/", {"name": name})
    server.post(f"/api/devices/{device['id']}/data", readings)
    return device


def _course(server, name="Greenhouse"):
    """A device with two metrics, about one reading a minute over three hours."""
    now = int(time.time())
    return _device(
        server,
        name,
        [
            {"ts": now - age, "temperature": 20 + i / 10, "humidity": 50 - i / 10}
            for i, age in enumerate(ages(180))
        ],
    )


def _painted(page, strip):
    """How many pixels of the strip's canvas carry ink."""
    return page.evaluate(
        """strip => {
          const canvas = document.querySelector(`[data-strip="${strip}"] canvas`);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let painted = 0;
          for (let i = 3; i < data.length; i += 4) if (data[i] > 0) painted++;
          return painted;
        }""",
        strip,
    )


def test_first_device_from_nothing_to_its_first_reading(server, open_page):
    page = open_page(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("The paper is still blank")
    page.get_by_role("link", name="Add the first device").click()
    page.get_by_label("Name").fill("Cellar")
    page.get_by_label("Key").fill("cellar")
    page.get_by_role("button", name="Add", exact=True).click()
    snippet = page.locator("#added-curl").inner_text()
    expect(page.locator(".waiting-text")).to_be_visible()

    subprocess.run(["/bin/sh", "-c", snippet], check=True, capture_output=True)

    expect(page.locator(".arrived-text")).to_contain_text("temperature = 21.5")
    page.get_by_role("button", name="Close").click()
    expect(page.locator('[data-metric="humidity"]')).to_have_text("48")


def test_values_arrive_without_a_reload(server, open_page):
    device = _course(server, "Live")
    page = open_page(server.url)
    page.evaluate("window.stayed = true")
    value = page.locator(f'[data-device="{device["id"]}"][data-metric="temperature"]')
    expect(value).to_have_text("20")
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 33.25})
    expect(value).to_have_text("33.25")
    assert page.evaluate("window.stayed")


def test_a_metric_that_the_page_does_not_know_yet_appears(server, open_page):
    device = server.post("/api/devices/", {"name": "Bare"})
    page = open_page(server.url)
    row = page.locator(f'li[data-device="{device["id"]}"]')
    expect(row).to_contain_text("no readings yet")
    server.post(f"/api/devices/{device['id']}/data", {"pressure": 1013.25})
    expect(row.locator('.value[data-metric="pressure"]')).to_have_text("1,013.2")
    page.goto(f"{server.url}/ui/devices/{device['id']}")
    expect(page.locator("#newest")).to_contain_text("pressure")
    server.post(f"/api/devices/{device['id']}/data", {"wind": 4})
    expect(page.locator('#newest [data-metric="wind"]')).to_have_text("4")


def test_search_narrows_the_list_while_typing(server, open_page):
    _course(server, "Needle")
    _course(server, "Haystack")
    page = open_page(server.url)
    page.get_by_role("searchbox").press_sequentially("needl")
    page.wait_for_url("**/?search=needl")
    expect(page.get_by_role("link", name="Haystack")).to_have_count(0)
    expect(page.get_by_role("link", name="Needle")).to_be_visible()
    page.get_by_label("Order").select_option("name")
    page.wait_for_url("**/?search=needl&order=name")
    page.get_by_role("link", name="as cards").click()
    expect(page.locator("ul.devices.cards")).to_be_visible()
    page.reload()
    expect(page.locator("ul.devices.cards")).to_be_visible()


def test_chart_follows_the_period_and_so_do_the_figures(server, open_page):
    device = _course(server)
    page = open_page(f"{server.url}/ui/devices/{device['id']}")
    page.wait_for_selector('[data-strip="temperature"] canvas')
    page.wait_for_selector('[data-strip="humidity"] canvas')
    until(lambda: _painted(page, "temperature") > 500)
    count = page.locator('[data-of="temperature"][data-statistic="count"] .figure')
    expect(count).to_have_text("180")

    page.get_by_role("link", name="1 h", exact=True).click()
    expect(count).to_have_text("60")
    page.wait_for_selector('[data-drawn="range=1h"]')
    page.wait_for_url("**?range=1h")
    maximum = page.locator('[data-of="temperature"][data-statistic="max"] .figure')
    expect(maximum).to_have_text("25.9")

    page.go_back()
    expect(count).to_have_text("180")


def test_dragging_over_the_chart_zooms_in(server, open_page):
    now = int(time.time())
    readings = [{"ts": now - 60 * i, "temperature": i} for i in range(180)]
    device = _device(server, "Dragged over", readings)
    page = open_page(f"{server.url}/ui/devices/{device['id']}?range=6h")
    plot = page.locator('[data-strip="temperature"] .u-over')
    plot.wait_for()
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.875, box["y"] + 40, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"start_time=.*end_time="))
    count = page.locator('[data-of="temperature"][data-statistic="count"] .figure')
    expect(count).to_have_text(re.compile(r"4[3-7]"))


def test_a_live_reading_is_drawn_and_counted(server, open_page):
    device = _course(server)
    page = open_page(f"{server.url}/ui/devices/{device['id']}?range=1h")
    page.wait_for_selector('[data-strip="temperature"] canvas')
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 90})
    expect(page.locator('#newest [data-metric="temperature"]')).to_have_text("90")
    plot = page.locator('[data-strip="temperature"] .u-over')
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 40)
    expect(page.locator('[data-strip="temperature"] [data-read] b')).to_have_text("90")
    maximum = page.locator('[data-of="temperature"][data-statistic="max"] .figure')
    expect(maximum).to_have_text("90")


def test_a_new_token_is_shown_after_asking(server, open_page):
    device = _course(server)
    page = open_page(f"{server.url}/ui/devices/{device['id']}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Make a new token").click()
    token = page.locator("#token")
    expect(token).to_have_text(re.compile(r"^[A-Za-z]{20}$"))
    answer = server.post(
        f"/api/devices/{device['id']}/data", {"temperature": 1}, token.inner_text()
    )
    assert answer == {"accepted": 1}


def test_hostile_names_do_nothing(server, open_page):
    name = "<img src=x onerror=\"document.title='owned'\">"
    device = _device(server, name, {name: 1, "state": name})
    page = open_page(f"{server.url}/?search=onerror")
    expect(page.get_by_role("link", name=name).first).to_be_visible()
    server.post(f"/api/devices/{device['id']}/data", {name: 2, "state": "<script>1</script>"})
    expect(page.locator('[data-metric="state"]').first).to_have_text("<script>1</script>")
    page.goto(f"{server.url}/ui/devices/{device['id']}")
    page.wait_for_selector("canvas")
    assert page.title().startswith("<img")


def test_colours_and_language_are_remembered(server, open_page):
    page = open_page(server.url, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    for _ in range(2):
        with page.expect_request_finished(lambda request: request.method == "POST"):
            page.get_by_role("button", name="Colours").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(paper) != light
    page.get_by_role("button", name="русский").click()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_times_are_in_the_browsers_zone(server, open_page):
    device = _course(server)
    page = open_page(
        f"{server.url}/ui/devices/{device['id']}",
        first_visit=True,
        timezone_id="Asia/Tokyo",
        locale="ru-RU",
    )
    expect(page.locator("html")).to_have_attribute("data-zone", "Asia/Tokyo")
    here = page.evaluate(
        "new Date().toLocaleTimeString('ru', {hour: '2-digit', minute: '2-digit'})"
    )
    newest = page.locator("#readings tbody time").first.inner_text()
    minutes = [int(part) for part in re.search(r"(\d\d):(\d\d):", newest).groups()]
    now = [int(part) for part in here.split(":")]
    assert (now[0] * 60 + now[1] - minutes[0] * 60 - minutes[1]) % 1440 <= 10


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_sticks_out_of_a_narrow_screen(server, open_page, width):
    device = _course(server, "A device with a name that is longer than a telephone is wide, by far")
    page = open_page(server.url, viewport={"width": width, "height": 780})
    for path in ("/", f"/ui/devices/{device['id']}", "/ui/devices/new"):
        page.goto(server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_reading_needs_no_scripts(server, open_page):
    device = _course(server)
    page = open_page(f"{server.url}/ui/devices/{device['id']}", java_script_enabled=False)
    expect(page.locator('[data-strip="temperature"] svg path.line')).to_be_visible()
    expect(page.locator("#readings tbody tr")).to_have_count(50)
    page.get_by_role("link", name="1 h", exact=True).click()
    count = page.locator('[data-of="temperature"][data-statistic="count"] .figure')
    expect(count).to_have_text("60")
    page.goto(f"{server.url}/ui/devices/new")
    page.get_by_label("Name").fill("Scriptless")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#token")).to_have_text(re.compile(r"^[A-Za-z]{20}$"))


def test_signing_in_and_out_where_it_is_required(start_server, open_page):
    server = start_server("--auth", "required")
    server.post(
        "/api/users/",
        {"username": "ada", "email": "ada@example.org", "password": "correct horse battery"},
    )
    page = open_page(server.url)
    assert page.url.startswith(f"{server.url}/sign-in")
    page.get_by_label("User name or e-mail").fill("ada")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The paper is still blank")
    expect(page.get_by_text("ada", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(server.url)
    assert page.url.startswith(f"{server.url}/sign-in")


def test_a_lost_connection_is_said_and_found_again(start_server, open_page):
    port = free_port()
    server = start_server(port=port)
    device = _course(server)
    page = open_page(server.url, expected_error=DISCONNECTED)
    lost = page.get_by_text("The live connection is lost")
    value = page.locator(f'[data-device="{device["id"]}"][data-metric="temperature"]')
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 33})
    expect(value).to_have_text("33")
    server.stop()
    expect(lost).to_be_visible()
    server = start_server(port=port)
    expect(lost).to_be_hidden()
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 34})
    expect(value).to_have_text("34")


def test_a_slow_or_lost_list_is_said_and_waited_for(server, open_page):
    _device(server, "Slow one", {"temperature": 1})
    page = open_page(server.url, expected_error=DISCONNECTED, service_workers="block")
    lost = page.get_by_text("The live connection is lost")
    with held(page, "**/?search=*") as waiting:
        page.get_by_role("searchbox").fill("slow")
        expect(page.get_by_text("Loading…")).to_be_visible()
        waiting.pop().abort("connectionfailed")
        expect(lost).to_be_visible()
    # The page asks again by itself.
    expect(page.locator("ul.devices > li")).to_have_count(1)
    expect(lost).to_be_hidden()


def test_the_small_curves_follow_what_comes(server, open_page):
    device = _course(server, "Curve")
    page = open_page(f"{server.url}/?search=Curve")
    line = page.locator(f'svg[data-spark="{device["id"]}"] .line')
    page.evaluate("window.stayed = true")
    before = line.get_attribute("d")
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 30})
    expect(line).to_have_attribute("d", re.compile("^" + re.escape(before) + r"L160,\d"))
    # Beyond the rim of the curve it is drawn anew.
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 90})
    svg = page.locator(f'svg[data-spark="{device["id"]}"]')
    expect(svg).to_have_attribute("data-top", re.compile(r"^9\d"))
    assert page.evaluate("window.stayed")


@pytest.mark.parametrize("snippet", ["curl", "python", "mqtt", "micropython"])
def test_a_snippet_that_is_pasted_stores_a_reading_and_the_page_sees_it(snippet, server, open_page):
    if snippet == "mqtt" and not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto_pub is missing")
    device = server.post("/api/devices/", {"name": f"With {snippet}", "key": f"with/{snippet}"})
    page = open_page(f"{server.url}/ui/devices/{device['id']}")
    page.on("dialog", lambda dialog: dialog.accept())
    waiting = page.locator("[data-waiting]").first
    expect(waiting).to_contain_text("Waiting for the first reading")
    page.get_by_role("button", name="Make a new token").click()
    code = page.locator(f"#connect-{snippet}")
    expect(code).not_to_contain_text("YOUR_DEVICE_TOKEN")
    shell = snippet in {"curl", "mqtt"}
    command = ["/bin/sh", "-c"] if shell else [sys.executable, "-c"]
    subprocess.run([*command, code.text_content()], check=True, capture_output=True)
    expect(page.locator("#newest [data-metric=humidity]")).to_have_text("48")
