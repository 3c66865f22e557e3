"""The routes of users, sign-in, devices and assets on real services."""

import asyncio
import hashlib
from functools import partial

import httpx
import pytest
from fastapi import FastAPI

from barograph.domain.user import Token
from barograph.transport.http import assets, auth, devices, problem_documents, routes, users
from barograph.transport.http.access import Access
from barograph.transport.http.app import HttpApplication
from barograph.transport.http.paths import keep_slashes


@pytest.fixture
def api(parts):
    """A FastAPI application where everything needs a credential."""
    app = FastAPI(redirect_slashes=False)
    app.state.access = Access(parts.registry, parts.accounts, "required", ["0.0.0.0"])
    problem_documents.install(app)
    for router in (auth.router, users.router, devices.router, assets.router):
        app.routes.extend(router(parts).routes)
    return app


class Client:
    """Sends requests to an application in this process, one at a time."""

    def __init__(self, app, address="203.0.113.7"):
        async def with_keys(scope, receive, send):
            keep_slashes(scope)
            await app(scope, receive, send)

        self._transport = httpx.ASGITransport(
            with_keys, raise_app_exceptions=False, client=(address, 50_000)
        )
        self.headers = {}

    def request(self, method, path, **options):
        async def send():
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://barograph", headers=self.headers
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def patch(self, path, **options):
        return self.request("PATCH", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)


@pytest.fixture
def client(api):
    """A client that sends no credential of its own."""
    return Client(api)


@pytest.fixture
def application(core):
    """The whole HTTP application, where everything needs a credential."""
    access = Access(core.registry, core.accounts, "required", ["0.0.0.0"])
    return HttpApplication(core, access, partial(routes.make, core, access))


@pytest.fixture
def sign_in(core):
    """Gives a user or device a token, and returns the headers that carry it."""

    def sign_in(principal):
        secret = f"token-{principal.kind}-{principal.user_id}-{principal.device_id}"
        digest = hashlib.sha256(secret.encode()).digest()
        core.registry.put_token(
            Token(0, digest, user_id=principal.user_id, device_id=principal.device_id)
        )
        return {"Authorization": f"Bearer {secret}"}

    return sign_in


@pytest.fixture
def admin(application, sign_in, fleet):
    """A client of the whole application that is an administrator."""
    client = Client(application)
    client.headers = sign_in(fleet.user("root", role="admin"))
    return client


@pytest.fixture
def stranger(application):
    """A client of the whole application that sends no credential of its own."""
    return Client(application)
