"""Servers of two processes on one port, on each way for these to agree."""

import contextlib
import os

import httpx
import pytest
from tests.conftest import Server
from tests.databases import empty_database
from tests.waiting import PATIENCE_SECONDS, until

WAYS = ("postgresql", "mysql", "postgresql with redis")
REDIS = os.environ.get("BAROGRAPH_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


class Workers(Server):
    """A server of several processes."""

    def each(self, count=2):
        """For each process a client whose one connection goes there, in order of number."""
        found = {}

        def all_found():
            client = httpx.Client(
                base_url=self.url,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=PATIENCE_SECONDS,
                # Another connection, after a pause, might go to another process.
                limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
            )
            try:
                number = client.get("/healthz").json()["worker"]
            except httpx.TransportError:  # a process that is being replaced
                client.close()
                return None
            if number in found:
                client.close()
            found.setdefault(number, client)
            return len(found) == count

        until(all_found, lambda: f"{count} processes: {sorted(found)} answer")
        return [found[number] for number in sorted(found)]


@contextlib.contextmanager
def workers(directory, way, *options, ends=0, **environment):
    """A server of two processes; what `environment` says of databases goes before the `way`."""
    backend, _, redis = way.partition(" with ")
    with empty_database(backend, directory) as url:
        given = {"BAROGRAPH_DATABASE_URL": url, "BAROGRAPH_READINGS_URL": url, **environment}
        if redis:
            given.setdefault("BAROGRAPH_REDIS_URL", REDIS)
        if "BAROGRAPH_MQTT_BRIDGE" not in given:
            options = ("--mqtt-port", "0", *options)
        server = Workers(directory, "--workers", "2", *options, **given)
        server.environment = given
        try:
            yield server
        finally:
            status = server.stop()
        assert status == ends, server.log.read_text()


@pytest.fixture(scope="module", params=WAYS)
def server(request, tmp_path_factory):
    with workers(tmp_path_factory.mktemp("workers"), request.param) as server:
        yield server


@pytest.fixture
def pair(server):
    """A client of each of the two processes."""
    found = server.each()
    yield found
    for client in found:
        client.close()
