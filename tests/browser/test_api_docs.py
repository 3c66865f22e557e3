"""The API's documentation, in a browser that reaches nothing but this server."""

from playwright.sync_api import expect
from tests.waiting import PATIENCE_SECONDS, until


def test_the_api_s_documentation_opens_without_the_internet(chromium, server):
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    wrong, asked = [], []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else 0)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/docs")
    until(lambda: page.locator(".opblock").count() > 20)
    assert wrong == []
    assert all(url.startswith((server.url, "data:", "blob:")) for url in asked)
    page.close()


def test_the_documentation_has_the_colours_of_the_pages_and_leads_back_to_them(server, open_page):
    page = open_page(f"{server.url}/docs", color_scheme="dark")
    dark, light = page.locator("html.dark-mode"), page.locator("html:not(.dark-mode)")
    expect(dark).to_be_attached()
    page.get_by_role("link", name="Barograph").click()
    page.wait_for_url(f"{server.url}/")
    page.locator("[data-theme-toggle]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.goto(f"{server.url}/docs")
    expect(light).to_be_attached()
    page.wait_for_selector(".opblock")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
