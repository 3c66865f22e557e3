"""What a device's page weighs, and how soon its chart is seen, in Debian's Chromium.

The server's store holds many readings of 3,000 series. Times begin with the navigation. The first
chart that is seen is the server's drawing; "seen" is when Chromium painted what stands below it. The
chart that can be zoomed replaces it; its time is that of the frame which shows it in every strip.

- first visit: the browser is open, its HTTP cache is empty. These are the figures that count.
- from the devices: the same tab shows the list of devices; what both pages load is cached.
- cold start: the browser has just been started, its cache is empty.

Beside them the first paint of a page of one word, which is the browser's own share. Weights are
bytes on the wire, compressed as they were sent. --directory keeps the store for the next run.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from barograph.domain.time import format_time
from bench.processes import barograph
from bench.stored import END, STEP, build

_SETTLING_MS = 400
"""A new window of the browser is busy with itself for so long."""

_STARTS = ("first visit", "from the devices", "cold start")
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


def open_context(browser: Browser, url: str) -> BrowserContext:
    """A new profile: nothing is cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC")
    # As from the second page on; it is how a browser with scripts asks.
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


def visit(browser: Browser, url: str, *, after: str = "", settled: bool = True) -> dict[str, float]:
    """Milliseconds to what happens, in a new tab or `after` another page was shown in it."""
    context = open_context(browser, url)
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
    given = parser.parse_args()
    length = max(1, given.readings // (given.devices * 3)) * STEP
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        directory = (given.directory or Path(scratch)) / f"{given.readings}-{given.devices}"
        build(directory, given.readings, given.devices)
        browser = launch(playwright)
        with barograph(directory) as server:
            period = f"start_time={format_time(END - length)}&end_time={format_time(END)}"
            base = f"http://localhost:{server.port}"
            url = f"{base}/ui/devices/{max(1, given.devices // 2)}?{period}"
            visit(browser, url)
            visits: dict[str, list[dict[str, float]]] = {name: [] for name in _STARTS}
            nothing = []
            for _ in range(given.times):
                visits["first visit"].append(visit(browser, url))
                nothing.append(visit_nothing(browser, base))
                visits["from the devices"].append(visit(browser, url, after=base))
            weights = weigh(browser, url)
            browser.close()
            for _ in range(given.times):
                browser = launch(playwright)
                visits["cold start"].append(visit(browser, url, settled=False))
                browser.close()
    print(f"{given.readings:,} readings stored; the page of a device, {length / 3.6e9:.1f} hours")
    for kind, size in sorted(weights.items(), key=lambda item: -item[1]):
        print(f"  {kind:24}{size / 1e3:>9.1f} kB")
    print(f"  {'page weight':24}{sum(weights.values()) / 1e3:>9.1f} kB compressed")
    for start, taken in visits.items():
        print(f"{start}:")
        for name in taken[0]:
            values = [one[name] for one in taken]
            unit, digits = (" ms", 0) if name in _TIMES else ("", 3)
            print(
                f"  {name:24}{statistics.median(values):>9.{digits}f}{unit}"
                f"   {min(values):.{digits}f} to {max(values):.{digits}f}"
            )
    print("a page of one word:")
    print(f"  {'first paint':24}{statistics.median(nothing):>9.0f} ms   at best {min(nothing):.0f}")


if __name__ == "__main__":
    main()
