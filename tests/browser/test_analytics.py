"""Asking questions, as a person goes about it."""

import time

import pytest
from playwright.sync_api import expect

from .pages import MOVED, every_look, moved


@pytest.fixture(scope="module")
def house(server):
    """Two devices with an hour of readings, one a minute."""
    now = int(time.time()) // 60 * 60
    made = []
    for name, base in (("Kitchen", 20), ("Cellar", 10)):
        device = server.post("/api/devices", {"name": name})
        readings = [
            {"ts": now - 60 * i, "temperature": base + i % 10, "light": "on" if i % 2 else "off"}
            for i in range(60)
        ]
        server.post(f"/api/devices/{device['id']}/data", readings)
        made.append(device["id"])
    return made


def _ask(page):
    page.get_by_role("checkbox", name="Kitchen").check()
    page.get_by_role("checkbox", name="Cellar").check()
    page.get_by_role("checkbox", name="temperature").check()
    page.get_by_role("checkbox", name="max", exact=True).check()
    page.get_by_role("checkbox", name="count", exact=True).check()


def test_a_question_is_answered_as_chart_and_table_and_kept(server, house, open_page):
    page = open_page(f"{server.url}/ui/analytics")
    _ask(page)
    page.get_by_role("button", name="Answer").click()
    rows = page.locator("#answer tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="Kitchen").locator("td")).to_have_text(["29", "60"])
    expect(rows.filter(has_text="Cellar").locator("td")).to_have_text(["19", "60"])
    expect(page.locator("#answer canvas")).to_be_visible()
    page.locator("#answer .u-over").hover()
    expect(page.locator("[data-value]").first).not_to_be_empty()

    page.get_by_label("Keep the question as").fill("Warmest")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Warmest")).to_be_visible()
    page.goto(f"{server.url}/ui/analytics")
    page.get_by_role("link", name="Warmest").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Remove Warmest").click()
    expect(page.get_by_role("link", name="Warmest")).to_have_count(0)


def test_buckets_follow_the_interval(server, house, open_page):
    address = f"/ui/analytics?devices={house[0]}&metrics=temperature&stats=count&interval=15m"
    page = open_page(f"{server.url}{address}&start_time=-6h")
    counts = [int(text) for text in page.locator("#answer tbody td:last-child").all_inner_texts()]
    assert sum(counts) == 60
    assert len(counts) in {4, 5}
    assert page.locator("#answer rect.bar").count() == len(counts)


def test_a_long_question_runs_in_the_background_and_waits_with_its_answer(server, house, open_page):
    page = open_page(f"{server.url}/ui/analytics")
    _ask(page)
    page.get_by_role("button", name="In the background").click()
    page.wait_for_url("**/ui/analytics/jobs/*")
    expect(page.locator("#answer tbody tr")).to_have_count(2)
    expect(page.locator("#jobs")).to_contain_text("done")
    expect(page.locator("#jobs li").first).to_contain_text("Kitchen")
    page.goto(f"{server.url}/ui/analytics")
    page.locator("#jobs a").first.click()
    expect(page.locator("#answer tbody tr")).to_have_count(2)


def test_what_is_wrong_is_said_above_the_form(server, house, open_page):
    page = open_page(f"{server.url}/ui/analytics", expected_error="status of 4")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one device")
    page.get_by_role("checkbox", name="Kitchen").check()
    page.get_by_label("Time zone").fill("Moon/Sea")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("alert")).to_contain_text("Moon/Sea")
    expect(page.get_by_role("checkbox", name="Kitchen")).to_be_checked()


def test_an_answer_is_read_without_scripts(server, house, open_page):
    page = open_page(f"{server.url}/ui/analytics", java_script_enabled=False)
    _ask(page)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#answer path.line")).to_have_count(2)
    expect(page.locator("#answer tbody tr")).to_have_count(2)


def test_analytics_is_accessible_in_every_look(server, house, open_page):
    query = f"devices={house[0]}&devices={house[1]}"
    paths = ("/ui/analytics", f"/ui/analytics?{query}", f"/ui/analytics?{query}&interval=5m")
    every_look(open_page, server.url, paths)


def test_all_devices_of_a_user_are_asked_about_together_and_each(server, open_page):
    now = int(time.time()) // 60 * 60
    ada = server.post("/api/users/", {"username": "ada", "email": "ada@example.org"})
    for name, base in (("Boiler", 60), ("Fridge", 4)):
        device = server.post("/api/devices", {"name": name, "user_id": ada["id"]})
        readings = [{"ts": now - 60 * i, "heat": base + i} for i in range(10)]
        server.post(f"/api/devices/{device['id']}/data", readings)
    page = open_page(f"{server.url}/ui/analytics")
    expect(page.get_by_label("Answered")).to_be_hidden()
    page.get_by_label("About").select_option("all devices of ada")
    expect(page.get_by_role("checkbox", name="Boiler")).to_be_disabled()
    page.get_by_role("checkbox", name="max", exact=True).check()
    page.get_by_role("checkbox", name="count", exact=True).check()
    page.get_by_role("button", name="Answer", exact=True).click()
    rows = page.locator("#answer tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator("td")).to_have_text(["69", "20"])
    expect(page.locator("#answer canvas")).to_be_visible()

    page.get_by_label("Answered").select_option("for each device")
    page.get_by_role("button", name="In the background").click()
    page.wait_for_url("**/ui/analytics/jobs/*")
    expect(rows.filter(has_text="Boiler").locator("td")).to_have_text(["69", "10"])
    expect(rows.filter(has_text="Fridge").locator("td")).to_have_text(["13", "10"])
    page.get_by_label("Keep the question as").fill("Hers")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Hers", exact=True).click()
    expect(page.get_by_label("About")).to_have_value(str(ada["id"]))
    expect(page.get_by_label("Answered")).to_have_value("false")
    expect(rows).to_have_count(2)

    page.get_by_role("link", name="As a report").click()
    expect(page.get_by_label("About")).to_have_value(str(ada["id"]))
    page.get_by_label("Name").fill("Hers, daily")
    page.get_by_label("Make it").select_option("every day at 6")
    page.get_by_role("button", name="Make the report").click()
    expect(page.locator("#schedules")).to_contain_text("Hers, daily")


def test_nothing_moves_where_scripts_show_a_filter_and_hide_what_does_not_apply(
    server, house, open_page
):
    for i in range(8):
        server.post("/api/devices", {"name": f"Shed {i}"})
    server.post(
        "/api/users",
        {"username": "olga", "email": "olga@example.org", "password": "correct horse battery"},
    )
    page = open_page(
        server.url,
        viewport={"width": 360, "height": 780},
        script=MOVED,
    )
    for path, shown in (("/ui/analytics", "[data-picker-filter]"), ("/", ".device")):
        page.goto(server.url + path)
        expect(page.locator(shown).first).to_be_visible()
        assert moved(page) < 0.01, path
