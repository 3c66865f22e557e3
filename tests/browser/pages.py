"""What every page has to stand, and how tests come to one."""

from axe_playwright_python.sync_playwright import Axe

PASSWORD = "correct horse battery"
_AXE = Axe()


def check(page):
    """No serious violation of accessibility, nothing that sticks out; in the page's own colours."""
    found = _AXE.run(page).response["violations"]
    grave = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert grave == [], f"{page.url}: {grave}"
    width = page.viewport_size["width"]
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{page.url} is {wide} wide"
    assert page.locator("h1").count() == 1, f"{page.url} needs one heading"


def sign_in(page, server, name):
    """Sign in with `PASSWORD`."""
    page.goto(f"{server.url}/sign-in")
    page.locator('[name="username"]').fill(name)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator('form[action="/sign-in"] button').click()
    page.wait_for_url(f"{server.url}/")


def every_look(open_page, url, paths, prepare=lambda _page: None):
    """Check the pages light and dark, wide and 360 px narrow, in English and Russian."""
    for locale, scheme, width in (
        ("en-GB", "light", 1280),
        ("en-GB", "dark", 360),
        ("ru-RU", "dark", 1280),
        ("ru-RU", "light", 360),
    ):
        page = open_page(
            url,
            locale=locale,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
            timezone_id="UTC",
        )
        prepare(page)
        for path in paths:
            answer = page.goto(url + path)
            assert answer.status == 200, path
            assert page.locator("html").get_attribute("lang") == locale[:2]
            check(page)
        page.context.close()
