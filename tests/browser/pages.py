"""What every page has to stand, and how tests come to one."""

import contextlib

from axe_playwright_python.sync_playwright import Axe

PASSWORD = "correct horse battery"
DISCONNECTED = ("net::ERR_", "Failed to", "unknown error occurred when fetching the script")
"""What the browser logs of a server that it cannot reach; the last of the service worker."""
MOVED = """window.moved = 0;
new PerformanceObserver((list) => {
  const { domInteractive: whole } = performance.getEntriesByType("navigation")[0];
  for (const one of list.getEntries()) if (whole && one.startTime > whole) window.moved += one.value;
}).observe({ type: "layout-shift", buffered: true });"""
"""A script for every page of a test that asks how much `moved`.

What moves while the page is still read does not count: on a busy machine a half of a row may be seen.
"""
_AXE = Axe()
_ON_EACH_OTHER = """() => {
  const boxes = (row) => [...row.cells].map((cell) => {
    const inside = document.createRange();
    inside.selectNodeContents(cell);
    return inside.getBoundingClientRect();
  }).filter((box) => box.width > 2);
  const meet = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  return [...document.querySelectorAll("main tr")]
    .filter((row) => boxes(row).some((a, i, all) => all.slice(i + 1).some((b) => meet(a, b))))
    .map((row) => row.innerText);
}"""


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
    rows = page.evaluate(_ON_EACH_OTHER)
    assert rows == [], f"{page.url}: cells lie on each other: {rows}"
    assert page.locator("h1").count() == 1, f"{page.url} needs one heading"


def moved(page):
    """How much of the page has moved by itself since it was whole; it was opened with `MOVED`."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate("window.moved")


def ages(count):
    """How many seconds ago each of `count` readings was, about a minute apart, newest first.

    In the last ten minutes of an hour there is none, so that the last hour, and any other whole
    hours, hold 60 each for as long as a test looks on.
    """
    return [i // 60 * 3600 + i % 60 * 50 for i in range(count)]


def sign_in(page, server, name):
    """Sign in with `PASSWORD`."""
    page.goto(f"{server.url}/sign-in")
    page.locator('[name="username"]').fill(name)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator('form[action="/sign-in"] button').click()
    page.wait_for_url(f"{server.url}/")


@contextlib.contextmanager
def held(page, pattern):
    """Nothing answers the requests that match until the end, when those that wait are sent on."""
    waiting, over = [], False

    def hold(route):
        if over:
            route.continue_()
        else:
            waiting.append(route)

    page.route(pattern, hold)
    yield waiting
    over = True
    for route in waiting:
        route.continue_()


def every_look(open_page, url, paths, prepare=lambda _page: None):
    """Check the pages light and dark, wide, 768 and 360 px narrow, in English and Russian."""
    for locale, scheme, width in (
        ("en-GB", "light", 1280),
        ("en-GB", "dark", 360),
        ("ru-RU", "dark", 1280),
        ("ru-RU", "light", 360),
        ("ru-RU", "light", 768),
    ):
        page = open_page(
            url,
            locale=locale,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
        )
        prepare(page)
        for path in paths:
            answer = page.goto(url + path)
            assert answer.status == 200, path
            assert page.locator("html").get_attribute("lang") == locale[:2]
            check(page)
        page.context.close()
