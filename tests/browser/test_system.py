"""The page of the system, as an administrator uses it."""

import re
import tarfile
import time

from playwright.sync_api import expect

from .pages import check, every_look


def test_a_backup_is_made_downloaded_and_deleted(server, open_page, tmp_path):
    device = server.post("/api/devices", {"name": "Pump"})
    server.post(f"/api/devices/{device['id']}/data", [{"x": i, "ts": 1e9 + i} for i in range(3)])
    page = open_page(server.url)
    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("There is no backup yet.")).to_be_visible()
    expect(
        page.get_by_role("region", name="What is stored").locator("tbody td").nth(1)
    ).to_have_text("3")
    page.get_by_role("button", name="Make a backup now").click()
    expect(page.get_by_text("There is no backup yet.")).to_have_count(0)
    with page.expect_download() as download:
        page.locator("#backups tbody a").click()
    download.value.save_as(tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {"data.db", "manifest.json"} <= names
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There is no backup yet.")).to_be_visible()


def test_the_system_is_accessible_in_every_look(server, open_page):
    every_look(open_page, server.url, ("/ui/system",))


def test_how_long_readings_are_kept_is_changed_after_being_asked_back(server, open_page):
    device = server.post("/api/devices", {"name": "Old one"})
    readings = [{"ts": time.time() - 86_400 * i - 60, "x": i} for i in range(1, 101)]
    server.post(f"/api/devices/{device['id']}/data", readings)
    page = open_page(f"{server.url}/ui/system", "Unprocessable")
    section = page.locator("#retention")
    expect(section).to_contain_text("Everything is kept.")
    section.get_by_label("Keep readings").select_option("a length of your own")
    own = section.get_by_role("textbox", name="A length of your own")
    own.fill("30 dys")
    section.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("How long readings are kept: use a number")
    expect(own).to_have_value("30 dys")
    own.fill("30d")
    section.get_by_role("button", name="Save").click()
    # The readings of the other test here are older, too.
    expect(section.get_by_role("alert")).to_contain_text(re.compile("7[14] readings from before"))
    check(page)
    section.get_by_role("link", name="Cancel").click()
    expect(section).to_contain_text("Everything is kept.")
    section.get_by_label("Keep readings").select_option("30 days")
    section.get_by_role("button", name="Save").click()
    section.get_by_role("button", name="Keep 30 days, remove the rest").click()
    expect(section).to_contain_text("older than 30 days")
    expect(section).to_contain_text("Set by local operator")
    section.get_by_label("Keep readings").select_option("as configured: for ever")
    section.get_by_role("button", name="Save").click()
    expect(section).to_contain_text("So says the configuration")
