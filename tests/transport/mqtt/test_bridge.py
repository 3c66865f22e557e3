"""The bridge against a broker that a test plays packet by packet, and its parts."""

import asyncio
import contextlib
import json
import logging
import queue
import socket
import threading

import pytest
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.user import OPERATOR
from barograph.mqtt import DUP
from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode, version_of
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason
from barograph.transport.http.access import Access
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.arrivals import Arrivals
from barograph.transport.mqtt.backoff import Backoff
from barograph.transport.mqtt.bridge import MqttBridge
from barograph.transport.mqtt.bridge_options import BridgeOptions
from barograph.transport.mqtt.bridge_state import BridgeState
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.topics import Template, Topics

START = 1_750_000_000


class TestBrokerAddress:
    @pytest.mark.parametrize(
        ("text", "host", "port", "tls", "username", "password"),
        [
            ("mqtt://broker", "broker", 1883, False, None, None),
            ("mqtts://broker", "broker", 8883, True, None, None),
            ("mqtt://anna:s%40fe%2F@10.0.0.1:2883/", "10.0.0.1", 2883, False, "anna", "s@fe/"),
            ("mqtt://token@[::1]:1884", "::1", 1884, False, "token", None),
        ],
    )
    def test_it_is_read(self, text, host, port, tls, username, password):
        found = BrokerAddress.parse(text)
        assert found == BrokerAddress(host, port, tls, username, password)

    @pytest.mark.parametrize(
        "text",
        [
            "http://broker",
            "broker:1883",
            "mqtt://",
            "mqtt://anna:secret@broker:port",
            "mqtt://anna:sec/ret@broker",
            "mqtt://anna:secret@broker:70000",
            "mqtt://anna:secret@broker/devices/#",
            "mqtt://:secret@broker",
            "mqtt://anna:secret@[broker",
        ],
    )
    def test_what_is_wrong_is_said_without_the_password(self, text):
        with pytest.raises(ValueError, match="use mqtt://user:password@host:1883") as caught:
            BrokerAddress.parse(text)
        assert "sec" not in str(caught.value)

    def test_its_text_has_no_credentials(self):
        found = BrokerAddress.parse("mqtts://anna:secret@[::1]:8883")
        assert str(found) == "mqtts://[::1]:8883"
        assert "secret" not in repr(found)


class TestBackoff:
    def test_pauses_double_up_to_the_limit_and_begin_anew_after_a_success(self):
        backoff = Backoff(1.0, 5.0, chance=lambda: 0.0)
        assert [backoff.pause() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
        backoff.reset()
        assert backoff.pause() == 1.0

    def test_each_is_shortened_by_up_to_a_half(self):
        assert Backoff(1.0, 5.0, chance=lambda: 0.99).pause() == pytest.approx(0.505)


class TestBridgeState:
    def test_it_is_the_same_after_a_restart(self, tmp_path):
        path = tmp_path / "bridge.json"
        state = BridgeState(path)
        state.asked_for(["a", "b"])
        again = BridgeState(path)
        assert (again.client_id, again.filters) == (state.client_id, {"a", "b"})

    def test_a_client_identifier_that_is_set_counts(self, tmp_path):
        path = tmp_path / "bridge.json"
        BridgeState(path)
        assert BridgeState(path, "mine").client_id == "mine"
        assert BridgeState(path).client_id == "mine"

    @pytest.mark.parametrize("content", ["", "[]", '{"client_id": "x"}'])
    def test_a_file_that_cannot_be_read_is_not_replaced(self, tmp_path, content):
        path = tmp_path / "bridge.json"
        path.write_text(content)
        with pytest.raises(ValueError, match="cannot be read"):
            BridgeState(path)
        assert path.read_text() == content


class TestArrivals:
    @pytest.fixture
    def start(self, tmp_path):
        """Begins anew with the same file, as after `kill -9`."""

        def start(*, present=True):
            arrivals = Arrivals(tmp_path / "arrivals")
            arrivals.resume(present=present)
            return arrivals

        return start

    @staticmethod
    def message(payload, packet_id, dup=True):
        return (b"devices/a/x", payload, 2 | (DUP if dup else 0), packet_id, None)

    def test_what_comes_again_keeps_its_time_whether_we_acknowledged_it_or_not(self, start):
        first = start()
        messages = [self.message(b"1", i, dup=False) for i in (5, 6, 7)]
        first.note(messages, [10, 20, 30])
        first.acknowledged(messages[:2])
        again = start()
        assert [again.of(self.message(b"1", i)) for i in (6, 7, 8)] == [20, 30, None]

    def test_only_what_the_broker_calls_a_repetition_is_one(self, start):
        start().note([self.message(b"1", 5, dup=False)], [10])
        again = start()
        assert again.of(self.message(b"1", 5, dup=False)) is None
        assert again.of(self.message(b"2", 5)) is None
        assert again.of(self.message(b"1", 5)) == 10

    def test_each_note_serves_once(self, start):
        start().note([self.message(b"1", 5, dup=False)], [10])
        again = start()
        assert again.of(self.message(b"1", 5)) == 10
        assert again.of(self.message(b"1", 5)) is None

    def test_a_broker_that_numbers_anew_repeats_only_what_was_not_acknowledged(self, start):
        first = start()
        messages = [self.message(b"1", i, dup=False) for i in (1, 2, 3)]
        first.note(messages, [10, 20, 30])
        first.acknowledged(messages[:1])
        again = start()
        assert [again.of(self.message(b"1", i)) for i in (1, 2, 3)] == [20, 30, None]

    def test_identifiers_that_come_round_again_are_no_repetition(self, start):
        first = start()
        for i in range(2, 40_000):
            first.note([self.message(b"1", i, dup=False)], [i])
        again = start()
        assert again.of(self.message(b"1", 39_000)) == 39_000
        assert again.of(self.message(b"1", 500)) is None

    def test_only_the_last_connection_counts(self, start):
        start().note([self.message(b"1", 5, dup=False)], [10])
        start().note([self.message(b"2", 6, dup=False)], [20])
        again = start()
        assert again.of(self.message(b"1", 5)) is None
        assert again.of(self.message(b"2", 6)) == 20

    def test_unless_nothing_came_on_it(self, start):
        start().note([self.message(b"1", 5, dup=False)], [10])
        start()
        assert start().of(self.message(b"1", 5)) == 10

    def test_what_the_broker_forgot_is_forgotten(self, start):
        start().note([self.message(b"1", 5, dup=False)], [10])
        assert start(present=False).of(self.message(b"1", 5)) is None
        assert start().of(self.message(b"1", 5)) is None


class Broker:
    """A listening socket whose connections a test answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_SECONDS)
        self.port = self.socket.getsockname()[1]
        self.links = []

    def accept(self, *, granted=p.NONE, present=False, subscribe=True):
        """The next connection, let in."""
        link = self.meet()
        link.send(p.Connack(present, 0, granted))
        if subscribe:
            link.grant()
        return link

    def know_no_5(self):
        """Refuse the next connection as a broker does that is older than 5.0."""
        link = self.meet()
        assert link.version == p.V5
        link.socket.sendall(b"\x20\x02\x00\x01")

    def meet(self):
        """The next connection and its CONNECT."""
        link = Link(self.socket.accept()[0])
        self.links.append(link)
        link.connect = link.receive()
        return link

    def close(self):
        self.socket.close()
        for link in self.links:
            link.close()


class Link:
    """The broker's end of a connection."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(PATIENCE_SECONDS)
        self.version = p.V5
        self._framing, self._inbox = Framing(), queue.Queue()

    def close(self):
        self.socket.close()

    def send(self, *packets):
        self.socket.sendall(b"".join(encode(one, self.version) for one in packets))

    def grant(self):
        """Answer SUBSCRIBE, and UNSUBSCRIBE before it."""
        packet = self.receive()
        self.unsubscribed = ()
        if isinstance(packet, p.Unsubscribe):
            self.unsubscribed = packet.filters
            self.send(p.Unsuback(packet.packet_id, (0,) * len(packet.filters)))
            packet = self.receive()
        self.subscribed = [name for name, _ in packet.filters]
        self.options = packet.filters[0][1]
        self.send(p.Suback(packet.packet_id, (1,) * len(packet.filters)))

    def publish(self, topic, payload, packet_id=1, qos=1, **more):
        self.send(p.Publish(topic, payload, qos, packet_id=packet_id if qos else 0, **more))

    def receive(self):
        """The next packet; None when the connection is closed."""
        while self._inbox.empty():
            more = self.socket.recv(65536)
            if not more:
                return None
            data = self._framing.join(more)
            pos = 0
            while pos < len(data):
                body, after = self._framing.find(data, pos, 1 << 20)
                if not body:
                    break
                if data[pos] >> 4 == p.CONNECT:
                    self.version = version_of(data[body:after])
                self._inbox.put(decode(data[pos], data[body:after], self.version))
                pos = after
            self._framing.keep(data[pos:])
        return self._inbox.get()

    def acknowledged(self, count):
        """The identifiers of the next PUBACKs."""
        found = [self.receive() for _ in range(count)]
        assert all(one.kind == p.PUBACK and one.reason == 0 for one in found)
        return [one.packet_id for one in found]

    def silent(self, seconds=0.3):
        """Whether nothing comes for a while."""
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)


@pytest.fixture
def broker():
    broker = Broker()
    yield broker
    broker.close()


class Running:
    """A bridge in a thread of its own."""

    def __init__(
        self,
        core,
        directory,
        port,
        *,
        templates=(),
        auto_create=True,
        username=None,
        password=None,
        **options,
    ):
        access = MqttAccess(
            core.registry,
            core.accounts,
            Access(core.registry, core.accounts, "auto", ["127.0.0.1"]),
            open=False,
        )
        self.bridge = MqttBridge(
            core,
            access,
            Topics(core.registry, map(Template.parse, templates)),
            BridgeState(directory / "bridge.json"),
            Arrivals(directory / "bridge.arrivals"),
            BridgeOptions(BrokerAddress("127.0.0.1", port, False, username, password), **options),
            auto_create=auto_create,
        )
        self.core = core
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self.bridge.run())

    def stop(self, *, wait=True):
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.bridge.stop)
        if wait:
            self._thread.join(PATIENCE_SECONDS)
            assert not self._thread.is_alive()

    def until(self, trouble):
        """Wait until the state tells of `trouble`; empty: until it is connected."""

        def told():
            said = self.core.telemetry.mqtt_bridge
            return said == trouble or (trouble and trouble in said)

        until(told, lambda: f"{trouble!r} instead of {self.core.telemetry.mqtt_bridge!r}")


@pytest.fixture
def bridging(core, tmp_path, broker):
    """Starts bridges to the broker; all end with the test."""
    started = []

    def start(**options):
        started.append(Running(core, tmp_path, broker.port, **options))
        return started[-1]

    yield start
    broker.close()
    for one in started:
        one.stop()


def stored(core):
    """Every reading: (device's key, metric, time in seconds, value)."""
    found = []
    for device in core.registry.devices():
        for metric, series in core.registry.series_of(device.id).items():
            for chunk in core.store.scan([series]):
                found += [
                    (device.key, metric, int(time) // 1_000_000, float(value))
                    for time, value in zip(chunk.times, chunk.values, strict=True)
                ]
    return sorted(found)


def timed(value, at=0):
    return json.dumps({"value": value, "ts": START + at}).encode()


class TestConnecting:
    def test_the_session_is_ours_over_connections_and_restarts(self, bridging, broker):
        bridge = bridging(session_seconds=600)
        first = broker.accept()
        assert not first.connect.clean_start
        assert first.connect.properties.session_expiry == 600
        assert first.connect.properties.receive_maximum == 1000
        first.close()
        second = broker.accept(present=True)
        assert second.connect.client_id == first.connect.client_id
        bridge.stop()
        bridging()
        assert broker.accept(present=True).connect.client_id == first.connect.client_id

    def test_the_credentials_are_sent_and_appear_in_no_log(self, bridging, broker, caplog):
        caplog.set_level(logging.DEBUG)
        bridge = bridging(username="anna", password="secret")
        link = broker.meet()
        assert (link.connect.username, link.connect.password) == ("anna", b"secret")
        assert "secret" not in repr(link.connect)
        link.send(p.Connack(False, Reason.BAD_USER_NAME_OR_PASSWORD))
        bridge.until("bad user name or password")
        assert "127.0.0.1" in caplog.text
        assert "secret" not in caplog.text

    def test_a_broker_without_5_0_gets_3_1_1(self, bridging, broker):
        bridge = bridging()
        broker.know_no_5()
        link = broker.accept()
        assert (link.version, link.subscribed) == (p.V3, ["devices/#"])
        bridge.until("")
        link.close()
        assert broker.meet().version == p.V3

    def test_so_does_one_that_just_hangs_up(self, bridging, broker):
        bridge = bridging()
        broker.meet().close()
        probe = broker.accept(subscribe=False)
        assert probe.version == p.V3
        assert probe.receive() == p.Disconnect()
        broker.meet().close()
        link = broker.accept()
        assert link.version == p.V3
        bridge.until("")
        link.close()
        link = broker.meet()
        assert link.version == p.V3
        link.close()
        assert broker.meet().version == p.V5

    def test_one_that_was_only_starting_gets_5_0(self, bridging, broker):
        bridge = bridging()
        broker.meet().close()
        broker.accept(subscribe=False).close()
        assert broker.accept().version == p.V5
        bridge.until("")

    def test_a_defect_in_the_bridge_ends_nothing_else(self, bridging, broker, caplog):
        bridge = bridging()
        link = broker.accept()
        bridge.until("")
        working, bridge.bridge._tick = bridge.bridge._tick, None
        link.close()
        bridge.until("the bridge failed")
        bridge.bridge._tick = working
        broker.accept()
        bridge.until("")

    def test_a_refusal_is_told_and_tried_again(self, bridging, broker, caplog):
        bridge = bridging()
        broker.meet().send(p.Connack(False, Reason.BAD_USER_NAME_OR_PASSWORD))
        bridge.until("bad user name or password")
        assert "trying again" in caplog.text
        broker.accept()
        bridge.until("")

    def test_a_refused_subscription_is_told_and_tried_again(self, bridging, broker):
        bridge = bridging()
        link = broker.accept(subscribe=False)
        asked = link.receive()
        link.send(p.Suback(asked.packet_id, (Reason.NOT_AUTHORIZED,)))
        assert isinstance(link.receive(), p.Disconnect)
        bridge.until("refuses the subscription to $share/barograph/devices/#")
        broker.accept()
        bridge.until("")

    def test_it_says_goodbye_and_keeps_the_session(self, bridging, broker):
        bridge = bridging()
        link = broker.accept()
        bridge.until("")
        bridge.stop(wait=False)
        assert link.receive() == p.Disconnect()
        assert link.receive() is None

    def test_another_with_our_identifier_is_named_as_the_trouble(self, bridging, broker):
        bridge = bridging()
        broker.accept().send(p.Disconnect(Reason.SESSION_TAKEN_OVER))
        bridge.until("mqtt_bridge_client_id")


class TestSubscribing:
    def test_workers_share_where_the_broker_says_that_it_can(self, bridging, broker):
        bridging(default_group="all-of-us", templates=["home/{device}/+/{metric}"])
        link = broker.accept()
        assert link.subscribed == ["$share/all-of-us/devices/#", "$share/all-of-us/home/+/+/+"]
        assert (link.options.qos, link.options.retain_handling) == (1, 2)

    def test_a_broker_that_cannot_share_gets_plain_filters(self, bridging, broker, caplog):
        bridging(group="mine")
        link = broker.accept(granted=Properties(shared_available=0))
        assert link.subscribed == ["devices/#"]
        assert "mqtt_bridge_group does nothing" in caplog.text

    def test_of_several_workers_the_first_takes_all_where_the_broker_cannot_share(
        self, bridging, broker
    ):
        bridge = bridging(first=False)
        link = broker.accept(granted=Properties(shared_available=0), subscribe=False)
        bridge.until("")
        assert link.silent()

    @pytest.mark.parametrize(("group", "prefix"), [("", ""), ("mine", "$share/mine/")])
    def test_for_3_1_1_only_a_group_that_is_set_counts(self, bridging, broker, group, prefix):
        bridging(group=group)
        broker.know_no_5()
        assert broker.accept().subscribed == [f"{prefix}devices/#"]

    def test_what_is_no_longer_wanted_is_unsubscribed(self, bridging, broker):
        bridge = bridging(group="old")
        broker.accept()
        bridge.until("")
        bridge.stop()
        bridging(group="new")
        link = broker.accept(present=True)
        assert link.unsubscribed == ("$share/old/devices/#",)
        assert link.subscribed == ["$share/new/devices/#"]


class TestReadings:
    def test_they_are_acknowledged_after_their_commit(self, core, fleet, gate, bridging, broker):
        fleet.device("a")
        bridging()
        link = broker.accept()
        gate.open.clear()
        link.publish("devices/device-1/x", timed(1.5), 7)
        assert link.silent()
        gate.open.set()
        assert link.acknowledged(1) == [7]
        assert stored(core) == [("device-1", "x", START, 1.5)]

    def test_a_failed_commit_is_tried_again(self, core, fleet, gate, bridging, broker):
        fleet.device("a")
        bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(0), 1)
        link.acknowledged(1)
        gate.failures = 1
        link.publish("devices/device-1/x", timed(1, at=1), 2)
        assert link.acknowledged(1) == [2]
        assert len(stored(core)) == 2

    def test_a_message_that_comes_again_counts_once(self, core, fleet, bridging, broker):
        fleet.device("a")
        bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(1.5), 7)
        link.acknowledged(1)
        link.close()
        link = broker.accept(present=True)
        link.publish("devices/device-1/x", timed(1.5), 7, dup=True)
        assert link.acknowledged(1) == [7]
        assert stored(core) == [("device-1", "x", START, 1.5)]

    def test_a_connection_lost_while_a_commit_is_under_way_costs_nothing(
        self, core, fleet, gate, bridging, broker
    ):
        fleet.device("a")
        bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(0), 6)
        link.acknowledged(1)
        gate.open.clear()
        link.publish("devices/device-1/x", timed(1), 7)
        link.close()
        link = broker.accept(present=True)
        link.publish("devices/device-1/x", timed(1), 7, dup=True)
        link.publish("devices/device-1/x", timed(2, at=1), 8)
        assert link.silent()
        gate.open.set()
        assert link.acknowledged(2) == [7, 8]
        assert stored(core) == [("device-1", "x", START, 1.0), ("device-1", "x", START + 1, 2.0)]
        assert core.telemetry.readings_committed == 4

    def test_values_without_a_time_keep_that_of_their_arrival_when_they_come_again(
        self, core, fleet, gate, bridging, broker, clock
    ):
        fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", b"0", 1)
        link.publish("devices/device-1/y", b"0", 2)
        link.acknowledged(2)
        gate.open.clear()
        payloads = [b"1", b"1", b'{"value": 1}', b'{"x": 2, "y": 3}', b'[{"x": 4}, {"x": 5}]']
        topics = ["x", "x", "y", "data", "data"]

        def publish(**more):
            link.send(
                *(
                    p.Publish(f"devices/device-1/{topic}", payload, 1, packet_id=i, **more)
                    for i, (topic, payload) in enumerate(zip(topics, payloads, strict=True), 3)
                )
            )

        publish()
        link.close()
        clock.now += 10_000_000
        link = broker.accept(present=True)
        publish(dup=True)
        gate.open.set()
        assert link.acknowledged(5) == [3, 4, 5, 6, 7]
        times = {
            metric: [one[2] for one in stored(core) if one[1] == metric] for metric in ("x", "y")
        }
        assert {metric: len(found) for metric, found in times.items()} == {"x": 6, "y": 3}
        link.publish("devices/device-1/x", b"9", 8)
        link.acknowledged(1)
        assert len([one for one in stored(core) if one[1] == "x"]) == 7
        bridge.until("")

    def test_templates_and_documents_and_qos_0_are_taken(self, core, fleet, bridging, broker):
        fleet.device("a")
        bridging(templates=["home/{device}/sensor/{metric}"])
        link = broker.accept()
        link.publish("home/device-1/sensor/t", timed(1), 1)
        document = [{"ts": START, "u": 2, "v": 3}, {"ts": START + 1, "u": 4}]
        link.publish("devices/device-1/data", json.dumps(document).encode(), 2)
        link.publish("devices/device-1/w", timed(5), qos=0)
        link.publish("devices/device-1/w", timed(6, at=1), 3)
        assert link.acknowledged(3) == [1, 2, 3]
        assert stored(core) == [
            ("device-1", "t", START, 1.0),
            ("device-1", "u", START, 2.0),
            ("device-1", "u", START + 1, 4.0),
            ("device-1", "v", START, 3.0),
            ("device-1", "w", START, 5.0),
            ("device-1", "w", START + 1, 6.0),
        ]

    def test_what_was_retained_is_old(self, core, fleet, bridging, broker):
        fleet.device("a")
        bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(1), 1, retain=True)
        link.publish("devices/device-1/x", timed(2, at=1), 2)
        assert link.acknowledged(2) == [1, 2]
        assert stored(core) == [("device-1", "x", START + 1, 2.0)]

    def test_nothing_that_arrives_ends_the_bridge(self, core, fleet, bridging, broker, caplog):
        fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        strange = [
            ("devices/device-1/data", b"{"),
            ("devices/device-1/data", b"\xff\x00"),
            ("devices/device-1/data", b"[" * 100_000),
            ("devices/device-1/data", b'{"ts": "never", "x": 1}'),
            ("devices/device-1/x", b""),
            ("devices/device-1/x", b"NaN"),
            ("devices/device-1/" + "x" * 60_000, b"1"),
            ("devices/" + "/".join("abc" * 100), b"1"),
            ("devices/", b"1"),
            ("devices//", b"1"),
            ("devices/device-1/command", b"anything"),
            ("elsewhere", b"1"),
            ("devices/unknown/x", b"1"),
        ]
        for i, (topic, payload) in enumerate(strange, 1):
            link.publish(topic, payload, i)
        assert link.acknowledged(len(strange)) == list(range(1, len(strange) + 1))
        link.publish("devices/device-1/x", timed(1), 99)
        assert link.acknowledged(1) == [99]
        assert stored(core) == [("device-1", "x", START, 1.0)]
        bridge.until("")
        assert core.telemetry.mqtt_messages_refused == 11
        complaints = [one.message for one in caplog.records if "'device-1'" in one.message]
        assert len(complaints) == 1

    def test_a_defect_in_a_decoder_costs_its_message_only(
        self, core, fleet, bridging, broker, caplog
    ):
        fleet.device("a")
        ingest = core.ingest

        class Broken:
            def __getattr__(self, name):
                return getattr(ingest, name)

            def known(self, device, batch):
                if "bad" in batch.metrics:
                    raise ZeroDivisionError
                return ingest.known(device, batch)

        core.ingest = Broken()
        bridging()
        link = broker.accept()
        link.send(
            *(
                p.Publish(f"devices/device-1/{metric}", timed(i), 1, packet_id=i)
                for i, metric in enumerate(["x", "bad", "y"], 1)
            )
        )
        assert link.acknowledged(3) == [1, 2, 3]
        assert [one[1] for one in stored(core)] == ["x", "y"]
        assert "is left out" in caplog.text

    def test_a_message_too_large_for_us_is_left_out_on_3_1_1(
        self, core, fleet, bridging, broker, caplog
    ):
        fleet.device("a")
        bridging()
        broker.know_no_5()
        link = broker.accept()
        link.publish("devices/device-1/data", b"x" * 1_000_000, 1)
        link.publish("devices/device-1/x", timed(1), 2)
        assert link.acknowledged(2) == [1, 2]
        assert stored(core) == [("device-1", "x", START, 1.0)]
        assert "limits.mqtt_packet_bytes_max" in caplog.text

    def test_while_too_much_waits_the_socket_is_not_read(self, core, fleet, gate, bridging, broker):
        fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(0), 1)
        link.acknowledged(1)
        gate.open.clear()
        link.socket.settimeout(1)
        payload = b" " * 60_000 + b'{"x": 1}'
        packet = encode(p.Publish("devices/device-1/data", payload, 0), link.version)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 40 << 20:
                sent += link.socket.send(packet[sent % len(packet) :])
        assert sent < 40 << 20
        link.socket.settimeout(PATIENCE_SECONDS)
        gate.open.set()
        link.socket.sendall(packet[sent % len(packet) :])
        link.publish("devices/device-1/x", timed(1, at=1), 2)
        assert link.acknowledged(1) == [2]
        bridge.until("")

    def test_what_came_in_is_acknowledged_before_it_stops(
        self, core, fleet, gate, bridging, broker
    ):
        fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(0), 1)
        link.acknowledged(1)
        gate.open.clear()
        link.publish("devices/device-1/x", timed(1, at=1), 2)
        until(lambda: core.writer.backlog == 1)
        assert link.silent()
        bridge.stop(wait=False)
        assert link.silent()
        gate.open.set()
        assert link.acknowledged(1) == [2]
        assert link.receive() == p.Disconnect()


class TestOwners:
    def test_without_a_user_known_devices_are_written_and_none_is_made(
        self, core, fleet, bridging, broker
    ):
        fleet.device("a", owner=fleet.user("anna"))
        bridging()
        link = broker.accept()
        link.publish("devices/device-1/x", timed(1), 1)
        link.publish("devices/new/x", timed(1), 2)
        link.acknowledged(2)
        assert [one[0] for one in stored(core)] == ["device-1"]
        assert core.registry.device("new") is None

    def test_unknown_devices_are_made_for_the_user_who_is_set(self, core, fleet, bridging, broker):
        anna, bert = fleet.user("anna"), fleet.user("bert")
        fleet.device("a", owner=bert)
        bridging(user="anna")
        link = broker.accept()
        link.publish("devices/device-1/x", timed(1), 1)
        link.publish("devices/new/x", timed(1), 2)
        link.acknowledged(2)
        assert [one[0] for one in stored(core)] == ["new"]
        assert core.registry.device("new").user_id == anna.user_id

    def test_an_administrator_writes_to_all(self, core, fleet, bridging, broker):
        fleet.user("root", role="admin")
        fleet.device("a", owner=fleet.user("anna"))
        bridging(user="root")
        link = broker.accept()
        link.publish("devices/device-1/x", timed(1), 1)
        link.acknowledged(1)
        assert len(stored(core)) == 1

    def test_none_is_made_where_that_is_switched_off(self, core, fleet, bridging, broker):
        fleet.user("anna")
        bridging(user="anna", auto_create=False)
        link = broker.accept()
        link.publish("devices/new/x", timed(1), 1)
        link.acknowledged(1)
        assert stored(core) == []

    def test_a_user_who_is_not_there_is_waited_for(self, core, fleet, bridging, broker):
        bridge = bridging(user="anna")
        bridge.until("no user 'anna'")
        fleet.user("anna")
        broker.accept()
        bridge.until("")

    def test_with_the_user_gone_messages_stay_at_the_broker(self, core, fleet, bridging, broker):
        anna = fleet.user("anna")
        bridge = bridging(user="anna")
        link = broker.accept()
        bridge.until("")
        core.catalog.users.delete(anna.user_id)
        core.registry.drop_user(anna.user_id)
        link.publish("devices/new/x", timed(1), 1)
        assert isinstance(link.receive(), p.Disconnect)
        bridge.until("no user 'anna'")

    def test_a_viewer_writes_nothing(self, core, fleet, bridging, broker):
        fleet.user("anna", role="viewer")
        bridging(user="anna").until("is a viewer")


class TestCommands:
    def test_a_command_goes_to_the_broker_and_counts_as_delivered_when_that_has_it(
        self, core, fleet, bridging, broker
    ):
        device = fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        bridge.until("")
        sent = core.commands.send(OPERATOR, device, {"relay": "on"})
        message = link.receive()
        assert (message.topic, message.qos) == ("devices/device-1/command", 1)
        assert json.loads(message.payload) == {"id": sent.id, "command": {"relay": "on"}}
        assert message.properties.response_topic == f"devices/device-1/command/{sent.id}/reply"
        assert core.commands.waiting() == [sent]
        link.send(p.PublishAnswer(p.PUBACK, message.packet_id))
        link.publish(message.properties.response_topic, b'"done"', 1)
        link.acknowledged(1)
        assert core.commands.get(OPERATOR, device, sent.id).reply == "done"
        assert core.commands.waiting() == []

    def test_what_waited_goes_when_the_broker_is_there(self, core, fleet, bridging, broker):
        device = fleet.device("a")
        core.commands.send(OPERATOR, device, 1)
        bridging()
        link = broker.accept()
        assert json.loads(link.receive().payload)["command"] == 1

    def test_what_the_broker_did_not_confirm_goes_again_and_once(
        self, core, fleet, bridging, broker
    ):
        device = fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        bridge.until("")
        core.commands.send(OPERATOR, device, 1)
        first = link.receive()
        link.close()
        link = broker.accept(present=True, subscribe=False)
        again = link.receive()
        asked = link.receive()
        if isinstance(again, p.Subscribe):
            again, asked = asked, again
        assert (again.packet_id, again.dup) == (first.packet_id, True)
        link.send(p.Suback(asked.packet_id, (1,)), p.PublishAnswer(p.PUBACK, again.packet_id))
        bridge.until("")
        assert link.silent()

    def test_a_broker_that_takes_no_commands_is_named_in_the_log(
        self, core, fleet, bridging, broker, caplog
    ):
        device = fleet.device("a")
        bridge = bridging()
        link = broker.accept()
        bridge.until("")
        sent = core.commands.send(OPERATOR, device, 1)
        message = link.receive()
        link.send(p.PublishAnswer(p.PUBACK, message.packet_id, Reason.NOT_AUTHORIZED))
        link.publish("devices/device-1/x", timed(1), 1)
        link.acknowledged(1)
        assert "devices/+/command" in caplog.text
        assert core.commands.waiting() == [sent]
