"""Two processes while what they stand on is killed, full or restarted, and devices go on sending.

As `tests/acceptance/test_databases_that_fail.py` does it with one: whoever sends goes on until it is
acknowledged, here with senders at each of the processes.
"""

import contextlib

import pytest
from tests.acceptance.brokers import Mosquitto, missing
from tests.acceptance.test_bridge import Barograph, publisher  # noqa: F401  # a fixture
from tests.acceptance.test_databases_that_fail import (
    Sender,
    database_on,
    everything_is_there_once,
    fill,
    finished,
    scratch_directory,
    sending_goes_on,
    wait_until,
)
from tests.jobs.conftest import missing as absent
from tests.jobs.conftest import private_redis  # noqa: F401  # a fixture
from tests.private_servers import KINDS, private_server, small_disk
from tests.waiting import until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device


class SenderAtOne(Sender):
    """Sends over a connection that goes to one process."""

    def __init__(self, client, device):
        super().__init__(client.base_url, device)
        self.client = client

    def connect(self):
        return contextlib.closing(self.client)


@contextlib.contextmanager
def sending(server):
    """Clients of both processes, and two senders at each."""
    pair = server.each()
    senders = [
        SenderAtOne(client, make_device(pair[0])["id"])
        for one in range(2)
        for client in server.each()
    ]
    try:
        for sender in senders:
            sender.start()
        sending_goes_on(senders)
        yield pair, senders
    finally:
        finished(senders)
        for client in pair:
            client.close()


def both_say(pair, status):
    wait_until(
        lambda: {client.get("/readyz").status_code for client in pair} == {status}, f"{status}"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_killed_and_restarted_loses_and_doubles_nothing(kind, tmp_path):
    with private_server(kind) as database:
        database.run("CREATE DATABASE work")
        url = database.url("work")
        settings = {"BAROGRAPH_DATABASE_URL": url, "BAROGRAPH_READINGS_URL": url}
        with workers(tmp_path, "postgresql", **settings) as server, sending(server) as found:
            pair, senders = found
            database.kill()
            both_say(pair, 503)
            assert {client.get("/healthz").status_code for client in pair} == {200}
            database.start()
            both_say(pair, 200)
            sending_goes_on(senders)
            finished(senders)
            assert set().union(*(sender.refusals for sender in senders)) == {503}
            for client in pair:
                everything_is_there_once(client, senders)


def test_a_full_disk_is_told_by_both_and_loses_and_doubles_nothing(tmp_path):
    with (
        scratch_directory() as scratch,
        small_disk(scratch / "disk", 24) as disk,
        database_on(disk, "postgresql") as url,
        workers(tmp_path, "postgresql", BAROGRAPH_READINGS_URL=url) as server,
        sending(server) as (pair, senders),
    ):
        fill(disk / "filler")
        wait_until(lambda: all(507 in sender.refusals for sender in senders), "a refusal")
        for client in pair:
            answer = client.get("/readyz")
            assert answer.status_code == 503
            assert "full" in answer.json()["detail"]
        (disk / "filler").unlink()
        sending_goes_on(senders)
        both_say(pair, 200)
        finished(senders)
        assert set().union(*(sender.refusals for sender in senders)) <= {503, 507}
        everything_is_there_once(pair[0], senders)


def test_no_write_is_refused_while_redis_is_killed_and_restarted(tmp_path, private_redis):  # noqa: F811  # the fixture above
    with (
        workers(tmp_path, "postgresql", BAROGRAPH_REDIS_URL=private_redis.url) as server,
        sending(server) as (pair, senders),
    ):
        private_redis.kill()
        for client in pair:
            until(lambda client=client: client.get("/readyz").json()["status"] == "degraded")
        sending_goes_on(senders)
        private_redis.start()
        for client in pair:
            until(lambda client=client: client.get("/readyz").json()["status"] == "ok")
        sending_goes_on(senders)
        finished(senders)
        assert set().union(*(sender.refusals for sender in senders)) == set()
        everything_is_there_once(pair[1], senders)


class Bridged(Barograph):
    """What `test_bridge` asks of a server, of one with two processes."""

    def __init__(self, server):
        self.server = server
        self.pair = server.each()
        self.http = self.pair[0]

    def states(self):
        return {client.get("/readyz").json()["mqtt_bridge"] for client in self.pair}

    def connected(self):
        self.wait(lambda: self.states() == {"connected"})


def test_through_a_restart_of_the_broker_both_processes_store_each_message_once(
    tmp_path,
    publisher,  # noqa: F811  # the fixture above
):
    if problem := missing("mosquitto"):
        absent(problem)
    broker = Mosquitto(tmp_path / "broker")
    try:
        with workers(tmp_path, "postgresql", BAROGRAPH_MQTT_BRIDGE=broker.url) as server:
            both = Bridged(server)
            both.connected()
            both.add(*(f"two-{n}" for n in range(3)))
            source = publisher(broker, "two-").begin()
            until(lambda: source.sent > 200)
            broker.stop()
            both.wait(lambda: "connected" not in both.states())
            broker.start()
            both.connected()
            more = source.sent + 200
            until(lambda: source.sent > more)
            source.end()
            both.wait(lambda: both.count("two-") >= source.sent)
            assert sorted(both.numbers("two-")) == list(range(source.sent))
            taken = [count_of(client) for client in both.pair]
            assert min(taken) > 0
            for client in both.pair:
                client.close()
    finally:
        broker.stop()


def count_of(client):
    """How many readings the process has stored."""
    worker = client.get("/healthz").json()["worker"]
    name = f'barograph_readings_committed_total{{worker="{worker}"}} '
    told = client.get("/metrics").text
    return float(told.partition(f"\n{name}")[2].partition("\n")[0])
