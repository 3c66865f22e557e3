"""The dashboard on real services, asked as a browser asks."""

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI

from barograph.domain.batch import MetricBatch
from barograph.domain.user import OPERATOR
from barograph.transport.http import problem_documents
from barograph.transport.http.access import Access
from barograph.transport.web.router import router

MINUTE = 60_000_000


class Browser:
    """A client that keeps cookies and sends forms as our pages do."""

    def __init__(self, core, mode, host="127.0.0.1", scheme="http"):
        app = FastAPI(redirect_slashes=False)
        app.state.access = Access(core.registry, core.accounts, mode, ["127.0.0.1"])
        problem_documents.install(app)
        app.routes.extend(router(core).routes)
        self._transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
        self._base_url = f"{scheme}://{host}:8000"
        self.cookies = httpx.Cookies()

    def request(self, method, path, **options):
        async def ask():
            async with httpx.AsyncClient(
                transport=self._transport, base_url=self._base_url, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def get(self, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=headers)

    def csrf(self):
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/sign-in").text)
        if found is None:  # the local operator is sent on from there
            found = re.search(r'name="csrf" value="([^"]+)"', self.get("/").text)
        return found[1]

    def send(self, path, headers=(), **fields):
        headers = {"Sec-Fetch-Site": "same-origin", **dict(headers)}
        return self.request("POST", path, data={"csrf": self.csrf(), **fields}, headers=headers)


@pytest.fixture
def browser(core):
    """On this machine, where the server listens on loopback only."""
    return Browser(core, "auto")


@pytest.fixture
def stranger(core):
    """Where everybody has to sign in."""
    return Browser(core, "required")


@pytest.fixture
def write(core):
    """Store readings: `write(device, [(time, {metric: value})])`."""

    def write(device, rows):
        metrics = list(dict.fromkeys(metric for _, row in rows for metric in row))
        entries = [(metric, time, value) for time, row in rows for metric, value in row.items()]
        texts = {i: value for i, (_, _, value) in enumerate(entries) if isinstance(value, str)}
        batch = MetricBatch(
            metrics,
            [metrics.index(metric) for metric, _, _ in entries],
            [time for _, time, _ in entries],
            [float("nan") if isinstance(value, str) else value for _, _, value in entries],
            texts,
        )
        stored = core.ingest.resolve(device, batch)
        core.store.append(stored)
        core.latest.update(stored)

    return write


@pytest.fixture
def greenhouse(core, write):
    """A device with an hour of readings, one a minute, up to now."""
    device, _ = core.devices.create(OPERATOR, "Greenhouse", key="greenhouse")
    now = core.clock()
    write(
        device,
        [(now - i * MINUTE, {"temperature": 20 + i / 10, "vent": "open"}) for i in range(60)],
    )
    return device


@pytest.fixture
def ada(core):
    """A member."""
    user, _ = core.accounts.register("ada", "ada@example.org", "correct horse battery", OPERATOR)
    return user
