"""The client engine: each rule alone, and then against our server through faults of every kind."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.mqtt import Batch, Broker, Closed, Connection, ConnectRequest, Ledger, MqttLimits
from barograph.mqtt import packets as p
from barograph.mqtt.client import Client
from barograph.mqtt.client_events import Confirmed, Connected, Subscribed, TooLarge, Unsubscribed
from barograph.mqtt.client_tables import ClientState
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import MisuseError
from barograph.mqtt.framing import Framing
from barograph.mqtt.limits import PACKET_BYTES_END
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason


def connect(version, *, clean=False, keep_alive=0, client_id="c", **more):
    return p.Connect(version, client_id, clean, keep_alive, **more)


class Wire:
    """The server's end of a client's connection, played packet by packet."""

    def __init__(self, version, **limits):
        self.version, self.now = version, 0.0
        self.client = Client(MqttLimits(**limits))
        self._framing = Framing()

    def dial(self, **more):
        self.client.open(connect(self.version, **more), self.now)

    def sent(self):
        """The packets that the client sent since the last call."""
        data = self._framing.join(self.client.take(self.now))
        pos, found = 0, []
        while pos < len(data):
            body, after = self._framing.find(data, pos, PACKET_BYTES_END)
            found.append(decode(data[pos], data[body:after], self.version))
            pos = after
        return found

    def say(self, *packets):
        data = b"".join(encode(one, self.version) for one in packets)
        return self.client.feed(data, self.now)

    def admit(self, *, present=False, **granted):
        properties = Properties(**granted) if self.version == p.V5 else p.NONE
        return self.say(p.Connack(present, 0, properties))

    def opened(self, **more):
        self.dial(**more)
        self.admit()
        self.sent()
        return self


@pytest.fixture
def make_wire(version):
    return lambda **limits: Wire(version, **limits)


@pytest.fixture
def wire(make_wire):
    return make_wire().opened()


def publish(payload, qos=1, packet_id=1, topic="a", **more):
    return p.Publish(topic, payload, qos, packet_id=packet_id if qos else 0, **more)


class TestOpening:
    def test_a_5_0_server_is_told_our_limits(self):
        wire = Wire(p.V5, receive_maximum=7, packet_bytes_max=9_000, topic_alias_maximum=3)
        wire.dial(properties=Properties(session_expiry=60))
        told = wire.sent()[0].properties
        assert told == Properties(
            session_expiry=60, receive_maximum=7, maximum_packet_size=9_000, topic_alias_maximum=3
        )

    def test_the_server_says_what_it_can_do(self):
        wire = Wire(p.V5)
        wire.dial()
        assert wire.admit(present=True, shared_available=0) == [
            Connected(True, Properties(shared_available=0))
        ]

    @pytest.mark.parametrize(
        ("version", "code", "reason"),
        [
            (p.V5, 0x86, Reason.BAD_USER_NAME_OR_PASSWORD),
            (p.V3, 4, Reason.BAD_USER_NAME_OR_PASSWORD),
            (p.V3, 5, Reason.NOT_AUTHORIZED),
        ],
    )
    def test_a_refusal_ends_the_connection_with_its_reason(self, version, code, reason):
        wire = Wire(version)
        wire.dial()
        (end,) = wire.say(p.Connack(False, code))
        assert end.reason is reason
        assert wire.client.closed

    def test_a_server_without_5_0_is_understood(self):
        wire = Wire(p.V5)
        wire.dial()
        (end,) = wire.client.feed(b"\x20\x02\x00\x01", 0.0)
        assert end.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION

    def test_a_server_that_does_not_answer_is_given_up(self, make_wire):
        wire = make_wire(connect_seconds_max=5.0)
        wire.dial()
        assert wire.client.tick(4.9) == []
        assert wire.client.next_deadline() == 5.0
        (end,) = wire.client.tick(5.0)
        assert end.reason is Reason.KEEP_ALIVE_TIMEOUT

    def test_nothing_else_may_come_before_connack(self, make_wire):
        wire = make_wire()
        wire.dial()
        (end,) = wire.say(publish(b"x"))
        assert end.reason is Reason.PROTOCOL_ERROR

    def test_a_session_that_was_to_be_forgotten_must_not_be_present(self, make_wire):
        wire = make_wire()
        wire.dial(clean=True)
        (end,) = wire.admit(present=True)
        assert end.reason is Reason.PROTOCOL_ERROR

    def test_a_second_connection_needs_the_end_of_the_first(self, wire):
        with pytest.raises(MisuseError):
            wire.dial()


class TestReceiving:
    def test_nothing_is_acknowledged_before_the_host_says_so(self, wire):
        (batch,) = wire.say(publish(b"1", 1, 5), publish(b"2", 2, 6), publish(b"3", 0))
        assert [one[1] for one in batch.publishes] == [b"1", b"2", b"3"]
        assert wire.sent() == []
        wire.client.acknowledge(batch, 0.0)
        assert wire.sent() == [p.PublishAnswer(p.PUBACK, 5), p.PublishAnswer(p.PUBREC, 6)]
        wire.say(p.PublishAnswer(p.PUBREL, 6))
        assert wire.sent() == [p.PublishAnswer(p.PUBCOMP, 6)]

    def test_answers_leave_in_the_order_of_the_messages(self, wire):
        (first,) = wire.say(publish(b"1", 1, 1))
        (second,) = wire.say(publish(b"2", 1, 2))
        wire.client.acknowledge(second, 0.0)
        assert wire.sent() == []
        wire.client.acknowledge(first, 0.0)
        assert [one.packet_id for one in wire.sent()] == [1, 2]

    def test_a_batch_may_be_acknowledged_after_its_connection(self, wire):
        (batch,) = wire.say(publish(b"1", 2, 9))
        wire.client.lost()
        wire.client.acknowledge(batch, 0.0)
        wire.dial()
        wire.admit(present=True)
        wire.sent()
        assert wire.say(publish(b"1", 2, 9, dup=True)) == []
        assert wire.sent() == [p.PublishAnswer(p.PUBREC, 9)]

    def test_a_qos_2_message_that_comes_again_waits_for_the_first(self, wire):
        (batch,) = wire.say(publish(b"1", 2, 9))
        wire.client.lost()
        wire.dial()
        wire.admit(present=True)
        wire.sent()
        assert wire.say(publish(b"1", 2, 9, dup=True)) == []
        assert wire.sent() == []
        wire.client.acknowledge(batch, 0.0)
        assert wire.sent() == [p.PublishAnswer(p.PUBREC, 9)]

    def test_an_abandoned_batch_ends_the_connection_so_that_it_comes_again(self, wire):
        (batch,) = wire.say(publish(b"1", 2, 9))
        wire.client.abandon(batch)
        assert wire.client.closed
        wire.client.lost()
        wire.dial()
        wire.admit(present=True)
        (again,) = wire.say(publish(b"1", 2, 9, dup=True))
        assert [one[1] for one in again.publishes] == [b"1"]

    def test_an_abandoned_batch_of_a_former_connection_costs_no_other(self, wire):
        (batch,) = wire.say(publish(b"1"))
        wire.client.lost()
        wire.opened()
        wire.client.abandon(batch)
        assert not wire.client.closed

    def test_a_batch_is_acknowledged_once(self, wire):
        (batch,) = wire.say(publish(b"1"))
        wire.client.acknowledge(batch, 0.0)
        with pytest.raises(MisuseError):
            wire.client.acknowledge(batch, 0.0)
        with pytest.raises(MisuseError):
            wire.client.abandon(batch)

    def test_a_refusal_is_said_where_it_can_be(self, wire):
        (batch,) = wire.say(publish(b"1", 1, 5))
        wire.client.acknowledge(batch, 0.0, {0: Reason.PAYLOAD_FORMAT_INVALID})
        reason = Reason.PAYLOAD_FORMAT_INVALID if wire.version == p.V5 else 0
        assert wire.sent() == [p.PublishAnswer(p.PUBACK, 5, reason)]

    def test_subscription_identifiers_and_aliases_are_understood(self):
        wire = Wire(p.V5).opened()
        named = Properties(topic_alias=1, subscription_identifiers=(3, 4))
        (batch,) = wire.say(
            publish(b"1", properties=named),
            publish(b"2", packet_id=2, topic="", properties=Properties(topic_alias=1)),
        )
        assert [one[0] for one in batch.publishes] == [b"a", b"a"]
        assert batch.publishes[0][4].subscription_identifiers == (3, 4)

    def test_a_server_that_exceeds_our_receive_maximum_is_borne_with(self):
        wire = Wire(p.V5, receive_maximum=2).opened()
        (batch,) = wire.say(*(publish(b"x", 1, i) for i in (1, 2, 3)))
        assert len(batch.publishes) == 3

    def test_a_topic_may_be_longer_than_ours(self, wire):
        topic = "/".join(["x" * 20] * 2_000)
        (batch,) = wire.say(publish(b"1", topic=topic))
        assert batch.publishes[0][0].decode() == topic


class TestTooLarge:
    LIMITS = {"packet_bytes_max": 8_192}  # noqa: RUF012  # read only

    @pytest.mark.parametrize("qos", [0, 1, 2])
    @pytest.mark.parametrize("step", [1_000_000, 1_000, 1])
    def test_a_3_1_1_message_is_passed_over_and_acknowledged(self, qos, step):
        wire = Wire(p.V3, **self.LIMITS).opened()
        large = publish(b"x" * 20_000, qos, 7, topic="big")
        data = b"".join(
            encode(one, p.V3) for one in (publish(b"1"), large, publish(b"2", packet_id=2))
        )
        events = []
        for i in range(0, len(data), step):
            for event in wire.client.feed(data[i : i + step], 0.0):
                events.append(event)
                if isinstance(event, Batch):
                    wire.client.acknowledge(event, 0.0)
        size = len(encode(large, p.V3))
        assert [one for one in events if not isinstance(one, Batch)] == [TooLarge("big", size)]
        batches = [one for one in events if isinstance(one, Batch)]
        assert [one[1] for batch in batches for one in batch.publishes] == [b"1", b"2"]
        kinds = {1: p.PUBACK, 2: p.PUBREC}
        expected = [(p.PUBACK, 1), (kinds.get(qos), 7), (p.PUBACK, 2)]
        answers = [(one.kind, one.packet_id) for one in wire.sent()]
        assert answers == [one for one in expected if one[0]]

    def test_it_is_not_kept(self):
        wire = Wire(p.V3, **self.LIMITS).opened()
        data = encode(publish(b"x" * 1_000_000), p.V3)
        for i in range(0, len(data) - 1000, 1000):
            wire.client.feed(data[i : i + 1000], 0.0)
            assert len(wire.client._connection._input) <= 8_192

    def test_a_new_connection_begins_with_a_new_packet(self):
        wire = Wire(p.V3, **self.LIMITS).opened()
        wire.client.feed(encode(publish(b"x" * 20_000), p.V3)[:9_000], 0.0)
        wire.client.lost()
        wire.opened()
        (batch,) = wire.say(publish(b"1"))
        assert len(batch.publishes) == 1

    def test_a_5_0_server_knows_better(self):
        wire = Wire(p.V5, **self.LIMITS).opened()
        (end,) = wire.say(publish(b"x" * 20_000))
        assert end.reason is Reason.PACKET_TOO_LARGE


class TestPublishing:
    def test_each_message_is_confirmed_by_its_number(self, wire):
        one = wire.client.publish("a", b"1", 0.0, qos=1)
        two = wire.client.publish("a", b"2", 0.0, qos=2)
        first, second = wire.sent()
        assert wire.say(p.PublishAnswer(p.PUBREC, second.packet_id)) == []
        assert wire.sent() == [p.PublishAnswer(p.PUBREL, second.packet_id)]
        assert wire.say(
            p.PublishAnswer(p.PUBACK, first.packet_id), p.PublishAnswer(p.PUBCOMP, second.packet_id)
        ) == [Confirmed(one, 0), Confirmed(two, 0)]
        assert wire.client.unconfirmed == 0

    def test_qos_0_goes_now_or_never(self, wire):
        assert wire.client.publish("a", b"1", 0.0) == 0
        assert [one.payload for one in wire.sent()] == [b"1"]
        wire.client.pause()
        assert wire.client.publish("a", b"2", 0.0) is None
        wire.client.resume(0.0)
        wire.client.lost()
        assert wire.client.publish("a", b"3", 0.0) is None

    def test_what_the_server_refuses_is_named_with_its_reason(self):
        wire = Wire(p.V5).opened()
        number = wire.client.publish("a", b"1", 0.0, qos=1)
        (sent,) = wire.sent()
        answer = p.PublishAnswer(p.PUBACK, sent.packet_id, Reason.NOT_AUTHORIZED)
        assert wire.say(answer) == [Confirmed(number, Reason.NOT_AUTHORIZED)]

    def test_what_is_too_large_for_the_server_is_not_sent(self):
        wire = Wire(p.V5)
        wire.dial()
        wire.admit(maximum_packet_size=50)
        wire.sent()
        number = wire.client.publish("a", b"x" * 100, 0.0, qos=1)
        assert wire.sent() == []
        assert wire.say() == [Confirmed(number, Reason.PACKET_TOO_LARGE)]

    def test_the_receive_maximum_and_the_queue_bound_what_is_under_way(self):
        wire = Wire(p.V5, queued_messages_max=3, inflight_max=3)
        wire.dial()
        wire.admit(receive_maximum=2)
        wire.sent()
        numbers = [wire.client.publish("a", b"x", 0.0, qos=1) for _ in range(4)]
        assert numbers[3] is None
        sent = wire.sent()
        assert len(sent) == 2
        wire.say(p.PublishAnswer(p.PUBACK, sent[0].packet_id))
        assert len(wire.sent()) == 1

    def test_unconfirmed_messages_go_again_where_the_session_is_kept(self, wire):
        wire.client.publish("a", b"1", 0.0, qos=1)
        wire.client.publish("a", b"2", 0.0, qos=2)
        one, two = wire.sent()
        wire.say(p.PublishAnswer(p.PUBREC, two.packet_id))
        wire.client.lost()
        wire.dial()
        wire.sent()
        wire.admit(present=True)
        assert wire.sent() == [
            p.PublishAnswer(p.PUBREL, two.packet_id),
            p.Publish("a", b"1", 1, dup=True, packet_id=one.packet_id),
        ]

    def test_they_are_new_where_the_session_is_lost(self, wire):
        wire.client.publish("a", b"1", 0.0, qos=1)
        released = wire.client.publish("a", b"2", 0.0, qos=2)
        _, two = wire.sent()
        wire.say(p.PublishAnswer(p.PUBREC, two.packet_id))
        wire.client.lost()
        wire.dial()
        wire.sent()
        assert Confirmed(released, 0) in wire.admit(present=False)
        (again,) = wire.sent()
        assert (again.payload, again.dup) == (b"1", False)

    def test_what_is_published_without_a_connection_waits_for_it(self, make_wire):
        wire = make_wire()
        wire.client.publish("a", b"1", 0.0, qos=1)
        wire.dial()
        wire.admit()
        assert [one.payload for one in wire.sent()[1:]] == [b"1"]

    def test_no_qos_above_the_servers_maximum(self):
        wire = Wire(p.V5)
        wire.dial()
        wire.admit(maximum_qos=1)
        wire.sent()
        wire.client.publish("a", b"1", 0.0, qos=2)
        assert [one.qos for one in wire.sent()] == [1]


class TestSubscribing:
    def test_the_answer_names_the_request(self, wire):
        asked = wire.client.subscribe([("a", p.Options(1)), ("b", p.Options(2))])
        (sent,) = wire.sent()
        assert (sent.packet_id, [name for name, _ in sent.filters]) == (asked, ["a", "b"])
        assert wire.say(p.Suback(asked, (1, 0x80))) == [Subscribed(asked, (1, 0x80))]
        gone = wire.client.unsubscribe(["a"])
        reasons = (0,) if wire.version == p.V5 else ()
        assert wire.say(p.Unsuback(gone, reasons)) == [Unsubscribed(gone, reasons)]

    def test_requests_and_messages_have_identifiers_of_their_own(self, wire):
        asked = wire.client.subscribe([("a", p.Options(1))])
        wire.client.publish("a", b"1", 0.0, qos=1)
        other = wire.client.unsubscribe(["a"])
        ids = [one.packet_id for one in wire.sent()]
        assert len(set(ids)) == 3
        assert {asked, other} <= set(ids)

    def test_an_answer_to_nothing_ends_the_connection(self, wire):
        (end,) = wire.say(p.Suback(17, (0,)))
        assert end.reason is Reason.PROTOCOL_ERROR

    def test_it_needs_a_connection(self, make_wire):
        with pytest.raises(MisuseError):
            make_wire().client.subscribe([("a", p.Options(1))])


class TestKeepAlive:
    def test_a_silent_connection_is_probed_and_then_given_up(self, make_wire):
        wire = make_wire().opened(keep_alive=40)
        assert wire.client.next_deadline() == 30.0
        assert wire.client.tick(30.0) == []
        wire.now = 30.0
        assert wire.sent() == [p.Pingreq()]
        wire.say(p.Pingresp())
        assert wire.client.tick(60.0) == []
        wire.now = 60.0
        assert wire.sent() == [p.Pingreq()]
        assert wire.client.tick(99.9) == []
        (end,) = wire.client.tick(100.0)
        assert end.reason is Reason.KEEP_ALIVE_TIMEOUT

    def test_hearing_is_not_enough_something_is_sent_as_well(self, make_wire):
        wire = make_wire().opened(keep_alive=40)
        wire.now = 29.0
        wire.say(publish(b"x", 0))
        wire.client.tick(30.0)
        assert wire.sent() == [p.Pingreq()]

    def test_the_server_may_set_another(self):
        wire = Wire(p.V5)
        wire.dial(keep_alive=40)
        wire.admit(server_keep_alive=8)
        assert wire.client.next_deadline() == 6.0

    def test_silence_says_nothing_while_the_host_does_not_listen(self, make_wire):
        wire = make_wire().opened(keep_alive=40)
        for now in range(10, 500, 10):
            assert wire.client.tick(float(now), listening=False) == []
            wire.client.take(float(now))
        assert wire.client.tick(495.0) == []

    def test_without_a_keep_alive_nothing_is_due(self, wire):
        assert wire.client.next_deadline() is None
        assert wire.client.tick(1e9) == []


class TestEnding:
    def test_we_say_goodbye(self, wire):
        wire.client.disconnect()
        assert wire.sent() == [p.Disconnect()]
        (end,) = wire.client.lost()
        assert end == Closed(Reason.SUCCESS, "we disconnected")
        assert wire.client.lost() == []

    def test_the_session_may_get_another_expiry_with_it(self):
        wire = Wire(p.V5).opened()
        wire.client.disconnect(session_expiry=0)
        assert wire.sent() == [p.Disconnect(0, Properties(session_expiry=0))]

    def test_a_5_0_server_says_why_it_leaves(self):
        wire = Wire(p.V5).opened()
        text = Properties(reason_string="maintenance")
        (end,) = wire.say(p.Disconnect(Reason.SERVER_SHUTTING_DOWN, text))
        assert end == Closed(Reason.SERVER_SHUTTING_DOWN, "maintenance")

    def test_a_3_1_1_server_cannot(self):
        wire = Wire(p.V3).opened()
        (end,) = wire.say(p.Disconnect())
        assert end.reason is Reason.PROTOCOL_ERROR

    def test_a_request_without_an_answer_is_forgotten(self, wire):
        wire.client.subscribe([("a", p.Options(1))])
        wire.client.lost()
        wire.dial()
        (end,) = wire.say(p.Connack(False, 0), p.Suback(1, (0,)))[1:]
        assert end.reason is Reason.PROTOCOL_ERROR


@given(st.sampled_from([p.V3, p.V5]), st.binary(max_size=400), st.booleans())
def test_arbitrary_bytes_end_the_connection_and_nothing_else(version, data, admitted):
    wire = Wire(version)
    wire.dial()
    if admitted:
        wire.admit()
    for i in range(len(data)):
        events = wire.client.feed(data[i : i + 1], 0.0)
        assert wire.client.closed == any(isinstance(one, Closed) for one in events)
        if wire.client.closed:
            break


class Server:
    """Our server engine and its host, of which only the ledger survives."""

    def __init__(self):
        self.ledger = Ledger()
        self.parties = []
        self.start()

    def start(self):
        everything = type("Everything", (), dict.fromkeys(RIGHTS, lambda *_: True))()
        self.broker = Broker(everything)
        self.broker.restore(copy.deepcopy(self.ledger.snapshot), 0.0)
        self.batches = []

    def kill(self, *, between):
        """Die at once, or between storing changes and sending what follows from them."""
        if between and (effects := self.broker.take(0.0)) is not None:
            self.ledger.apply(effects.changes)
        for party in self.parties:
            party.cut()
        self.start()

    def carry_out(self):
        while (effects := self.broker.take(0.0)) is not None:
            self.ledger.apply(effects.changes)
            for connection, data, close in effects.outputs:
                for party in self.parties:
                    if party.connection is connection:
                        party.incoming += data
                        party.closing = party.closing or close

    def see_to(self, connection, events):
        for event in events:
            match event:
                case ConnectRequest():
                    self.see_to(connection, connection.accept("user", 0.0))
                case Batch():
                    self.batches.append((connection, event))

    def acknowledge(self, which):
        if self.batches:
            connection, batch = self.batches.pop(which % len(self.batches))
            connection.acknowledge(batch, 0.0)


RIGHTS = ("may_publish", "may_subscribe", "may_receive")


class Party:
    """A host of the client engine; bytes travel when the test says so."""

    def __init__(self, server, name, version, *, subscribes=False):
        self.server, self.name, self.version = server, name, version
        self.subscribes = subscribes
        server.parties.append(self)
        self.client = Client(MqttLimits(inflight_max=5))
        self.connection = None
        self.batches, self.got, self.confirmed = [], [], set()
        self.dial()

    def dial(self):
        assert self.client.closed
        self.connection = Connection(self.server.broker, 0.0)
        self.incoming, self.outgoing, self.closing = bytearray(), bytearray(), False
        extra = Properties(session_expiry=1000) if self.version == p.V5 else p.NONE
        self.client.open(connect(self.version, client_id=self.name, properties=extra), 0.0)

    def cut(self):
        """The network fails; everything under way is lost."""
        if self.connection is not None:
            self.connection.lost(0.0)
        self.connection = None
        self.see_to(self.client.lost())

    def see_to(self, events):
        for event in events:
            match event:
                case Connected() if self.subscribes:
                    self.client.subscribe([("a", p.Options(2))])
                case Batch():
                    self.batches.append(event)
                case Confirmed(number):
                    assert number not in self.confirmed
                    self.confirmed.add(number)
                case Closed():
                    assert event.reason in {Reason.SUCCESS, Reason.UNSPECIFIED_ERROR}, event

    def store(self, which):
        if self.batches:
            batch = self.batches.pop(which % len(self.batches))
            self.got.append([one[1] for one in batch.publishes])
            self.client.acknowledge(batch, 0.0)

    def abandon(self, which):
        if self.batches:
            self.client.abandon(self.batches.pop(which % len(self.batches)))
            self.cut()

    def to_server(self, count):
        if self.connection is not None:
            self.outgoing += self.client.take(0.0)
            data, self.outgoing = bytes(self.outgoing[:count]), self.outgoing[count:]
            self.server.see_to(self.connection, self.connection.feed(data, 0.0))

    def from_server(self, count):
        if self.connection is None:
            return
        data, self.incoming = bytes(self.incoming[:count]), self.incoming[count:]
        self.see_to(self.client.feed(data, 0.0))
        if (self.closing and not self.incoming) or self.client.closed:
            self.cut()


def settle(server, parties):
    """Let everything arrive."""
    for _ in range(30):
        for party in parties:
            if party.connection is None:
                party.dial()
            party.to_server(100_000)
        while server.batches:
            server.acknowledge(0)
        server.carry_out()
        for party in parties:
            party.from_server(100_000)
            while party.batches:
                party.store(0)
            party.to_server(100_000)
        server.carry_out()


def flow(server, parties, moves):
    """Some moves of an undisturbed exchange, so that a fault meets it at any point."""
    publisher, subscriber = parties
    order = (
        lambda: publisher.to_server(100_000),
        lambda: server.acknowledge(0),
        server.carry_out,
        lambda: subscriber.from_server(100_000),
        lambda: subscriber.store(0),
        lambda: subscriber.to_server(100_000),
        server.carry_out,
        lambda: publisher.from_server(100_000),
    )
    for i in range(moves):
        order[i % len(order)]()


sizes = st.integers(1, 40)
which = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 2)),
    st.tuples(st.just("publish"), st.integers(1, 2)),
    st.tuples(st.just("flow"), st.integers(1, 16)),
    st.tuples(st.just("flow"), st.integers(1, 16)),
    st.tuples(st.sampled_from(["up", "down"]), st.integers(0, 1), sizes),
    st.tuples(st.sampled_from(["up", "down"]), st.integers(0, 1), st.just(10_000)),
    st.tuples(st.sampled_from(["acknowledge", "store", "store", "abandon"]), which),
    st.just(("carry out",)),
    st.tuples(st.sampled_from(["cut", "dial", "dial"]), st.integers(0, 1)),
    st.tuples(st.just("kill"), st.booleans()),
)


@given(st.sampled_from([p.V3, p.V5]), st.lists(steps, max_size=60))
@settings(max_examples=150)
def test_through_any_fault_nothing_is_lost_and_qos_2_comes_once(version, plan):
    server = Server()
    publisher = Party(server, "p", version)
    subscriber = Party(server, "s", version, subscribes=True)
    parties = [publisher, subscriber]
    settle(server, parties)
    sent, numbers = {1: [], 2: []}, set()
    for step in plan:
        match step:
            case ("publish", qos):
                payload = b"%d/%d" % (qos, len(sent[qos]))
                sent[qos].append(payload)
                numbers.add(publisher.client.publish("a", payload, 0.0, qos=qos))
            case ("flow", moves):
                flow(server, parties, moves)
            case ("up", who, count):
                parties[who].to_server(count)
            case ("down", who, count):
                parties[who].from_server(count)
            case ("acknowledge", at):
                server.acknowledge(at)
            case ("store", at):
                subscriber.store(at)
            case ("abandon", at):
                subscriber.abandon(at)
            case ("carry out",):
                server.carry_out()
            case ("cut", who):
                parties[who].cut()
            case ("dial", who):
                if parties[who].connection is None:
                    parties[who].dial()
            case ("kill", between):
                server.kill(between=between)
    settle(server, parties)
    assert publisher.client.state is ClientState.OPEN
    assert publisher.client.unconfirmed == 0
    assert all(session.waiting == 0 for session in server.broker._sessions.values())
    assert publisher.confirmed == numbers
    got = [payload for batch in subscriber.got for payload in batch]
    assert set(got) == {*sent[1], *sent[2]}
    assert sorted(one for one in got if one[:1] == b"2") == sorted(sent[2])
