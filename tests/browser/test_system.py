"""The page of the system, as an administrator uses it."""

import tarfile

from playwright.sync_api import expect

from .pages import every_look


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
