"""What a device's page weighs, and how soon its chart is seen, in Debian's Chromium.

The server's store holds many readings of 3,000 series. Times begin with the navigation. The first
chart that is seen is the server's drawing; "seen" is when Chromium painted what stands below it. The
chart that can be zoomed replaces it; its time is that of the frame which shows it in every strip.

- first visit: the browser is open, its HTTP cache is empty. These are the figures that count.
- from the devices: the same tab shows the list of devices; what both pages load is cached.
- without cookies: as a first visit, but of a browser that the server does not know yet to run
  scripts, so that the statistics of the period come with the page.
- cold start: the browser has just been started, its cache is empty.

Beside them the first paint of a page of one word, which is the browser's own share. Weights are
bytes on the wire, compressed as they were sent. --directory keeps the store for the next run.
--beside visits another version of Barograph in the same rounds, from a copy of the store.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from barograph.domain.time import format_time
from bench.processes import barograph
from bench.stored import END, STEP, build

_SETTLING_MS = 400
"""A new window of the browser is busy with itself for so long."""

_STARTS = ("first visit", "without cookies", "from the devices", "cold start")
_TIMES = ("page answered", "first chart seen", "chart to zoom in")

CHROMIUM = os.environ.get("BAROGRAPH_CHROMIUM", "/usr/bin/chromium")

_LOOK = """
  const below = "[data-strip]:last-of-type .strip-name";
  const found = { moved: 0 };
  window.seen = new Promise((done) => {
    new MutationObserver((changes, observer) => {
      const caption = document.querySelector(below);
      if (!caption) return;
      caption.setAttribute("elementtiming", "chart");
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) if (one.identifier === "chart") found.first = one.renderTime;
    }).observe({ type: "element", buffered: true });
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) found.moved += one.value;
    }).observe({ type: "layout-shift", buffered: true });
    const look = () => {
      const plots = [...document.querySelectorAll("[data-plot]")];
      if (!plots.length || plots.some((one) => !one.querySelector("canvas"))) return requestAnimationFrame(look);
      setTimeout(() => {
        const drawn = performance.now();
        const tell = () => {
          if (!found.first) return setTimeout(tell, 20);
          const [page] = performance.getEntriesByType("navigation");
          done({
            "page answered": page.responseEnd - page.requestStart,
            "first chart seen": found.first,
            "chart to zoom in": drawn,
            "moved (layout shift)": found.moved,
          });
        };
        tell();
      });
    };
    requestAnimationFrame(look);
  });
"""
"""Runs before the page. The caption of the last strip stands below the charts of the others: once it
is painted, they are. The observer that marks it is done before any paint."""

_PAINTED = """() => new Promise((done) => new PerformanceObserver((list) => {
  done(list.getEntries().find((one) => one.name === "first-contentful-paint").startTime);
}).observe({ type: "paint", buffered: true }))"""


def open_context(browser: Browser, url: str, *, known: bool = True) -> BrowserContext:
    """A new profile: nothing is cached. `known`: it has the cookies that any page sets."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC")
    if known:
        cookies = {"barograph_scripts": "1", "barograph_zone": "UTC"}
        context.add_cookies(
            [{"name": name, "value": value, "url": url} for name, value in cookies.items()]
        )
    return context


def visit_nothing(browser: Browser, url: str) -> float:
    """Milliseconds to the first paint of a page of one word: the browser's own share."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.wait_for_timeout(_SETTLING_MS)
    page.route(
        "**/nothing", lambda route: route.fulfill(body="<p>nothing", content_type="text/html")
    )
    page.goto(f"{url}/nothing", wait_until="commit")
    painted = page.evaluate(_PAINTED)
    context.close()
    return painted


def visit(
    browser: Browser, url: str, *, after: str = "", settled: bool = True, known: bool = True
) -> dict[str, float]:
    """Milliseconds to what happens, in a new tab or `after` another page was shown in it."""
    context = open_context(browser, url, known=known)
    page = context.new_page()
    if after:
        page.goto(after)
        page.wait_for_load_state("networkidle")
    context.add_init_script(_LOOK)
    if settled:
        page.wait_for_timeout(_SETTLING_MS)
    page.goto(url, wait_until="commit")
    taken: dict[str, float] = page.evaluate("() => window.seen")
    context.close()
    return taken


def weigh(browser: Browser, url: str) -> dict[str, int]:
    """Bytes by kind of resource. Not timed: to listen to every request costs time itself."""
    context = open_context(browser, url)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    kinds: dict[str, str] = {}
    weights: dict[str, int] = {}
    wire.on(
        "Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]})
    )

    def finished(event: dict) -> None:
        kind = kinds.get(event["requestId"], "Other")
        weights[kind] = weights.get(kind, 0) + int(event["encodedDataLength"])

    wire.on("Network.loadingFinished", finished)
    page.goto(url)
    page.wait_for_selector("[data-statistic]")
    page.wait_for_timeout(_SETTLING_MS)
    context.close()
    return weights


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--times", type=int, default=10, help="how many visits")
    parser.add_argument("--directory", type=Path, help="keep the store here")
    parser.add_argument("--beside", type=Path, help="a checkout of another version")
    given = parser.parse_args()
    length = max(1, given.readings // (given.devices * 3)) * STEP
    period = f"start_time={format_time(END - length)}&end_time={format_time(END)}"
    page = f"/ui/devices/{max(1, given.devices // 2)}?{period}"
    with ExitStack() as opened:
        playwright = opened.enter_context(sync_playwright())
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        directory = (given.directory or scratch) / f"{given.readings}-{given.devices}"
        build(directory, given.readings, given.devices)
        copy = given.beside and shutil.copytree(directory, scratch / "copy")
        servers = {"this version": opened.enter_context(barograph(directory))}
        if given.beside:
            sources = str(given.beside.resolve() / "src")
            environment = {"BAROGRAPH_MQTT_PORT": "0", "PYTHONPATH": sources}
            servers["the one beside"] = opened.enter_context(barograph(copy, environment))
        bases = {name: f"http://localhost:{server.port}" for name, server in servers.items()}
        print(
            f"{given.readings:,} readings stored; the page of a device, {length / 3.6e9:.1f} hours"
        )
        _measure(playwright, bases, page, given.times)


def _measure(playwright: Playwright, bases: dict[str, str], page: str, times: int) -> None:
    """Visit the page of every server in turns, and print what it weighed and took."""
    visits: dict[tuple[str, str], list[dict[str, float]]] = {
        (name, start): [] for start in _STARTS for name in bases
    }
    nothing = []
    browser = launch(playwright)
    for base in bases.values():
        visit(browser, base + page)
    for _ in range(times):
        for name, base in bases.items():
            visits[name, "first visit"].append(visit(browser, base + page))
            nothing.append(visit_nothing(browser, base))
            visits[name, "without cookies"].append(visit(browser, base + page, known=False))
            visits[name, "from the devices"].append(visit(browser, base + page, after=base))
    weights = {name: weigh(browser, base + page) for name, base in bases.items()}
    browser.close()
    for _ in range(times):
        for name, base in bases.items():
            browser = launch(playwright)
            visits[name, "cold start"].append(visit(browser, base + page, settled=False))
            browser.close()
    for name, by_kind in weights.items():
        print(f"{name}:")
        for kind, size in sorted(by_kind.items(), key=lambda item: -item[1]):
            print(f"  {kind:24}{size / 1e3:>9.1f} kB")
        print(f"  {'page weight':24}{sum(by_kind.values()) / 1e3:>9.1f} kB compressed")
    for (name, start), taken in visits.items():
        print(f"{start}, {name}:")
        for what in taken[0]:
            values = [one[what] for one in taken]
            unit, digits = (" ms", 0) if what in _TIMES else ("", 3)
            print(
                f"  {what:24}{statistics.median(values):>9.{digits}f}{unit}"
                f"   {min(values):.{digits}f} to {max(values):.{digits}f}"
            )
    print("a page of one word:")
    print(f"  {'first paint':24}{statistics.median(nothing):>9.0f} ms   at best {min(nothing):.0f}")


if __name__ == "__main__":
    main()
