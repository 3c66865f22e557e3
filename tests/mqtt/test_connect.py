"""CONNECT and CONNACK (3.1, 3.2), and the connection's beginning and end."""

import pytest

from barograph.mqtt import MisuseError, Reason
from barograph.mqtt import packets as p
from barograph.mqtt.encode import encode
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5


def first(world, data, version=V5):
    peer = world.peer(version)
    peer.send_bytes(data)
    return peer


def test_the_first_packet_must_be_connect(world, version):
    peer = first(world, encode(p.Pingreq(), version), version)
    assert peer.closed
    assert peer.inbox == []


def test_bytes_of_another_protocol_close_silently(world):
    peer = first(world, b"GET / HTTP/1.1\r\n\r\n")
    assert peer.closed
    assert peer.inbox == []


def test_a_second_connect_is_a_protocol_error(world, version):
    peer = world.join("c", version)
    peer.send(p.Connect(version, "c", True, 0))
    assert peer.closed
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_another_protocol_name_closes_silently(world):
    peer = first(world, b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00")
    assert peer.closed
    assert peer.inbox == []


def test_an_older_level_gets_return_code_1(world):
    peer = first(world, b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00", V3)
    assert peer.inbox == [p.Connack(False, 1)]
    assert peer.closed


def test_a_later_level_gets_unsupported_protocol_version(world):
    peer = first(world, b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x00\x00\x00\x00")
    assert peer.inbox[0].reason == Reason.UNSUPPORTED_PROTOCOL_VERSION
    assert peer.closed


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("reserved flag", b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00"),
        ("will QoS without will", b"\x10\x0c\x00\x04MQTT\x04\x0a\x00\x00\x00\x00"),
        ("password without user name", b"\x10\x0f\x00\x04MQTT\x04\x42\x00\x00\x00\x00\x00\x01p"),
        ("client identifier not UTF-8", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\xff"),
        ("user name not UTF-8", b"\x10\x0f\x00\x04MQTT\x04\x82\x00\x00\x00\x00\x00\x01\xff"),
        (
            "will topic not UTF-8",
            b"\x10\x11\x00\x04MQTT\x04\x06\x00\x00\x00\x00\x00\x01\xff\x00\x00",
        ),
        (
            "will topic with wildcard",
            b"\x10\x11\x00\x04MQTT\x04\x06\x00\x00\x00\x00\x00\x01#\x00\x00",
        ),
    ],
)
def test_a_connect_of_3_1_1_out_of_format_closes_without_connack(world, name, data):
    peer = first(world, data, V3)
    assert peer.closed, name
    assert peer.inbox == []


def test_a_connect_of_5_0_out_of_format_is_told_why(world):
    peer = first(world, b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x00")
    assert peer.inbox[0].reason == Reason.MALFORMED_PACKET
    assert "reserved flag" in peer.inbox[0].properties.reason_string
    assert peer.closed


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("client identifier", b"\x02\x00\x00\x00\x00\x01\xff"),
        ("will topic", b"\x06\x00\x00\x00\x00\x01c\x00\x00\x01\xff\x00\x01m"),
        ("user name", b"\x82\x00\x00\x00\x00\x01c\x00\x01\xff"),
    ],
)
def test_a_connect_of_5_0_with_strings_that_are_not_utf8_is_told_why(world, name, rest):
    body = b"\x00\x04MQTT\x05" + rest
    peer = first(world, bytes((0x10, len(body))) + body)
    assert peer.inbox[0].reason == Reason.MALFORMED_PACKET, name
    assert peer.closed


def test_the_fields_of_connect_come_in_their_order(world, version):
    peer = world.peer(version)
    peer.automatic = False
    will = p.Will("w", b"m", 1, True)
    connect = p.Connect(version, "id", True, 9, "user", b"pass", will)
    peer.send(connect)
    assert peer.requests == [connect]


@pytest.mark.parametrize(
    "client_id", ["a", "0123456789abcdefghijklm", "ABCDEFGHIJKLMNOPQRSTUVW", "x" * 300, "é/# $"]
)
def test_client_identifiers_are_allowed(world, version, client_id):
    peer = world.join(client_id, version)
    assert peer.connack.reason == 0
    assert peer.connection.client_id == client_id


def test_an_overlong_client_identifier_is_rejected(make_world, version):
    world = make_world(client_id_bytes_max=10)
    peer = world.join("x" * 11, version)
    expected = 2 if version == V3 else Reason.CLIENT_IDENTIFIER_NOT_VALID
    assert peer.connack.reason == expected
    assert peer.closed


def test_an_empty_client_identifier_gets_one_assigned(world):
    one, two = world.join(""), world.join("")
    assigned = [peer.connack.properties.assigned_client_id for peer in (one, two)]
    assert all(assigned)
    assert assigned[0] != assigned[1]
    assert one.connection.client_id == assigned[0]
    one.drop()
    assert world.join(assigned[1]).connack.reason == 0
    assert two.closed


def test_an_empty_client_identifier_in_3_1_1_needs_clean_session(world):
    assert world.join("", V3, clean=True).connack == p.Connack(False, 0)
    refused = world.join("", V3, clean=False)
    assert refused.connack == p.Connack(False, 2)
    assert refused.closed


def test_a_client_identifier_that_was_given_is_not_returned(world):
    assert world.join("mine").connack.properties.assigned_client_id is None


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.BAD_USER_NAME_OR_PASSWORD, 4),
        (Reason.NOT_AUTHORIZED, 5),
        (Reason.SERVER_UNAVAILABLE, 3),
        (Reason.CLIENT_IDENTIFIER_NOT_VALID, 2),
    ],
)
def test_a_refusal_is_told_and_closes(world, version, reason, code):
    peer = world.peer(version)
    peer.automatic = False
    peer.send(p.Connect(version, "c", True, 0, "u", b"p"))
    peer.refuse(reason)
    assert [one.reason for one in peer.inbox] == [code if version == V3 else reason]
    assert not peer.inbox[0].session_present
    assert peer.closed
    assert len(world.broker) == 0


def test_a_refusal_that_3_1_1_cannot_express_closes_without_connack(world):
    peer = world.peer(V3)
    peer.automatic = False
    peer.send(p.Connect(V3, "c", True, 0))
    peer.refuse(Reason.USE_ANOTHER_SERVER)
    assert peer.inbox == []
    assert peer.closed


def test_nothing_behind_a_refused_connect_is_processed(world, version):
    peer = world.peer(version)
    peer.automatic = False
    peer.send(p.Connect(version, "c", True, 0), p.Publish("a", b"secret"), p.Pingreq())
    peer.refuse(Reason.NOT_AUTHORIZED)
    peer.send(p.Publish("a", b"more"))
    assert world.taken == []
    assert len(peer.inbox) == 1


def test_what_follows_connect_waits_for_the_answer(world, version):
    peer = world.peer(version)
    peer.automatic = False
    peer.send(p.Connect(version, "c", True, 0), p.Pingreq(), p.Publish("a", b"1"))
    peer.send(p.Publish("a", b"2"))
    assert peer.inbox == []
    peer.accept()
    assert [type(one) for one in peer.inbox] == [p.Connack, p.Pingresp]
    assert [one[1] for one in world.taken] == [b"1", b"2"]


def test_what_waits_for_the_answer_is_bounded(make_world):
    world = make_world(waiting_bytes_max=100)
    peer = world.peer()
    peer.automatic = False
    peer.send(p.Connect(V5, "c", True, 0))
    peer.send(p.Publish("a", b"x" * 100))
    assert peer.closed
    assert peer.inbox[0].reason == Reason.QUOTA_EXCEEDED


def test_a_large_connect_is_refused_before_it_is_read(world):
    peer = first(world, b"\x10\xff\xff\x03")
    assert peer.closed
    assert peer.ended.reason is Reason.PACKET_TOO_LARGE


def test_connack_is_the_first_packet_and_comes_once(world, version):
    peer = world.peer(version)
    peer.send(p.Connect(version, "c", True, 0), p.Pingreq())
    peer.send(p.Pingreq())
    assert [type(one) for one in peer.inbox] == [p.Connack, p.Pingresp, p.Pingresp]


def test_connack_tells_the_limits(make_world):
    world = make_world(receive_maximum=7, packet_bytes_max=5000, topic_alias_maximum=3)
    told = world.join("c").connack.properties
    assert (told.receive_maximum, told.maximum_packet_size, told.topic_alias_maximum) == (
        7,
        5000,
        3,
    )
    assert told.maximum_qos is None  # all of them
    assert told.retain_available is None  # yes
    assert told.response_information is None
    assert told.reason_string is None


def test_session_present_says_whether_there_was_a_session(world, version):
    keep = {"session_expiry": 100} if version == V5 else {}
    assert not world.join("c", version, clean=False, **keep).connack.session_present
    assert world.join("c", version, clean=False, **keep).connack.session_present
    assert not world.join("c", version, clean=True, **keep).connack.session_present


def test_a_session_belongs_to_its_principal(world, version):
    keep = {"session_expiry": 100} if version == V5 else {}
    mine = world.join("c", version, clean=False, principal="user:1", **keep)
    other = world.join("c", version, clean=False, principal="user:2", **keep)
    assert not other.connack.session_present
    assert not mine.closed


def test_a_new_connection_takes_over(world, version):
    old = world.join("c", version)
    new = world.join("c", version)
    assert old.closed
    assert not new.closed
    assert [one.reason for one in old.take(p.Disconnect)] == (
        [Reason.SESSION_TAKEN_OVER] if version == V5 else []
    )


def test_too_many_sessions_are_refused(make_world, version):
    world = make_world(sessions_max=1)
    world.join("a", version)
    refused = world.join("b", version)
    assert refused.connack.reason == (3 if version == V3 else Reason.QUOTA_EXCEEDED)
    assert world.join("a", version).connack.reason == 0


def test_authentication_methods_are_not_offered(world):
    peer = world.join("c", authentication_method="SCRAM-SHA-1", authentication_data=b"x")
    assert peer.connack.reason == Reason.BAD_AUTHENTICATION_METHOD
    assert peer.closed
    assert peer.requests == []


def test_auth_from_a_client_without_method_is_a_protocol_error(world):
    peer = world.join("c")
    assert peer.connack.properties.authentication_method is None
    peer.send(p.Auth(0x18))
    assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_packets_that_only_servers_send_are_protocol_errors(world, version):
    for packet in (
        p.Connack(False, 0),
        p.Suback(1, (0,)),
        p.Unsuback(1, (0,) if version == V5 else ()),
        p.Pingresp(),
    ):
        peer = world.join("c", version)
        peer.send(packet)
        assert peer.closed
        if version == V5:
            assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_pingreq_is_answered(world, version):
    peer = world.join("c", version)
    peer.send(p.Pingreq())
    assert peer.take() == [p.Pingresp()]


def test_silence_beyond_one_and_a_half_keep_alives_ends_the_connection(world, version):
    peer = world.join("c", version, keep_alive=10)
    world.advance(14.9)
    assert not peer.closed
    peer.send(p.Pingreq())
    world.advance(14.9)
    assert not peer.closed
    world.advance(0.2)
    assert peer.closed
    assert peer.connection.end_reason.reason is Reason.KEEP_ALIVE_TIMEOUT
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.KEEP_ALIVE_TIMEOUT


def test_half_a_packet_does_not_count_as_a_sign_of_life(world):
    peer = world.join("c", keep_alive=10)
    world.advance(14)
    peer.send_bytes(b"\xc0")
    world.advance(2)
    assert peer.closed


def test_without_keep_alive_silence_lasts(world, version):
    peer = world.join("c", version, keep_alive=0)
    world.advance(1_000_000)
    assert not peer.closed


def test_the_server_keep_alive_is_told_and_used(make_world):
    world = make_world(keep_alive_seconds_max=60)
    for asked in (0, 61):
        assert world.join("c", keep_alive=asked).connack.properties.server_keep_alive == 60
    peer = world.join("c", keep_alive=0)
    world.advance(91)
    assert peer.closed
    assert world.join("d", keep_alive=60).connack.properties.server_keep_alive is None


def test_a_connection_without_connect_ends(world):
    peer = world.peer()
    world.advance(9)
    assert not peer.closed
    world.advance(2)
    assert peer.closed
    assert peer.inbox == []


def test_after_disconnect_nothing_is_read_or_sent(world, version):
    peer = world.join("c", version)
    peer.send(p.Disconnect(), p.Publish("a", b"late"), p.Pingreq())
    assert peer.closed
    assert peer.inbox == []
    assert world.taken == []


@pytest.mark.parametrize("reason", [Reason.SERVER_SHUTTING_DOWN, Reason.SESSION_TAKEN_OVER])
def test_a_client_cannot_disconnect_with_a_reason_of_servers(world, reason):
    peer = world.join("c")
    peer.send(p.Disconnect(reason))
    assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_a_server_disconnect_carries_no_expiry_and_is_the_last_packet(world):
    peer = world.join("c", session_expiry=10)
    peer.connection.end(Reason.ADMINISTRATIVE_ACTION, "go", world.now)
    peer.connection.end(Reason.ADMINISTRATIVE_ACTION, "go", world.now)
    world.carry_out()
    (last,) = peer.take()
    assert last == p.Disconnect(0x98, Properties(reason_string="go"))
    assert peer.closed


def test_a_disconnect_drops_its_text_when_the_client_takes_only_small_packets(world):
    peer = world.join("c", maximum_packet_size=40)
    peer.send_bytes(b"\xc1\x00")
    assert peer.take() == [p.Disconnect(Reason.MALFORMED_PACKET)]


def test_a_connack_drops_its_text_when_the_client_takes_only_small_packets(world):
    peer = world.join("c", maximum_packet_size=20, authentication_method="x")
    assert peer.inbox == []
    assert peer.connack == p.Connack(False, Reason.BAD_AUTHENTICATION_METHOD)


def test_shutting_down_tells_every_client(world):
    five, three, early = world.join("a"), world.join("b", V3), world.peer()
    world.broker.shut_down(world.now)
    world.carry_out()
    assert five.take(p.Disconnect)[0].reason == Reason.SERVER_SHUTTING_DOWN
    assert three.inbox == []
    assert early.inbox == []
    assert five.closed
    assert three.closed
    assert early.closed


def test_the_host_is_told_of_its_own_mistakes(world):
    peer = world.join("c")
    with pytest.raises(MisuseError):
        peer.connection.accept("user", world.now)
    with pytest.raises(MisuseError):
        peer.connection.end(Reason.SUCCESS | 0x10, "", world.now)
    asking = world.peer()
    asking.automatic = False
    asking.send(p.Connect(V5, "d", True, 0))
    with pytest.raises(MisuseError):
        asking.connection.refuse(Reason.SUCCESS, world.now)
