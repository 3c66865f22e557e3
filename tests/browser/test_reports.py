"""Reports, as a person has them made."""

import time

import pytest
from playwright.sync_api import expect

from .pages import every_look


@pytest.fixture(scope="module")
def kitchen(server):
    """A device with an hour of readings."""
    now = int(time.time())
    device = server.post("/api/devices", {"name": "Kitchen"})
    readings = [{"ts": now - 60 * i, "temperature": 20 + i % 5} for i in range(60)]
    server.post(f"/api/devices/{device['id']}/data", readings)
    return device


def test_a_report_is_made_now_read_downloaded_and_deleted(server, kitchen, open_page):
    page = open_page(f"{server.url}/ui/reports")
    page.get_by_role("link", name="New report").click()
    page.get_by_role("checkbox", name="Kitchen").check()
    page.get_by_label("Period").select_option("the 24 hours before")
    page.get_by_label("Name", exact=True).fill("Warmth")
    page.get_by_role("button", name="Make the report").click()
    expect(page.get_by_text("The report is ready.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF Warmth").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    page.get_by_role("link", name="Warmth", exact=True).click()
    page.wait_for_url("**/html")
    expect(page.get_by_text("Kitchen").first).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Delete Warmth").click()
    expect(page.get_by_text("No reports yet")).to_be_visible()


def test_a_report_is_planned_run_paused_and_given_up(server, kitchen, open_page):
    page = open_page(f"{server.url}/ui/reports/new", expected_error="status of 4")
    page.get_by_role("checkbox", name="Kitchen").check()
    page.locator('[name="time"]').select_option("at times of your own")
    page.locator('[name="cron"]').fill("now and then")
    page.get_by_label("Name", exact=True).fill("Weekly")
    page.get_by_role("button", name="Make the report").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Kitchen")).to_be_checked()
    page.locator('[name="time"]').select_option("every Monday at 6")
    page.get_by_role("button", name="Make the report").click()
    row = page.locator("#schedules tbody tr")
    expect(row).to_contain_text("every Monday at 6")
    page.get_by_role("button", name="Pause Weekly").click()
    expect(row).to_contain_text("paused")
    page.get_by_role("button", name="Go on Weekly").click()
    expect(row).not_to_contain_text("paused")
    page.get_by_role("button", name="Make now Weekly").click()
    expect(page.get_by_text("The report is ready.")).to_be_visible()
    page.locator("#schedules").get_by_role("button", name="Delete Weekly").click()
    expect(row).to_have_count(0)


def test_reports_are_accessible_in_every_look(server, kitchen, open_page):
    question = {"devices": [kitchen["id"]], "period": "24h"}
    server.post("/api/reports", {"name": "Seen", **question})
    schedule = {"name": "Daily", "question": question, "cron": "5 4 * * *"}
    server.post("/api/schedules", schedule)
    every_look(open_page, server.url, ("/ui/reports", "/ui/reports/new"))


def test_a_job_that_is_gone_is_not_followed_for_ever(server, open_page):
    url = f"{server.url}/ui/reports"

    def add_job(route):
        answer = route.fetch()
        followed = '<section data-job="404404"><progress max="1"></progress></section></main>'
        route.fulfill(response=answer, body=answer.text().replace("</main>", followed))

    page = open_page(server.url, expected_error="status of 404", service_workers="block")
    page.route(url, add_job, times=1)
    page.goto(url)
    expect(page.locator("[data-job]")).to_have_count(0)
