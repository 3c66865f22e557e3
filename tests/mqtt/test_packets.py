"""Every packet type, both versions: what is written is read again, and nothing else is."""

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import PeerError
from barograph.mqtt.framing import Framing
from barograph.mqtt.limits import PACKET_BYTES_END
from barograph.mqtt.properties import MANY, NONE, TABLE, Properties
from barograph.mqtt.reason import ALLOWED, Reason
from barograph.mqtt.wire import VARINT_MAX, Reader, binary, utf8, varint

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
blobs = st.binary(max_size=20)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
ids = st.integers(1, 0xFFFF)
qos = st.integers(0, 2)

BY_KIND = {
    "flag": st.integers(0, 1),
    "u16": ids,
    "u32": st.integers(1, 0xFFFF_FFFF),
    "varint": st.integers(1, VARINT_MAX),
    "utf8": texts,
    "binary": blobs,
    "pair": st.tuples(texts, texts),
}


@st.composite
def properties_of(draw, packet, version):
    if version == p.V3:
        return NONE
    found = {}
    for row in TABLE.values():
        if packet not in row.packets or not draw(st.booleans()):
            continue
        value = BY_KIND[row.kind]
        most = 1 if row.name == "subscription_identifiers" and packet == "SUBSCRIBE" else 3
        found[row.name] = (
            tuple(draw(st.lists(value, min_size=1, max_size=most)))
            if row.name in MANY
            else draw(value)
        )
    if packet in {"CONNECT", "AUTH"} and "authentication_method" not in found:
        found.pop("authentication_data", None)
    return Properties(**found) if found else NONE


@st.composite
def connects(draw, version):
    will = None
    if draw(st.booleans()):
        extra = draw(properties_of("WILL", version))
        will = p.Will(draw(texts), draw(blobs), draw(qos), draw(st.booleans()), extra)
    username = draw(st.none() | texts)
    password = draw(st.none() | blobs) if version == p.V5 or username is not None else None
    extra = draw(properties_of("CONNECT", version))
    clean, alive = draw(st.booleans()), draw(u16)
    return p.Connect(version, draw(texts), clean, alive, username, password, will, extra)


@st.composite
def packets(draw, version):
    """Any packet that `version` can say."""
    kind = draw(st.integers(p.CONNECT, p.AUTH if version == p.V5 else p.DISCONNECT))
    name = p.NAMES[kind]
    if kind == p.CONNECT:
        return draw(connects(version))
    extra = draw(properties_of(name, version))
    five = version == p.V5
    code = draw(st.sampled_from(sorted(ALLOWED.get(name, {0})))) if five else 0
    match kind:
        case p.CONNACK:
            return p.Connack(draw(st.booleans()), code if five else draw(st.integers(0, 5)), extra)
        case p.PUBLISH:
            level = draw(qos)
            dup = draw(st.booleans()) if level else False
            packet_id = draw(ids) if level else 0
            retain = draw(st.booleans())
            return p.Publish(draw(texts), draw(blobs), level, retain, dup, packet_id, extra)
        case p.PUBACK | p.PUBREC | p.PUBREL | p.PUBCOMP:
            return p.PublishAnswer(kind, draw(ids), code, extra)
        case p.SUBSCRIBE:
            flag = st.booleans() if five else st.just(False)
            handling = st.integers(0, 2) if five else st.just(0)
            options = st.builds(p.Options, qos, flag, flag, handling)
            pairs = st.lists(st.tuples(texts, options), min_size=1, max_size=4)
            return p.Subscribe(draw(ids), tuple(draw(pairs)), extra)
        case p.SUBACK:
            codes = st.sampled_from(sorted(ALLOWED[name]) if five else [0, 1, 2, 0x80])
            return p.Suback(draw(ids), tuple(draw(st.lists(codes, min_size=1))), extra)
        case p.UNSUBSCRIBE:
            names = draw(st.lists(texts, min_size=1, max_size=4))
            return p.Unsubscribe(draw(ids), tuple(names), extra)
        case p.UNSUBACK:
            codes = st.lists(st.sampled_from(sorted(ALLOWED[name])), min_size=1)
            return p.Unsuback(draw(ids), tuple(draw(codes)) if five else (), extra)
        case p.PINGREQ:
            return p.Pingreq()
        case p.PINGRESP:
            return p.Pingresp()
        case p.DISCONNECT:
            return p.Disconnect(code, extra)
        case _:
            return p.Auth(code, extra)


spoken = st.sampled_from([p.V3, p.V5]).flatmap(
    lambda version: st.tuples(st.just(version), packets(version))
)


def read(data, version):
    body, after = Framing().find(data, 0, PACKET_BYTES_END)
    assert after == len(data)
    return decode(data[0], data[body:after], version)


@given(spoken)
@settings(max_examples=400)
def test_what_is_encoded_decodes_to_the_same(case):
    version, packet = case
    assert read(encode(packet, version), version) == packet


@given(spoken)
@settings(max_examples=100)
def test_every_truncated_prefix_asks_for_more(case):
    version, packet = case
    data = encode(packet, version)
    for size in range(len(data)):
        assert Framing().find(data[:size], 0, PACKET_BYTES_END) == (0, 0)


@given(spoken, st.data())
@settings(max_examples=200)
def test_a_body_cut_short_is_refused_or_another_packet_of_the_type(case, data):
    version, packet = case
    raw = encode(packet, version)
    body, _ = Framing().find(raw, 0, PACKET_BYTES_END)
    cut = raw[body : data.draw(st.integers(body, len(raw)))]
    try:
        again = decode(raw[0], cut, version)
    except PeerError:
        return
    assert type(again) is type(packet)


@given(st.integers(0, 255), st.binary(max_size=60), st.sampled_from([p.V3, p.V5]))
@settings(max_examples=500)
def test_arbitrary_bytes_decode_or_raise_the_peer_error(head, body, version):
    try:
        packet = decode(head, body, version)
    except PeerError:
        return
    assert read(encode(packet, version), version) == packet


@given(st.integers(0, VARINT_MAX))
def test_variable_byte_integers_take_the_fewest_bytes(value):
    data = varint(value)
    assert len(data) == 1 + sum(value >= limit for limit in (128, 16_384, 2_097_152))
    assert Reader(data).varint() == value


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\x80\x00", b"\x80\x80\x80\x80\x01"])
def test_variable_byte_integers_in_too_many_bytes_are_malformed(data):
    with pytest.raises(PeerError) as caught:
        Reader(data).varint()
    assert caught.value.reason is Reason.MALFORMED_PACKET
    with pytest.raises(PeerError):
        Framing().find(b"\xc0" + data, 0, PACKET_BYTES_END)


@pytest.mark.parametrize(
    "data",
    [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\x80", b"\xff", b"a\0b", b"\xe2\x82"],
    ids=["U+D800", "U+DFFF", "overlong", "never", "U+0000", "cut"],
)
def test_ill_formed_strings_are_malformed(data):
    with pytest.raises(PeerError) as caught:
        Reader(binary(data)).utf8()
    assert caught.value.reason is Reason.MALFORMED_PACKET


def test_a_byte_order_mark_in_a_string_stays():
    assert Reader(b"\x00\x06\xef\xbb\xbfabc").utf8() == "\ufeffabc"


@pytest.mark.parametrize(("text", "said"), [("a\0", "U\\+0000"), ("x" * 65_536, "65535")])
def test_our_own_strings_that_mqtt_cannot_carry_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        utf8(text)


def test_numbers_beyond_a_variable_byte_integer_are_refused():
    with pytest.raises(ValueError, match="does not fit"):
        varint(VARINT_MAX + 1)


def test_the_table_of_properties_is_complete():
    assert len(TABLE) == 27  # table 2-4
    assert {row.name for row in TABLE.values()} == {one.name for one in fields(Properties)}


# What each packet must not be: (head, body, reason). "Table" rows are for 5.0, then for 3.1.1.
CONNECT = b"\x00\x04MQTT"
MALFORMED = {
    "reserved type 0": (0x00, b"", 0x81),
    "CONNECT reserved flag": (0x10, CONNECT + b"\x05\x01\x00\x00\x00\x00\x00", 0x81),
    "CONNECT will QoS 3": (0x10, CONNECT + b"\x05\x1e\x00\x00\x00\x00\x00", 0x81),
    "CONNECT will QoS without will": (0x10, CONNECT + b"\x05\x08\x00\x00\x00\x00\x00", 0x81),
    "CONNECT will retain without will": (0x10, CONNECT + b"\x05\x20\x00\x00\x00\x00\x00", 0x81),
    "CONNECT without the announced user name": (
        0x10,
        CONNECT + b"\x05\x80\x00\x00\x00\x00\x00",
        0x81,
    ),
    "CONNECT with a user name not announced": (
        0x10,
        CONNECT + b"\x05\x00\x00\x00\x00\x00\x00\x00\x01u",
        0x81,
    ),
    "CONNECT without the announced password": (
        0x10,
        CONNECT + b"\x05\x40\x00\x00\x00\x00\x00",
        0x81,
    ),
    "CONNECT without the announced will": (0x10, CONNECT + b"\x05\x04\x00\x00\x00\x00\x00", 0x81),
    "CONNECT without client identifier": (0x10, CONNECT + b"\x05\x00\x00\x00\x00", 0x81),
    "CONNECT authentication data alone": (
        0x10,
        CONNECT + b"\x05\x00\x00\x00\x04\x16\x00\x01a\x00\x00",
        0x82,
    ),
    "CONNECT receive maximum 0": (
        0x10,
        CONNECT + b"\x05\x00\x00\x00\x03\x21\x00\x00\x00\x00",
        0x82,
    ),
    "CONNECT packet size 0": (
        0x10,
        CONNECT + b"\x05\x00\x00\x00\x05\x27\x00\x00\x00\x00\x00\x00",
        0x82,
    ),
    "CONNECT flag property 2": (0x10, CONNECT + b"\x05\x00\x00\x00\x02\x17\x02\x00\x00", 0x82),
    "CONNECT property twice": (
        0x10,
        CONNECT + b"\x05\x00\x00\x00\x04\x17\x01\x17\x01\x00\x00",
        0x82,
    ),
    "CONNECT foreign property": (0x10, CONNECT + b"\x05\x00\x00\x00\x03\x23\x00\x01\x00\x00", 0x81),
    "CONNECT unknown property": (0x10, CONNECT + b"\x05\x00\x00\x00\x02\x7f\x00\x00\x00", 0x81),
    "CONNECT properties longer than it": (0x10, CONNECT + b"\x05\x00\x00\x00\x10\x00\x00", 0x81),
    "PUBLISH QoS 3": (0x36, b"\x00\x01a\x00\x01\x00", 0x81),
    "PUBLISH DUP at QoS 0": (0x38, b"\x00\x01a\x00", 0x81),
    "PUBLISH packet identifier 0": (0x32, b"\x00\x01a\x00\x00\x00", 0x81),
    "PUBLISH alias 0": (0x30, b"\x00\x01a\x03\x23\x00\x00", 0x94),
    "PUBLISH subscription identifier 0": (0x30, b"\x00\x01a\x02\x0b\x00", 0x82),
    "PUBLISH without topic": (0x30, b"", 0x81),
    "PUBREL flags": (0x60, b"\x00\x01", 0x81),
    "PUBACK flags": (0x42, b"\x00\x01", 0x81),
    "PUBACK unknown reason": (0x40, b"\x00\x01\x01", 0x82),
    "PUBREC unknown reason": (0x50, b"\x00\x01\x92", 0x82),
    "PUBREL unknown reason": (0x62, b"\x00\x01\x80", 0x82),
    "PUBCOMP unknown reason": (0x70, b"\x00\x01\x80", 0x82),
    "SUBSCRIBE flags": (0x80, b"\x00\x01\x00\x00\x01a\x00", 0x81),
    "SUBSCRIBE reserved bits": (0x82, b"\x00\x01\x00\x00\x01a\x40", 0x81),
    "SUBSCRIBE QoS 3": (0x82, b"\x00\x01\x00\x00\x01a\x03", 0x82),
    "SUBSCRIBE retain handling 3": (0x82, b"\x00\x01\x00\x00\x01a\x30", 0x82),
    "SUBSCRIBE without filter": (0x82, b"\x00\x01\x00", 0x82),
    "SUBSCRIBE without options": (0x82, b"\x00\x01\x00\x00\x01a", 0x81),
    "SUBSCRIBE packet identifier 0": (0x82, b"\x00\x00\x00\x00\x01a\x00", 0x81),
    "SUBSCRIBE two identifiers": (0x82, b"\x00\x01\x04\x0b\x01\x0b\x02\x00\x01a\x00", 0x82),
    "SUBSCRIBE filter not UTF-8": (0x82, b"\x00\x01\x00\x00\x01\xff\x00", 0x81),
    "UNSUBSCRIBE flags": (0xA0, b"\x00\x01\x00\x00\x01a", 0x81),
    "UNSUBSCRIBE without filter": (0xA2, b"\x00\x01\x00", 0x82),
    "UNSUBSCRIBE filter not UTF-8": (0xA2, b"\x00\x01\x00\x00\x01\xff", 0x81),
    "PINGREQ flags": (0xC1, b"", 0x81),
    "PINGREQ with a body": (0xC0, b"\x00", 0x81),
    "DISCONNECT flags": (0xE1, b"", 0x81),
    "DISCONNECT unknown reason": (0xE0, b"\x01", 0x82),
    "AUTH flags": (0xF1, b"\x18", 0x81),
    "AUTH unknown reason": (0xF0, b"\x01", 0x82),
    "CONNACK reserved flags": (0x20, b"\x02\x00\x00", 0x81),
    "SUBACK unknown reason": (0x90, b"\x00\x01\x00\x03", 0x82),
    "UNSUBACK without reason": (0xB0, b"\x00\x01\x00", 0x82),
}
MALFORMED_3 = {
    "CONNECT password without user name": (0x10, CONNECT + b"\x04\x42\x00\x00\x00\x00\x00\x01p"),
    "CONNECT reserved flag": (0x10, CONNECT + b"\x04\x03\x00\x00\x00\x00"),
    "CONNECT bytes behind the last field": (0x10, CONNECT + b"\x04\x02\x00\x00\x00\x00x"),
    "PUBACK with a reason": (0x40, b"\x00\x01\x00"),
    "SUBSCRIBE option bits": (0x82, b"\x00\x01\x00\x01a\x04"),
    "SUBSCRIBE QoS 3": (0x82, b"\x00\x01\x00\x01a\x03"),
    "DISCONNECT with a reason": (0xE0, b"\x00"),
    "AUTH": (0xF0, b""),
    "CONNACK return code 6": (0x20, b"\x00\x06"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_breaks_the_format_of_5_0_is_refused_with_its_reason(case):
    head, body, code = MALFORMED[case]
    with pytest.raises(PeerError) as caught:
        decode(head, body, p.V5)
    assert caught.value.reason == code
    assert caught.value.message


@pytest.mark.parametrize("case", MALFORMED_3)
def test_what_breaks_the_format_of_3_1_1_is_refused(case):
    head, body = MALFORMED_3[case]
    with pytest.raises(PeerError):
        decode(head, body, p.V3)


@pytest.mark.parametrize("kind", [p.PUBACK, p.PUBREC, p.PUBREL, p.PUBCOMP])
def test_an_answer_without_reason_is_success(kind):
    head = kind << 4 | p.FLAGS.get(kind, 0)
    assert decode(head, b"\x00\x07", p.V5) == p.PublishAnswer(kind, 7, 0)
    assert decode(head, b"\x00\x07\x00", p.V5) == p.PublishAnswer(kind, 7, 0)
    assert encode(p.PublishAnswer(kind, 7), p.V5) == bytes((head, 2, 0, 7))


def test_an_empty_property_set_is_a_zero_length():
    assert encode(p.Publish("a", b""), p.V5) == b"\x30\x04\x00\x01a\x00"
