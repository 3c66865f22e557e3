"""The page of the parameters service: newest values that refresh themselves."""

from playwright.sync_api import expect

from .pages import DISCONNECTED


def test_new_values_and_new_parameters_appear_without_reloading(server, open_page):
    server.post("/temperature/", {"value": 21.5, "device": "attic"})
    page = open_page(f"{server.url}/last?device=attic")
    rows = page.locator("[data-newest] tr")
    expect(rows.get_by_role("cell").first).to_have_text("21.5")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.notReloaded = true")

    server.post("/temperature/", {"value": 22.25, "device": "attic"})
    server.post("/<i>humidity/", {"value": 40, "device": "attic"})

    expect(rows).to_have_count(2)
    expect(rows.get_by_role("rowheader")).to_have_text(["temperature", "<i>humidity"])
    expect(rows.get_by_role("cell").first).to_have_text("22.25")
    assert page.evaluate("window.notReloaded")


def test_a_device_without_readings_gets_its_first_ones(server, open_page):
    page = open_page(f"{server.url}/last")
    expect(page.locator("[data-newest-none]")).to_be_visible()
    server.post("/pressure/", {"value": 1013})
    expect(page.locator("[data-newest] tr")).to_contain_text(["pressure"])
    expect(page.locator("[data-newest-none]")).to_be_hidden()


def test_a_lost_server_is_told(start_server, open_page):
    server = start_server()
    page = open_page(f"{server.url}/last", expected_error=DISCONNECTED)
    server.stop()
    expect(page.locator("[data-live-lost]")).to_be_visible()


def test_what_has_not_changed_stays_in_its_place(server, open_page):
    server.post("/api/devices", {"name": "still", "key": "still"})
    server.post("/api/devices/still/data", {"level": 3})
    page = open_page(server.url)
    page.clock.install()
    page.goto(f"{server.url}/last?device=still")
    for _ in range(3):  # the first answer takes the place of what came with the page
        with page.expect_response("**/last?device=still") as answer:
            page.clock.run_for(2_000)
        answer.value.finished()
        row = page.locator("[data-newest] tr")
        expect(row).to_have_count(1)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        kept = page.evaluate("!window.row || window.row.isConnected")
        page.evaluate("window.row = document.querySelector('[data-newest] tr')")
    assert kept
