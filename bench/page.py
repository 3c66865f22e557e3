"""What a device's page weighs, and how soon its chart is drawn, in Debian's Chromium.

The server's store holds many readings of 3,000 series. Each visit is a new browser profile: nothing
is cached. Weights are bytes on the wire, compressed as they were sent. Times begin with the
navigation: until the server's drawing of the chart is painted, and until the chart that can be
zoomed has replaced it; beside them the first paint of a page of one word, in the same run. --directory keeps the store for the next run.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from barograph.domain.time import format_time
from bench.processes import barograph
from bench.stored import END, STEP, build

CHROMIUM = os.environ.get("BAROGRAPH_CHROMIUM", "/usr/bin/chromium")

_DRAWN = """() => new Promise((done) => {
  const look = () => {
    if (!document.querySelector("[data-drawn] [data-strip] canvas")) return requestAnimationFrame(look);
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    const [page] = performance.getEntriesByType("navigation");
    const [chart] = performance.getEntriesByType("resource").filter((one) => one.name.includes("/chart?"));
    done({
      "page answered": page.responseEnd - page.requestStart,
      "chart's data answered": chart.responseEnd - chart.requestStart,
      "first paint": paint ? paint.startTime : performance.now(),
      "chart drawn": performance.now(),
    });
  };
  look();
})"""


_PAINTED = """() => new Promise((done) => new PerformanceObserver((list) => {
  done(list.getEntries().find((one) => one.name === "first-contentful-paint").startTime);
}).observe({ type: "paint", buffered: true }))"""


def visit_nothing(browser: Browser, url: str) -> float:
    """Milliseconds to the first paint of a page of one word: the browser's own share."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.route(
        "**/nothing", lambda route: route.fulfill(body="<p>nothing", content_type="text/html")
    )
    page.goto(f"{url}/nothing", wait_until="commit")
    painted = page.evaluate(_PAINTED)
    context.close()
    return painted


def visit(browser: Browser, url: str) -> tuple[dict[str, int], dict[str, float]]:
    """Bytes by kind of resource, and milliseconds to what happens."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC")
    # As from the second page on; it is how a browser with scripts asks.
    context.add_cookies([{"name": "barograph_scripts", "value": "1", "url": url}])
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
    page.goto(url, wait_until="commit")
    taken = page.evaluate(_DRAWN)
    page.wait_for_selector("[data-statistic]")
    page.wait_for_load_state("load")
    context.close()
    return weights, taken


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
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        with barograph(directory) as server:
            period = f"start_time={format_time(END - length)}&end_time={format_time(END)}"
            base = f"http://localhost:{server.port}"
            url = f"{base}/ui/devices/{max(1, given.devices // 2)}?{period}"
            visits = [visit(browser, url) for _ in range(given.times + 1)][1:]
            nothing = [visit_nothing(browser, base) for _ in range(given.times)]
        browser.close()
    weights = visits[-1][0]
    print(f"{given.readings:,} readings stored; the page of a device, {length / 3.6e9:.1f} hours")
    for kind, size in sorted(weights.items(), key=lambda item: -item[1]):
        print(f"  {kind:24}{size / 1e3:>9.1f} kB")
    print(f"  {'page weight':24}{sum(weights.values()) / 1e3:>9.1f} kB compressed")
    for name in visits[0][1]:
        taken = [one[1][name] for one in visits]
        print(f"  {name:24}{statistics.median(taken):>9.0f} ms   at best {min(taken):.0f}")
    print(f"  {'a page of one word':24}{statistics.median(nothing):>9.0f} ms   first paint")


if __name__ == "__main__":
    main()
