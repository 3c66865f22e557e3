"""What a client of 3.1.1 must not send: the connection is closed, without a word and without effect.

3.1.1, sections 2.2.2, 2.3.1, 3.1, 3.3.1, 3.6.1, 3.8, 3.10, 3.14.1, 4.8. 5.0 is told the reason:
`test_packets.py`.
"""

import pytest

from barograph.mqtt import packets as p

CONNECT = b"\x00\x04MQTT\x04"
CONNECTS = {
    "a will of QoS 3": b"\x1e\x00\x00\x00\x01c\x00\x01w\x00\x01m",
    "a will QoS without will": b"\x0a\x00\x00\x00\x01c",
    "will retain without will": b"\x22\x00\x00\x00\x01c",
    "a will that is announced and missing": b"\x06\x00\x00\x00\x01c",
    "a will message that is missing": b"\x06\x00\x00\x00\x01c\x00\x01w",
    "a will that was not announced": b"\x02\x00\x00\x00\x01c\x00\x01w\x00\x01m",
    "a user name that is announced and missing": b"\x82\x00\x00\x00\x01c",
    "a user name that was not announced": b"\x02\x00\x00\x00\x01c\x00\x01u",
    "a password that is announced and missing": b"\xc2\x00\x00\x00\x01c\x00\x01u",
    "a password that was not announced": b"\x82\x00\x00\x00\x01c\x00\x01u\x00\x01p",
    "no client identifier": b"\x02\x00\x00",
}
PACKETS = {
    "PUBLISH of QoS 3": (0x36, b"\x00\x01t\x00\x01x"),
    "PUBLISH with DUP at QoS 0": (0x38, b"\x00\x01tx"),
    "PUBLISH with packet identifier 0": (0x32, b"\x00\x01t\x00\x00x"),
    "PUBLISH that ends within its identifier": (0x32, b"\x00\x01t\x00"),
    "PUBACK with flags": (0x41, b"\x00\x01"),
    "PUBREC with flags": (0x52, b"\x00\x01"),
    "PUBREL with flags 0000": (0x60, b"\x00\x01"),
    "PUBREL with flags 0011": (0x63, b"\x00\x01"),
    "PUBREL with flags 1010": (0x6A, b"\x00\x01"),
    "PUBCOMP with flags": (0x78, b"\x00\x01"),
    "SUBSCRIBE with flags 0000": (0x80, b"\x00\x01\x00\x01t\x00"),
    "SUBSCRIBE with flags 0110": (0x86, b"\x00\x01\x00\x01t\x00"),
    "SUBSCRIBE with packet identifier 0": (0x82, b"\x00\x00\x00\x01t\x00"),
    "SUBSCRIBE without filter": (0x82, b"\x00\x01"),
    "SUBSCRIBE without QoS": (0x82, b"\x00\x01\x00\x01t"),
    "SUBSCRIBE whose filter is not UTF-8": (0x82, b"\x00\x01\x00\x01\xff\x00"),
    "SUBSCRIBE whose second filter is not UTF-8": (0x82, b"\x00\x01\x00\x01t\x00\x00\x01\xff\x00"),
    "SUBSCRIBE of QoS 3": (0x82, b"\x00\x01\x00\x01t\x03"),
    "SUBSCRIBE with a reserved bit": (0x82, b"\x00\x01\x00\x01t\x80"),
    "UNSUBSCRIBE with flags": (0xA0, b"\x00\x01\x00\x01t"),
    "UNSUBSCRIBE with packet identifier 0": (0xA2, b"\x00\x00\x00\x01t"),
    "UNSUBSCRIBE without filter": (0xA2, b"\x00\x01"),
    "UNSUBSCRIBE whose filter is not UTF-8": (0xA2, b"\x00\x01\x00\x01\xff"),
    "PINGREQ with flags": (0xC1, b""),
    "DISCONNECT with flags": (0xE1, b""),
    "a packet of type 0": (0x00, b""),
    "a packet of type 15": (0xF0, b""),
}


@pytest.mark.parametrize("case", CONNECTS)
def test_a_connect_of_3_1_1_against_the_format_closes_without_connack(world, case):
    body = CONNECT + CONNECTS[case]
    peer = world.peer(p.V3)
    peer.send_bytes(bytes((0x10, len(body))) + body)
    assert peer.closed
    assert peer.inbox == []
    assert not len(world.broker)


@pytest.mark.parametrize("case", PACKETS)
def test_a_packet_of_3_1_1_against_the_format_closes_the_connection(world, case):
    head, body = PACKETS[case]
    watcher = world.join("watcher")
    watcher.subscribe("#")
    watcher.take()
    peer = world.join("c", p.V3)
    peer.send_bytes(bytes((head, len(body))) + body)
    assert peer.closed
    assert peer.inbox == []
    assert world.taken == []
    watcher.publish("t", b"mine")
    assert watcher.messages() == [("t", b"mine")]
    assert not watcher.closed


def test_a_packet_of_3_1_1_against_the_format_has_its_will_published(world):
    watcher = world.join("watcher")
    watcher.subscribe("w")
    watcher.take()
    peer = world.join("c", p.V3, will=p.Will("w", b"gone", 0, False))
    peer.send_bytes(b"\x60\x02\x00\x01")
    assert watcher.messages() == [("w", b"gone")]
