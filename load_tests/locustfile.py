# ruff: noqa: INP001  # locust loads this file by its path
"""Load on the device monitoring API: many devices that send x, y, z, and a few who ask.

    cd load_tests && locust -f locustfile.py --host=http://localhost:8000

Where the server wants credentials, set BAROGRAPH_TOKEN to a user's API token.
"""

import os
import random
import uuid

from locust import FastHttpUser, between, constant_throughput, task


class Somebody(FastHttpUser):
    """A user with one device, both registered when the load begins."""

    abstract = True

    def on_start(self) -> None:
        """Register."""
        token = os.environ.get("BAROGRAPH_TOKEN")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        device = {"name": f"load {uuid.uuid4().hex[:12]}"}
        if token:
            self.user_id = self._told("GET", "/api/users/me")["id"]
        else:
            name = f"load-{uuid.uuid4().hex[:12]}"
            user = {"username": name, "email": f"{name}@example.org"}
            self.user_id = self._told("POST", "/api/users/", user)["id"]
            device["user_id"] = str(self.user_id)
        self.device_id = self._told("POST", "/api/devices/", device)["id"]
        self.send()

    def send(self) -> None:
        """One reading of each axis."""
        self._told(
            "POST",
            f"/api/devices/{self.device_id}/data",
            {axis: random.gauss(0.0, 1.0) for axis in "xyz"},
            name="/api/devices/{id}/data",
        )

    def _told(self, method: str, path: str, body: object = None, name: str | None = None) -> dict:
        with self.rest(method, path, json=body, headers=self.headers, name=name) as answer:
            return answer.js


class Sensor(Somebody):
    """Sends once a second."""

    weight = 20
    wait_time = constant_throughput(1)

    @task
    def measure(self) -> None:
        """Send."""
        self.send()


class Analyst(Somebody):
    """Asks now and then."""

    weight = 1
    wait_time = between(1, 3)

    @task(3)
    def ask_about_a_device(self) -> None:
        """The device's summary."""
        path = f"/api/analytics/devices/{self.device_id}"
        self._told("GET", path, name="/api/analytics/devices/{id}")

    @task(1)
    def ask_about_a_user(self) -> None:
        """The summary over all of the user's devices."""
        path = f"/api/analytics/users/{self.user_id}?aggregate=true&start_time=-1h"
        self._told("GET", path, name="/api/analytics/users/{id}")
