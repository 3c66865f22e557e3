"""A server process for the older systems' APIs, and clients that speak as theirs do."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count

import httpx
import pytest
from paho.mqtt import publish
from tests.waiting import PATIENCE_SECONDS

PASSWORD = "a barograph draws 1"
_numbers = count(1)


class Server:
    """One `barograph serve` on a data directory, asked by a client without a credential."""

    def __init__(self, directory, **environment):
        self.log = directory / "server.log"
        own = f"sqlite:///{directory / 'data' / 'data.db'}"
        self.catalog_url = environment.get("BAROGRAPH_DATABASE_URL", own)
        announced = directory / "data" / "server.json"
        command = [sys.executable, "-m", "barograph", "serve", "--port", "0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(directory / "data")],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                found = json.loads(announced.read_text())
                self.url, self.mqtt_port = found["url"], found["mqtt_port"]
                httpx.get(self.url + "/healthz", timeout=5)
            except (OSError, ValueError, httpx.TransportError):
                time.sleep(0.02)
            else:
                self.client = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)
                return
        self.process.kill()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def publish(self, topic, payload, username=None, password=None):
        """Publish over MQTT, and return when it is acknowledged."""
        login = None if username is None else {"username": username, "password": password}
        publish.single(
            topic, json.dumps(payload), qos=1, hostname="127.0.0.1", port=self.mqtt_port, auth=login
        )

    def stop(self):
        self.client.close()
        self.process.send_signal(signal.SIGINT)

    def ended(self):
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.log.read_text()


class Api:
    """The calls that several tests make."""

    def __init__(self, client):
        self.client = client

    @staticmethod
    def fresh(word):
        """A name that no other test uses."""
        return f"{word}-{next(_numbers)}"

    def command(self, path, command, params, **options):
        """A call of the temperature service, sent as its clients send it."""
        body = json.dumps({"command": command, "params": params})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers |= options.pop("headers", {})
        return self.client.post(path, content=body, headers=headers, **options)

    def registered(self):
        """A user of the temperature service: its e-mail address and token."""
        email = f"{self.fresh('user')}@example.org"
        return email, self.command("/users", "reg", email).json()["message"]

    def device(self, email, name="124"):
        """The token of a new device of the temperature service."""
        return self.command("/devices", "reg", {"name": name, "user": email}).json()["message"]

    def put(self, token, **params):
        return self.command("/devices", "put", params, headers={"Authorization": token})

    def device_id(self, user_token, name="124"):
        found = self.client.get("/devices", headers={"Authorization": user_token}).json()
        return next(line["id"] for line in found["message"] if line["name"] == name)

    def user(self):
        """A user with a password: its id and the header of its JWT."""
        name = self.fresh("anna")
        made = self.client.post("/users", json={"username": name, "password": PASSWORD}).json()
        return made["id"], self.signed_in(name)

    def signed_in(self, name):
        jwt = self.client.post("/auth", json={"username": name, "password": PASSWORD}).json()
        return {"Authorization": f"JWT {jwt['access_token']}"}


@pytest.fixture(scope="session")
def started(tmp_path_factory, storage):
    """Starts servers with settings from the environment; all end with the tests."""
    servers = []

    def start(**environment):
        directory = tmp_path_factory.mktemp("server")
        server = Server(directory, **storage(directory), **environment)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
    for server in servers:
        server.ended()


@pytest.fixture(scope="session")
def server(started):
    return started()


@pytest.fixture(scope="session")
def locked(started):
    """A server that wants a credential of everybody."""
    return started(BAROGRAPH_AUTH="required")


@pytest.fixture
def client(server):
    return server.client


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture(scope="session")
def elsewhere(started):
    """A server in India."""
    return Api(started(BAROGRAPH_TIMEZONE="Asia/Kolkata").client)
