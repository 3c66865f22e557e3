# ruff: noqa: INP001, S311  # locust loads this file by its path; a mix needs no secret numbers
"""Load on the device monitoring API: households whose devices send x, y, z and who look at them.

    cd load_tests && locust -f locustfile.py --host=http://localhost:8000

Each simulated household is a user with several devices. Of a hundred requests about seventy-five
write (most of them one reading of each axis, some what a device had gathered meanwhile), fifteen
ask for newest values and ten for summaries. Set DEVICES to change how many devices a household
has (5), and where the server wants credentials BAROGRAPH_TOKEN to a user's API token.
"""

import os
import random
import time
import uuid

from locust import FastHttpUser, between, task

DEVICES = int(os.environ.get("DEVICES", "5"))
_TOKEN = os.environ.get("BAROGRAPH_TOKEN", "")
_GATHERED_READINGS = 20


class Household(FastHttpUser):
    """A user with several devices, all registered when the load begins."""

    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        """Register the user, unless the token says who it is, and the devices."""
        self.headers = {"Authorization": f"Bearer {_TOKEN}"} if _TOKEN else {}
        if _TOKEN:
            self.user_id = self._told("GET", "/api/users/me")["id"]
        else:
            name = f"load-{uuid.uuid4().hex[:12]}"
            user = {"username": name, "email": f"{name}@example.org"}
            self.user_id = self._told("POST", "/api/users/", user)["id"]
        self.devices = [self._device() for _ in range(DEVICES)]

    def _device(self) -> int:
        device = {"name": f"load {uuid.uuid4().hex[:12]}", "user_id": str(self.user_id)}
        device_id = self._told("POST", "/api/devices/", device)["id"]
        self._write(device_id, _axes(), "one")
        return device_id

    @task(60)
    def send(self) -> None:
        """One reading of each axis."""
        self._write(random.choice(self.devices), _axes(), "one")

    @task(15)
    def send_what_was_gathered(self) -> None:
        """The last seconds of a device that had been out of reach, a reading a second."""
        now = time.time()
        rows = [_axes() | {"ts": now - age} for age in range(_GATHERED_READINGS, 0, -1)]
        self._write(random.choice(self.devices), rows, f"{_GATHERED_READINGS} rows")

    @task(15)
    def look_at_the_newest_values(self) -> None:
        """As a page does that shows a device."""
        path = f"/api/devices/{random.choice(self.devices)}/latest"
        self._told("GET", path, name="GET newest values of a device")

    @task(5)
    def ask_about_a_device(self) -> None:
        """A device's summary over all time."""
        path = f"/api/analytics/devices/{random.choice(self.devices)}"
        self._told("GET", path, name="GET summary of a device")

    @task(3)
    def ask_for_a_course(self) -> None:
        """What a chart of the last hour shows."""
        path = f"/api/analytics/devices/{random.choice(self.devices)}?start_time=-1h&interval=1m"
        self._told("GET", path, name="GET a device's last hour by the minute")

    @task(2)
    def ask_about_a_user(self) -> None:
        """The summary over all of the user's devices."""
        path = f"/api/analytics/users/{self.user_id}?aggregate=true&start_time=-1h"
        self._told("GET", path, name="GET summary of all a user's devices")

    def _write(self, device_id: int, body: object, what: str) -> None:
        path = f"/api/devices/{device_id}/data"
        self._told("POST", path, body, name=f"POST readings, {what}")

    def _told(self, method: str, path: str, body: object = None, name: str | None = None) -> dict:
        named = name or f"{method} {path}"
        with self.rest(method, path, json=body, headers=self.headers, name=named) as answer:
            return answer.js


def _axes() -> dict[str, float]:
    return {axis: random.gauss(0.0, 1.0) for axis in "xyz"}
