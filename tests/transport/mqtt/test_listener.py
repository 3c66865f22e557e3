"""The listener on real sockets, with a store that fails when a test wants it to."""

import asyncio
import contextlib
import socket
import threading

import pytest
from tests.waiting import PATIENCE_SECONDS, until

from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing
from barograph.transport.http.access import Access
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.listener import MqttListener
from barograph.transport.mqtt.storage import MqttStorage
from barograph.transport.mqtt.topics import Topics


class Client:
    """A socket that speaks packets."""

    def __init__(self, port, version=p.V5):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE_SECONDS)
        self.version = version
        self._framing, self._inbox = Framing(), []
        self.send(p.Connect(version, "", True, 0))
        assert self.receive().reason == 0

    def send(self, *packets):
        self.socket.sendall(b"".join(encode(one, self.version) for one in packets))

    def receive(self):
        while not self._inbox:
            data = self._framing.join(self.socket.recv(65536))
            pos = 0
            while pos < len(data):
                body, after = self._framing.find(data, pos, 1 << 20)
                if not body:
                    break
                self._inbox.append(decode(data[pos], data[body:after], self.version))
                pos = after
            self._framing.keep(data[pos:])
        return self._inbox.pop(0)

    def silent(self, seconds=0.3):
        """Whether nothing comes for a while."""
        if self._inbox:
            return False
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)


@pytest.fixture
def listening(core, tmp_path):
    """A listener in a thread of its own; connects clients."""
    access = MqttAccess(
        core.registry,
        core.accounts,
        Access(core.registry, core.accounts, "auto", ["127.0.0.1"]),
        open=False,
    )
    storage = MqttStorage(tmp_path / "mqtt.db")
    listener = MqttListener(core, access, Topics(core.registry), storage, auto_create=True)
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    loops, clients = [], []

    async def run():
        loops.append(asyncio.get_running_loop())
        await listener.run([bound])

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()

    def connect(**options):
        clients.append(Client(port, **options))
        return clients[-1]

    connect.listener = listener
    connect.port = port
    connect.stop = lambda: loops[0].call_soon_threadsafe(listener.stop)
    yield connect
    with contextlib.suppress(RuntimeError):  # the test has stopped it, and its loop is closed
        connect.stop()
    for client in clients:
        client.socket.close()
    thread.join()
    bound.close()
    storage.close()


def publishes(count, first=1, qos=1):
    return [
        p.Publish("devices/a/x", b"%d" % i, qos, packet_id=i if qos else 0)
        for i in range(first, first + count)
    ]


def test_nothing_is_acknowledged_before_the_commit(core, gate, listening):
    client = listening()
    client.send(*publishes(1))
    assert client.receive().kind == p.PUBACK
    gate.open.clear()
    client.send(*publishes(3, first=2))
    assert client.silent()
    gate.open.set()
    assert [client.receive().packet_id for _ in range(3)] == [2, 3, 4]


def test_an_overloaded_writer_delays_the_acknowledgement_and_loses_nothing(core, gate, listening):
    client = listening()
    client.send(*publishes(1))
    client.receive()
    gate.open.clear()
    others = [listening() for _ in range(4)]
    for i, other in enumerate(others):
        other.send(*publishes(60, first=100 * i + 100))
    until(lambda: core.telemetry.writes_overloaded)
    assert all(other.silent(0.1) for other in others)
    gate.open.set()
    for i, other in enumerate(others):
        got = [other.receive().packet_id for _ in range(60)]
        assert got == list(range(100 * i + 100, 100 * i + 160))
    assert core.latest.of_series([1])
    assert core.telemetry.mqtt_messages == 241
    assert core.telemetry.writes_overloaded > 0


def test_a_failed_commit_is_tried_again_before_the_acknowledgement(core, gate, listening):
    client = listening(version=p.V3)
    client.send(*publishes(1))
    client.receive()
    gate.failures = 1
    client.send(*publishes(1, first=2))
    assert client.receive().packet_id == 2
    assert core.telemetry.commits_failed == 1
    assert core.telemetry.readings_committed == 2


def test_a_stop_commits_and_acknowledges_what_came_in(core, gate, listening):
    client = listening()
    client.send(*publishes(1))
    client.receive()
    gate.open.clear()
    client.send(*publishes(5, first=2))
    until(lambda: core.writer.backlog == 5)
    assert client.silent(0.1)
    listening.stop()
    gate.open.set()
    assert [client.receive().packet_id for _ in range(5)] == [2, 3, 4, 5, 6]
    assert client.receive().reason == 0x8B
    assert client.socket.recv(1) == b""


def test_who_still_sends_at_a_stop_reads_its_answers_and_the_goodbye(core, gate, listening):
    client = listening()
    client.send(*publishes(1))
    client.receive()
    gate.open.clear()
    client.send(*publishes(1, first=2))
    flood = encode(p.Publish("devices/a/x", b"1".ljust(1000), 0), p.V5) * 100
    client.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while True:
            client.socket.send(flood)
    client.socket.settimeout(PATIENCE_SECONDS)
    listening.stop()
    gate.open.set()
    assert client.receive().packet_id == 2
    assert client.receive().reason == 0x8B
    assert client.socket.recv(1) == b""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", b"\x30\x00"])
def test_what_is_not_connect_ends_the_connection(core, listening, data):
    listening()
    with socket.create_connection(
        ("127.0.0.1", listening.port), timeout=PATIENCE_SECONDS
    ) as stranger:
        stranger.sendall(data)
        while stranger.recv(100):
            pass


def test_a_packet_over_the_limit_ends_the_connection_with_its_reason(core, listening):
    client = listening()
    client.send(p.Publish("devices/a/x", bytes(core.limits.mqtt_packet_bytes_max), 0))
    assert client.receive().reason == 0x95


def test_who_still_sends_a_packet_over_the_limit_reads_why_it_is_turned_away(core, listening):
    client = listening()
    client.send(p.Publish("devices/a/x", bytes(core.limits.mqtt_packet_bytes_max + (4 << 20)), 0))
    assert client.receive().reason == 0x95
    assert client.socket.recv(1) == b""


def test_who_does_not_close_after_the_goodbye_is_dropped(core, listening):
    client = listening()
    client.send(p.Publish("devices/a/x", bytes(core.limits.mqtt_packet_bytes_max), 0))
    assert client.receive().reason == 0x95
    assert core.telemetry.mqtt_connections == 1
    until(lambda: core.telemetry.mqtt_connections == 0)


def test_a_flood_is_not_read_beyond_its_bound_while_others_are_served(core, gate, listening):
    first = listening()
    first.send(*publishes(1))
    first.receive()
    gate.open.clear()
    packet = encode(p.Publish("devices/a/x", b"1".ljust(1000), 1, packet_id=1), p.V3)
    floods = [listening(version=p.V3) for _ in range(4)]
    accepted = {}
    for flood in floods:
        flood.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += flood.socket.send(packet * 64)
        accepted[flood] = sent
        flood.socket.settimeout(PATIENCE_SECONDS)
    # What the kernel holds of both sides comes on top of what the server took.
    assert all(sent < 64 << 20 for sent in accepted.values()), accepted
    other = listening()
    other.send(p.Subscribe(1, (("elsewhere", p.Options(1)),)))
    assert other.receive().reasons == (1,)
    other.send(p.Publish("elsewhere", b"x", 1, packet_id=2), p.Pingreq())
    assert {type(other.receive()) for _ in range(3)} == {p.Publish, p.PublishAnswer, p.Pingresp}
    until(lambda: core.telemetry.writes_overloaded)
    gate.open.set()
    total = 0
    for flood, sent in accepted.items():
        whole, rest = divmod(sent, len(packet))
        if rest:
            flood.socket.sendall(packet[rest:])
        for _ in range(whole + bool(rest)):
            assert flood.receive().kind == p.PUBACK
        total += whole + bool(rest)
    assert core.telemetry.readings_committed == total + 1
    assert core.telemetry.writes_overloaded > 0


def test_a_defect_in_a_decoder_costs_its_message_only(core, listening, caplog):
    ingest = core.ingest

    class Broken:
        def __getattr__(self, name):
            return getattr(ingest, name)

        def known(self, device, batch):
            if "bad" in batch.metrics:
                raise ZeroDivisionError
            return ingest.known(device, batch)

    client = listening()
    client.send(*publishes(1))
    client.receive()
    core.ingest = Broken()
    client.send(
        *(
            p.Publish(f"devices/a/{metric}", b'{"value": 1}', 1, packet_id=i)
            for i, metric in enumerate(["x", "bad", "y"], 2)
        )
    )
    answers = [client.receive() for _ in range(3)]
    assert [(one.packet_id, one.reason) for one in answers] == [(2, 0), (3, 0x99), (4, 0)]
    assert "is left out" in caplog.text
