"""Any bytes, in any pieces: the same result, and no error but the peer's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.mqtt import Batch, Broker, Closed, Connection, ConnectRequest, MqttLimits
from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing
from barograph.mqtt.intake import Batch as Scanned
from barograph.mqtt.intake import scan
from barograph.mqtt.limits import PACKET_BYTES_END
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5
versions = st.sampled_from([V3, V5])


class PublishOnly:
    """Nothing is delivered: what a client gets at once depends on when the host acknowledges."""

    may_publish = may_subscribe = staticmethod(lambda *_: True)
    may_receive = staticmethod(lambda *_: False)


def publishes(version):
    extra = st.sampled_from(
        [p.NONE, Properties(topic_alias=1), Properties(user_properties=(("a", "b"),))]
        if version == V5
        else [p.NONE]
    )

    def make(topic, payload, qos, packet_id, flags, properties):
        retain, dup = flags
        known = topic or ("a" if properties.topic_alias is None else "")
        return p.Publish(
            known, payload, qos, retain, dup and qos > 0, packet_id if qos else 0, properties
        )

    return st.builds(
        make,
        st.sampled_from(["a", "b/c", "", "bad/#", "é"]),
        st.binary(max_size=5) | st.just(b"x" * 200),
        st.integers(0, 2),
        st.integers(1, 5),
        st.tuples(st.booleans(), st.booleans()),
        extra,
    )


def others(version):
    reasons = st.sampled_from([0, 0x80]) if version == V5 else st.just(0)
    ids = st.integers(1, 5)
    return st.one_of(
        st.just(p.Pingreq()),
        st.builds(p.PublishAnswer, st.sampled_from([p.PUBACK, p.PUBREC]), ids, reasons),
        st.builds(p.PublishAnswer, st.just(p.PUBCOMP), ids),
        st.builds(p.Subscribe, ids, st.just((("#", p.Options(2)), ("$share/g/a", p.Options(1))))),
        st.builds(p.Unsubscribe, ids, st.just(("#",))),
        st.just(p.Disconnect()),
        st.just(p.Connect(version, "again", True, 0)),
    )


@st.composite
def conversations(draw):
    """What a client might send: valid packets, with or without nonsense at the end."""
    version = draw(versions)
    alias = {"topic_alias_maximum": 2} if version == V5 else {}
    connect = p.Connect(version, "c", True, 0, properties=Properties(**alias))
    some = draw(st.lists(publishes(version) | others(version), max_size=12))
    data = b"".join(encode(one, version) for one in [connect, *some])
    return version, data + draw(st.just(b"") | st.binary(max_size=8))


def play(pieces):
    """Feed the pieces; what the host was given, what the client gets, and how it ended."""
    broker = Broker(PublishOnly(), MqttLimits(receive_maximum=50))
    connection = Connection(broker, 0.0)
    given_to_host, sent = [], []

    def see_to(events):
        for event in events:
            match event:
                case ConnectRequest():
                    see_to(connection.accept("user", 0.0))
                case Batch():
                    given_to_host.extend(event.publishes)
                    connection.acknowledge(event, 0.0)

    for piece in pieces:
        see_to(connection.feed(piece, 0.0))
        while (effects := broker.take(0.0)) is not None:
            sent.extend(one.data for one in effects.outputs)
    return given_to_host, b"".join(sent), connection.end_reason


def packets_in(data, version):
    framing, pos, found = Framing(), 0, []
    while pos < len(data):
        body, after = framing.find(data, pos, PACKET_BYTES_END)
        found.append(decode(data[pos], data[body:after], version))
        pos = after
    return found


def by_kind(data, version):
    """The packets by type, in order: PUBACKs follow the batch, other answers the packet."""
    kinds = {}
    for one in packets_in(data, version):
        kind = one.kind if isinstance(one, p.PublishAnswer) else type(one)
        if kind in {p.PUBACK, p.PUBREC}:
            kind = "in the order of the publishes"
        kinds.setdefault(kind, []).append(one)
    return kinds


@given(conversations())
@settings(max_examples=100, deadline=None)
def test_byte_by_byte_is_the_same_as_at_once(case):
    version, data = case
    whole = play([data])
    single = play([data[i : i + 1] for i in range(len(data))])
    assert single[0] == whole[0]
    assert single[2] == whole[2]
    if whole[2] is None:
        assert by_kind(single[1], version) == by_kind(whole[1], version)


@given(st.binary(max_size=200), versions, st.booleans())
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_end_in_the_right_close(noise, version, connected):
    hello = encode(p.Connect(version, "c", True, 0), version) if connected else b""
    _, sent, end = play([hello, noise])
    answers = packets_in(sent, version)
    if connected:
        assert isinstance(answers[0], p.Connack)
    if end is None:
        return
    assert isinstance(end, Closed)
    said = [one.reason for one in answers if isinstance(one, p.Disconnect)]
    if not connected or version == V3:
        assert said == []
    elif end.message != "the client disconnected":
        assert said == [end.reason]
        assert end.reason >= 0x80


@given(conversations(), st.data())
@settings(max_examples=100, deadline=None)
def test_corrupted_conversations_raise_nothing(case, data):
    _, raw = case
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255))
    broken = raw[:at] + bytes((byte,)) + raw[at + 1 :]
    cut = data.draw(st.integers(0, len(broken)))
    play([broken[:cut], broken[cut:]])


@given(versions, st.data())
@settings(max_examples=100, deadline=None)
def test_the_fast_path_reads_what_the_strict_decoder_reads(version, data):
    some = data.draw(st.lists(publishes(version), min_size=1, max_size=8))
    raw = b"".join(encode(one, version) for one in some) + data.draw(st.binary(max_size=4))
    batch = Scanned()
    end = scan(raw, 0, {b"a", b"b/c"}, batch, with_properties=version == V5)
    assert packets_in(raw[:end], version) == some[: len(batch.publishes)]
    for one, (topic, payload, flags, packet_id, properties) in zip(
        some, batch.publishes, strict=False
    ):
        assert (one.topic.encode(), one.payload, one.packet_id) == (topic, payload, packet_id)
        assert (one.qos << 1 | one.retain, properties) == (flags, None)


@pytest.mark.parametrize("version", [V3, V5])
def test_small_pieces_of_a_large_packet_are_not_copied_each_time(version):
    framing = Framing()
    data = encode(p.Publish("a", b"x" * 50_000), version)
    looked = 0
    for i in range(len(data)):
        joined = framing.join(data[i : i + 1])
        if joined:
            looked += 1
            body, _ = framing.find(joined, 0, PACKET_BYTES_END)
            if not body:
                framing.keep(joined)
    assert looked <= 5
    assert body
