"""What the dashboard says without a connection."""

from playwright.sync_api import expect
from tests.waiting import free_port, until

from .pages import DISCONNECTED, every_look


def test_without_the_server_a_page_says_so_and_opens_what_was_asked_for_when_it_is_back(
    start_server, open_page
):
    port = free_port()
    server = start_server(port=port)
    page = open_page(server.url, expected_error=DISCONNECTED)
    page.evaluate("navigator.serviceWorker.ready")
    until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    server.stop()
    page.goto(f"{server.url}/ui/inventory")
    expect(page.get_by_role("heading", level=1)).to_have_text("No connection")
    start_server(port=port)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inventory")


def test_the_page_without_a_connection_is_accessible(server, open_page):
    every_look(open_page, server.url, ("/ui/offline",))
