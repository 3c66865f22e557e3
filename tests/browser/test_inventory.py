"""The inventory, as a person goes about it."""

from playwright.sync_api import expect

from .pages import every_look


def _car(server, name="Volvo V60"):
    attributes = {"max_speed": 210, "distance": 48000, "handler": "Auto Motors", "stock": "Prague"}
    return server.post("/api/assets", {"kind": "auto", "name": name, "attributes": attributes})


def test_an_asset_is_added_described_fitted_and_removed(server, open_page):
    device = server.post("/api/devices", {"name": "Room sensor"})
    page = open_page(f"{server.url}/ui/inventory", expected_error="status of 4")
    expect(page.get_by_text("What are your devices fitted to?")).to_be_visible()
    page.get_by_label("Kind", exact=True).fill("room")
    page.get_by_label("Name").fill("Library")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Library")
    page.get_by_label("Name of an attribute").first.fill("area")
    page.get_by_label("Value of the attribute").first.fill("42.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value of area")).to_have_value("42.5")
    page.get_by_label("Fit a device").select_option("Room sensor (device-1)")
    page.get_by_role("button", name="Fit").click()
    expect(page.locator("#devices")).to_contain_text("no readings yet")
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 20.25})
    page.reload()
    value = page.locator(f'[data-device="{device["id"]}"][data-metric="temperature"]')
    expect(value).to_have_text("20.25")
    server.post(f"/api/devices/{device['id']}/data", {"temperature": 21.25})
    expect(value).to_have_text("21.25")
    page.get_by_role("button", name="Take off").click()
    expect(page.get_by_text("No device is fitted to this yet.")).to_be_visible()
    page.get_by_label("Kind", exact=True).fill("hall")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Remove from the inventory").click()
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_text("Library")).to_have_count(0)


def test_the_dealers_stock_is_what_the_dealers_service_sells(server, open_page):
    car = _car(server)
    server.post("/api/assets", {"kind": "pump", "name": "P1"})
    page = open_page(f"{server.url}/ui/inventory")
    page.get_by_role("link", name="Cars").click()
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    for text in ("Volvo V60", "210", "48,000", "Auto Motors", "Prague"):
        expect(row).to_contain_text(text)
    expect(page.locator("thead")).to_contain_text("Top speed, km/h")
    page.goto(f"{server.url}/ui/inventory?search=P1")
    expect(row).to_contain_text("P1")
    page.goto(f"{server.url}/ui/inventory/{car['id']}")
    page.get_by_label("Value of stock").fill("Oslo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value of stock")).to_have_value("Oslo")
    expect(page.get_by_label("Value of distance")).to_have_value("48000")


def test_a_taken_name_is_said_beside_the_form(server, open_page):
    _car(server, "Twice")
    page = open_page(f"{server.url}/ui/inventory", expected_error="status of 4")
    page.get_by_label("Kind", exact=True).fill("auto")
    page.get_by_label("Name", exact=True).fill("Twice")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("exists already")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Twice")


def test_every_page_of_the_inventory_is_accessible_in_every_look(server, open_page):
    car = _car(server, "Tesla")
    device = server.post("/api/devices", {"name": "Tracker", "asset_id": car["id"]})
    server.post(f"/api/devices/{device['id']}/data", {"speed": 88, "state": "driving"})
    paths = ("/ui/inventory", "/ui/inventory?kind=auto", f"/ui/inventory/{car['id']}")
    every_look(open_page, server.url, paths)
