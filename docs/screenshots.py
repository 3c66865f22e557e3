"""Takes the pictures of the main pages that README and docs show, of the demo's data.

`make screenshots` runs it; a row more in `SHOTS` is a picture more. Chromium itself makes WebP of
them, so that all of them together stay small.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
CHROMIUM = os.environ.get("BAROGRAPH_CHROMIUM", "/usr/bin/chromium")
_START_SECONDS_MAX = 120
_QUALITY = 0.82


@dataclass(frozen=True)
class Shot:
    """A picture: where, how, and what to wait for."""

    name: str
    path: str
    """`{key}` stands for the id of the demo's device with that key."""
    ready: str
    """A selector of what the page shows when it is complete."""
    theme: str = "light"
    width: int = 1280
    height: int = 900
    locale: str = "en-GB"


_CHART = "[data-drawn] canvas"

SHOTS = (
    Shot("devices", "/", ".spark path"),
    Shot("devices-cards", "/?shape=cards", ".cards .spark path", theme="dark"),
    Shot("devices-phone", "/", ".spark path", width=360, height=780, theme="dark"),
    Shot("device", "/ui/devices/{weather-mast}?range=7d", _CHART, height=1000),
    Shot("device-dark", "/ui/devices/{car-1}", _CHART, theme="dark", height=1000),
    Shot("device-track", "/ui/devices/{car-1}?range=6h#track", "[data-track]", height=620),
    Shot("device-statistics", "/ui/devices/{house/kitchen}#statistics", ".bars svg", height=820),
    Shot("device-phone", "/ui/devices/{house/kitchen}", _CHART, width=360, height=780),
    Shot("dashboard", "/ui/dashboards/{board}", "main article svg"),
    Shot(
        "analytics",
        "/ui/analytics?devices={weather-mast}&metrics=temperature&interval=1d&start_time=-7d",
        "main",
        height=1000,
    ),
    Shot("inventory", "/ui/inventory", "main", theme="dark", height=700),
    Shot("system", "/ui/system", "main", height=800),
    Shot("device-russian", "/ui/devices/{meter-1}", _CHART, locale="ru-RU", height=760),
)

_HOUSE = ["house/kitchen", "house/bedroom", "house/study"]


def _of(devices: list[str], *metrics: str, **more: object) -> dict[str, object]:
    return {"devices": devices, "metrics": list(metrics), **more}


BOARD = {
    "name": "At home",
    "panels": [
        {
            "kind": "line",
            "title": "Warmth",
            "width": 8,
            "question": _of(_HOUSE, "temperature", start_time="-24h"),
        },
        {
            "kind": "gauge",
            "title": "CO₂ in the kitchen",
            "width": 4,
            "low": 400,
            "high": 2000,
            "question": _of(["house/kitchen"], "co2"),
        },
        {
            "kind": "bar",
            "title": "Power by the hour",
            "width": 6,
            "question": _of(["meter-1"], "power", interval="1h"),
        },
        {
            "kind": "states",
            "title": "Window",
            "width": 6,
            "height": 2,
            "question": _of(_HOUSE, "window", start_time="-6h"),
        },
    ],
}
"""A dashboard to take the picture of."""

_WEBP = """async ([png, quality]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}"""


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """The address of a server that shows the demo."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "barograph", "serve", "--demo", "--port", "0"]
        command += ["--mqtt-port", "0", "--data-dir", directory, "--log-level", "warning"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
        try:
            until = time.monotonic() + _START_SECONDS_MAX
            announced = Path(directory) / "server.json"
            while not announced.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the demo did not start")
                time.sleep(0.1)
            yield json.loads(announced.read_text())["url"]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def take(browser: Browser, url: str, devices: dict[str, int], shot: Shot) -> bytes:
    """The picture as WebP."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.theme,
        locale=shot.locale,
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",  # values that have just changed are not in another colour
        device_scale_factor=2 if shot.width < 500 else 1,
    )
    page: Page = context.new_page()
    page.goto(url)  # tells the server the zone, and that scripts run
    path = shot.path
    for key, number in devices.items():
        path = path.replace("{" + key + "}", str(number))
    page.goto(url + path)
    page.wait_for_selector(shot.ready, state="attached")
    _, _, place = path.partition("#")
    if place:
        page.locator(f"#{place}").scroll_into_view_if_needed()
        page.evaluate("id => document.getElementById(id).scrollIntoView()", place)
    page.wait_for_timeout(500)  # what the last readings changed is drawn
    png = base64.b64encode(page.screenshot()).decode()
    # A page of our own forbids images and scripts of others; an empty one does not.
    page.goto("about:blank")
    found = bytes.fromhex(page.evaluate(_WEBP, [png, _QUALITY]))
    context.close()
    return found


def main() -> None:
    """Take those that are named, or all."""
    wanted = set(sys.argv[1:]) or {shot.name for shot in SHOTS}
    IMAGES.mkdir(exist_ok=True)
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        listing = browser.new_context().request.get(f"{url}/api/devices?limit=100").json()
        devices = {device["key"]: device["id"] for device in listing["items"]}
        made = browser.new_context().request.post(f"{url}/api/dashboards", data=BOARD)
        devices["board"] = made.json()["id"]
        for shot in SHOTS:
            if shot.name in wanted:
                picture = take(browser, url, devices, shot)
                (IMAGES / f"{shot.name}.webp").write_bytes(picture)
                sys.stdout.write(f"{shot.name:24}{len(picture) / 1e3:>8.1f} kB\n")
        browser.close()


if __name__ == "__main__":
    main()
