"""A real server process and a real browser: Debian's Chromium, driven by Playwright."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.waiting import PATIENCE_SECONDS

CHROMIUM = Path("/usr/bin/chromium")

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


# Not of the session: while Playwright is there its event loop occupies the thread, and the tests of
# other rooms could not start theirs.
@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM.exists():
        assert os.environ.get("CI") != "true", f"{CHROMIUM} is missing"
        pytest.skip(f"{CHROMIUM} is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=PATIENCE_SECONDS * 1000,
        )
        yield browser
        browser.close()


class Server:
    """A server process and the address where it answers."""

    def __init__(self, directory, *options, port=0, **environment):
        self._log = directory / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "barograph", "serve"),
                    *("--port", str(port), "--data-dir", str(directory / "data"), *options),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )
        self.url = self._wait_for_url()

    def _wait_for_url(self):
        while True:
            found = re.search(r"dashboard\s+(http://\S+?)/?\s", self._log.read_text())
            if found:
                return found[1]
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the server ended:\n{self._log.read_text()}")

    def post(self, path, body, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), headers=headers
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("open"))
    yield server
    server.stop()


@pytest.fixture
def start_server(tmp_path):
    """Start a server with options of the test's own."""
    started = []

    def start(*options, **more):
        started.append(Server(tmp_path, *options, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def open_page(chromium):
    """Open a page; the test fails where it logs an error or breaks its own content policy.

    The browser was here before, unless it is its `first_visit`: then the page comes again, in the
    browser's zone, while the test goes on. `expected_error` is a part of a message that may be
    logged, or several. `script` runs before the page's own. A test that waits for an expression asks
    for it with `tests.waiting.until`: `wait_for_function` evaluates it within the page, which its
    policy forbids. One that answers requests itself blocks service workers, which may take the page
    over in between.
    """
    contexts, complaints = [], []

    def open_page(
        url, expected_error=(), script=None, first_visit=False, timezone_id="UTC", **options
    ):
        context = chromium.new_context(timezone_id=timezone_id, **options)
        contexts.append(context)
        if not first_visit:
            here = {"domain": urlsplit(url).hostname, "path": "/"}
            context.add_cookies([{"name": "barograph_zone", "value": timezone_id, **here}])
        if script is not None:
            context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)

        def note(message):
            expected = (expected_error,) if isinstance(expected_error, str) else expected_error
            if message.type == "error" and not any(one in message.text for one in expected):
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
