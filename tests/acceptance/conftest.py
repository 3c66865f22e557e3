"""A server process as a user starts it, which tests may kill."""

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest


class Server:
    """One `barograph serve` on a data directory."""

    def __init__(self, directory, *options, **environment):
        self.directory = directory
        self.log = directory / "server.log"
        announced = directory / "data" / "server.json"
        announced.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "barograph", "serve"),
                    *("--port", "0", "--data-dir", str(directory / "data"), *options),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                found = json.loads(announced.read_text())
                if found["pid"] == self.process.pid:
                    httpx.get(found["url"] + "/healthz", timeout=5)
                    self.url, self.token = found["url"], found["token"]
                    return
            except (OSError, ValueError, httpx.TransportError):
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self):
        """As a power cut does it to a process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self):
        """As Ctrl-C does it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def serve(tmp_path):
    """Starts servers on the test's directory; all end with the test."""
    started = []

    def start(*options, **environment):
        server = Server(tmp_path, *options, **environment)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests of a module."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    assert server.stop() == 0, server.log.read_text()
