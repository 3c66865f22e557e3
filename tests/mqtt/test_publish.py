"""PUBLISH and its answers (3.3 to 3.7, 4.3, 4.6), both directions."""

import pytest

from barograph.mqtt import MisuseError, Reason
from barograph.mqtt import packets as p
from barograph.mqtt.encode import encode
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5
PUBACK, PUBREC, PUBREL, PUBCOMP = p.PUBACK, p.PUBREC, p.PUBREL, p.PUBCOMP


def answer(kind, packet_id, reason=0):
    return p.PublishAnswer(kind, packet_id, reason)


def test_each_qos_gets_its_answer(world, version):
    peer = world.join("c", version)
    peer.publish("a", qos=0)
    assert peer.take() == []
    peer.publish("a", qos=1, packet_id=5)
    assert peer.take() == [answer(PUBACK, 5)]
    peer.publish("a", qos=2, packet_id=6)
    assert peer.take() == [answer(PUBREC, 6)]
    peer.send(answer(PUBREL, 6))
    assert peer.take() == [answer(PUBCOMP, 6)]


def test_nothing_is_answered_or_routed_before_the_host_has_it(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=2)
    other.take()
    peer = world.join("c", version)
    peer.automatic = False
    peer.publish("a", b"1", qos=1, packet_id=1)
    peer.publish("a", b"2", qos=2, packet_id=2)
    peer.publish("a", b"3", qos=0)
    assert peer.take() == []
    assert other.take() == []
    peer.acknowledge()
    peer.acknowledge()
    peer.acknowledge()
    assert peer.take() == [answer(PUBACK, 1), answer(PUBREC, 2)]
    assert [payload for _, payload in other.messages()] == [b"1", b"2", b"3"]


def test_answers_leave_in_the_order_of_the_publishes_whatever_the_host_does(world, version):
    peer = world.join("c", version)
    peer.automatic = False
    for packet_id in (1, 2, 3):
        peer.send(
            p.Publish("a", b"x", 1, packet_id=packet_id),
            p.Publish("a", b"x", 2, packet_id=packet_id + 10),
        )
    for batch in reversed(list(peer.batches)):
        assert peer.take() == []
        peer.acknowledge(batch)
    assert peer.take() == [
        answer(kind, packet_id)
        for one in (1, 2, 3)
        for kind, packet_id in ((PUBACK, one), (PUBREC, one + 10))
    ]


def test_one_socket_read_is_one_batch(world, version):
    peer = world.join("c", version)
    peer.automatic = False
    peer.send(*(p.Publish("a", bytes((i,)), 1, packet_id=i + 1) for i in range(50)))
    (batch,) = peer.batches
    assert [one[1] for one in batch.publishes] == [bytes((i,)) for i in range(50)]
    assert [one[3] for one in batch.publishes] == list(range(1, 51))


def test_the_host_sees_topic_payload_flags_and_identifier(world, version):
    peer = world.join("c", version)
    for _ in range(2):  # once read the long way, once the short one
        world.taken.clear()
        peer.publish("a/é", b"\x00\xff", qos=1, packet_id=258, retain=True)
        peer.publish("a/é", b"", qos=0)
        assert world.taken == [
            ("a/é".encode(), b"\x00\xff", 0b0011, 258, None),
            ("a/é".encode(), b"", 0, 0, None),
        ]


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_000, 16_400, 100_000])
def test_payloads_of_every_length_arrive(world, version, size):
    peer = world.join("c", version)
    for qos in (0, 1, 2):
        for _ in range(2):
            peer.publish("a/b", b"p" * size, qos=qos, packet_id=9 if qos else 0)
            peer.send(answer(PUBREL, 9))
    assert [one[1] for one in world.taken] == [b"p" * size] * 6


def test_a_repeated_qos_2_message_is_answered_and_goes_nowhere(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=2)
    peer = world.join("c", version)
    peer.publish("a", b"1", qos=2, packet_id=4)
    peer.publish("a", b"1", qos=2, packet_id=4, dup=True)
    assert peer.take() == [answer(PUBREC, 4)] * 2
    assert len(world.taken) == 1
    assert len(other.messages()) == 1
    peer.send(answer(PUBREL, 4))
    peer.publish("a", b"2", qos=2, packet_id=4)  # a new one after PUBCOMP
    assert [payload for _, payload in other.messages()] == [b"2"]


def test_a_qos_2_message_repeated_while_the_host_has_it_is_answered_after_it(world, version):
    peer = world.join("c", version)
    peer.automatic = False
    peer.publish("a", b"1", qos=2, packet_id=4)
    peer.publish("a", b"1", qos=2, packet_id=4, dup=True)
    assert peer.take() == []
    assert len(world.taken) == 1
    peer.acknowledge()
    assert peer.take() == [answer(PUBREC, 4)] * 2


def test_a_qos_2_message_repeated_on_a_new_connection_waits_for_the_host(world, version):
    keep = {"session_expiry": 100} if version == V5 else {}
    old = world.join("c", version, clean=False, **keep)
    old.automatic = False
    old.publish("a", b"1", qos=2, packet_id=4)
    old.drop()
    new = world.join("c", version, clean=False, **keep)
    new.publish("a", b"1", qos=2, packet_id=4, dup=True)
    assert new.take() == []
    old.acknowledge()
    assert new.take() == [answer(PUBREC, 4)]
    assert len(world.taken) == 1


def test_a_qos_2_message_repeated_after_its_refusal_is_refused_too(world):
    old = world.join("c", clean=False, session_expiry=100)
    old.automatic = False
    old.publish("a", b"1", qos=2, packet_id=4)
    old.drop()
    new = world.join("c", clean=False, session_expiry=100)
    new.publish("a", b"1", qos=2, packet_id=4, dup=True)
    old.acknowledge(refused={0: Reason.QUOTA_EXCEEDED})
    assert new.take() == [answer(PUBREC, 4, Reason.UNSPECIFIED_ERROR)]
    new.publish("a", b"1", qos=2, packet_id=4)
    assert new.take() == [answer(PUBREC, 4)]


def test_qos_1_with_the_same_identifier_is_a_new_message_each_time(world, version):
    peer = world.join("c", version)
    peer.publish("a", b"1", qos=1, packet_id=4)
    peer.publish("a", b"1", qos=1, packet_id=4, dup=True)
    assert peer.take() == [answer(PUBACK, 4)] * 2
    assert len(world.taken) == 2


def test_refusals_are_answered_in_their_place(world):
    other = world.join("o")
    other.subscribe("#")
    other.take()
    peer = world.join("c")
    peer.refusals = {1: Reason.PAYLOAD_FORMAT_INVALID, 3: Reason.QUOTA_EXCEEDED}
    world.rights.denied.add(("publish", "user", "forbidden"))
    peer.send(
        p.Publish("a", b"0", 1, packet_id=1),
        p.Publish("a", b"1", 1, packet_id=2),
        p.Publish("forbidden", b"", 1, packet_id=3),
        p.Publish("a", b"2", 0),
        p.Publish("a", b"3", 2, packet_id=4),
        p.Publish("a", b"4", 1, packet_id=5),
    )
    assert peer.take() == [
        answer(PUBACK, 1),
        answer(PUBACK, 2, 0x99),
        answer(PUBACK, 3, 0x87),
        answer(PUBREC, 4, 0x97),
        answer(PUBACK, 5),
    ]
    assert [payload for _, payload in other.messages()] == [b"0", b"2", b"4"]


def test_a_refused_qos_2_message_can_be_sent_anew(world):
    peer = world.join("c")
    peer.refusals = {0: Reason.PAYLOAD_FORMAT_INVALID}
    peer.publish("a", b"1", qos=2, packet_id=4)
    peer.refusals = {}
    peer.publish("a", b"2", qos=2, packet_id=4)
    assert peer.take() == [answer(PUBREC, 4, 0x99), answer(PUBREC, 4)]
    assert len(world.taken) == 2


def test_3_1_1_is_confirmed_what_cannot_be_read_and_closed_for_other_refusals(world):
    peer = world.join("c", V3)
    peer.refusals = {0: Reason.PAYLOAD_FORMAT_INVALID}
    peer.publish("a", qos=1, packet_id=1)
    assert peer.take() == [answer(PUBACK, 1)]
    peer.refusals = {0: Reason.QUOTA_EXCEEDED}
    peer.publish("a", qos=1, packet_id=2)
    assert peer.take() == []
    assert peer.closed


def test_publishing_without_the_right_is_refused_on_5_0(world):
    world.rights.denied.add(("publish", "user", "a"))
    peer = world.join("c")
    for qos, answers in ((0, []), (1, [answer(PUBACK, 1, 0x87)]), (2, [answer(PUBREC, 1, 0x87)])):
        peer.publish("a", qos=qos)
        assert peer.take() == answers
    assert world.taken == []
    assert world.broker.routing.counters["publishes_refused"] == 3


def test_publishing_without_the_right_closes_3_1_1(world):
    world.rights.denied.add(("publish", "user", "a"))
    peer = world.join("c", V3)
    peer.send(p.Publish("b", b"before"), p.Publish("a", b"not"), p.Publish("b", b"after"))
    assert peer.closed
    assert [one[1] for one in world.taken] == [b"before"]


def test_a_right_taken_away_counts_at_once(world):
    peer = world.join("c")
    peer.publish("a", qos=1)
    world.rights.denied.add(("publish", "user", "a"))
    world.broker.rights_changed()
    peer.take()
    peer.publish("a", qos=1)
    assert peer.take() == [answer(PUBACK, 1, 0x87)]


@pytest.mark.parametrize("topic", ["a/#", "+", "a+b", "#"])
def test_topic_names_with_wildcards_end_the_connection(world, version, topic):
    peer = world.join("c", version)
    peer.publish(topic)
    assert peer.closed
    assert world.taken == []
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.TOPIC_NAME_INVALID


def test_an_empty_topic_name_ends_the_connection(world, version):
    peer = world.join("c", version)
    peer.publish("")
    assert peer.closed


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"a\x00"])
def test_topic_names_that_are_not_utf8_end_the_connection(world, version, bad):
    peer = world.join("c", version)
    end = b"\x00" if version == V5 else b""
    body = len(bad).to_bytes(2, "big") + bad + end
    peer.send_bytes(b"\x30" + bytes((len(body),)) + body)
    assert peer.closed
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.MALFORMED_PACKET


def test_long_and_deep_topic_names_are_refused(make_world):
    world = make_world(topic_bytes_max=10, topic_levels_max=3)
    for topic in ("x" * 11, "a/b/c/d"):
        peer = world.join("c")
        peer.publish(topic)
        assert peer.take(p.Disconnect)[0].reason == Reason.TOPIC_NAME_INVALID
    peer.publish("a/b/c")


def test_a_packet_above_the_limit_is_refused_by_its_length(make_world, version):
    world = make_world(packet_bytes_max=20_000)
    peer = world.join("c", version)
    peer.send_bytes(encode(p.Publish("a", b"x" * 20_000), version)[:5])
    assert peer.closed
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.PACKET_TOO_LARGE


def test_topic_aliases_of_the_client_stand_for_their_topics(make_world):
    world = make_world(topic_alias_maximum=2)
    peer = world.join("c")
    for alias, topic in ((1, "one"), (2, "two")):
        peer.publish(topic, properties=Properties(topic_alias=alias))
    for alias in (2, 1):
        peer.publish("", properties=Properties(topic_alias=alias))
    peer.publish("three", properties=Properties(topic_alias=1))
    peer.publish("", properties=Properties(topic_alias=1))
    assert [one[0] for one in world.taken] == [b"one", b"two", b"two", b"one", b"three", b"three"]


@pytest.mark.parametrize(
    ("alias", "topic", "reason"),
    [(3, "a", Reason.TOPIC_ALIAS_INVALID), (1, "", Reason.PROTOCOL_ERROR)],
)
def test_topic_aliases_that_stand_for_nothing_end_the_connection(make_world, alias, topic, reason):
    world = make_world(topic_alias_maximum=2)
    peer = world.join("c")
    peer.publish(topic, properties=Properties(topic_alias=alias))
    assert peer.take(p.Disconnect)[0].reason == reason


def test_topic_aliases_end_with_the_connection(world):
    peer = world.join("c", clean=False, session_expiry=100)
    peer.publish("one", properties=Properties(topic_alias=1))
    again = world.join("c", clean=False, session_expiry=100)
    again.publish("", properties=Properties(topic_alias=1))
    assert again.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_subscribers_with_aliases_get_them_within_their_maximum(world):
    plain = world.join("plain")
    plain.subscribe("#")
    other = world.join("o", topic_alias_maximum=2)
    other.subscribe("#", qos=1)
    other.take()
    plain.take()
    peer = world.join("c")
    for topic in ("long/one", "long/two", "long/three", "long/one", "long/three", "long/two"):
        peer.publish(topic)
    got = [(one.topic, one.properties.topic_alias) for one in other.take(p.Publish)]
    assert got == [
        ("long/one", 1),
        ("long/two", 2),
        ("long/three", None),
        ("", 1),
        ("long/three", None),
        ("", 2),
    ]
    assert all(one.properties.topic_alias is None for one in plain.take(p.Publish))


def test_clients_cannot_send_subscription_identifiers(world):
    peer = world.join("c")
    peer.publish("a", properties=Properties(subscription_identifiers=(1,)))
    assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_a_response_topic_is_a_topic_name(world):
    peer = world.join("c")
    peer.publish("a", properties=Properties(response_topic="a/#"))
    assert peer.take(p.Disconnect)[0].reason == Reason.TOPIC_NAME_INVALID


def test_what_the_publisher_says_reaches_subscribers_unaltered(world):
    other, old = world.join("o"), world.join("old", V3)
    other.subscribe("a", qos=2)
    old.subscribe("a", qos=2)
    said = Properties(
        payload_format=1,
        content_type="text/plain",
        response_topic="r/é",
        correlation_data=b"\x00\x01",
        user_properties=(("b", "2"), ("a", "1"), ("b", "1")),
    )
    peer = world.join("c")
    peer.publish("a", b"x", properties=said)
    assert [one.properties for one in other.take(p.Publish)] == [said]
    assert old.messages() == [("a", b"x")]


def test_the_expiry_interval_that_is_left_is_sent(world):
    other = world.join("o", clean=False, session_expiry=100)
    other.subscribe("a", qos=1)
    other.drop()
    peer = world.join("c")
    for seconds in (5, 20):
        peer.publish("a", bytes((seconds,)), 1, properties=Properties(message_expiry=seconds))
    world.advance(7)
    again = world.join("o", clean=False, session_expiry=100)
    (got,) = again.take(p.Publish)
    assert (got.payload, got.properties.message_expiry) == (b"\x14", 13)


def test_the_dup_flag_is_not_passed_on(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=1)
    other.take()
    peer = world.join("c", version)
    peer.publish("a", qos=1, dup=True)
    assert [one.dup for one in other.take(p.Publish)] == [False]


@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_a_message_goes_out_at_the_lower_qos(world, version, published, granted):
    other = world.join("o", version)
    other.subscribe("a", qos=granted)
    other.take()
    peer = world.join("c", version)
    peer.publish("a", qos=published)
    (got,) = other.take(p.Publish)
    assert got.qos == min(published, granted)
    assert bool(got.packet_id) == bool(got.qos)


def test_qos_1_out_ends_with_puback(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=1)
    other.take()
    world.broker.publish("a", b"1", world.now, qos=1)
    world.carry_out()
    (got,) = other.take()
    assert (got.qos, got.dup) == (1, False)
    other.send(answer(PUBACK, got.packet_id))
    other.send(answer(PUBACK, got.packet_id))  # answering twice does no harm
    assert other.take() == []
    assert not other.closed


def test_qos_2_out_goes_through_its_four_packets(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=2)
    other.take()
    world.broker.publish("a", b"1", world.now, qos=2)
    world.carry_out()
    (got,) = other.take()
    assert (got.qos, got.dup) == (2, False)
    other.send(answer(PUBREC, got.packet_id))
    assert other.take() == [answer(PUBREL, got.packet_id)]
    other.send(answer(PUBREC, got.packet_id))  # again: PUBREL again, PUBLISH never
    assert other.take() == [answer(PUBREL, got.packet_id)]
    other.send(answer(PUBCOMP, got.packet_id))
    assert other.take() == []


def test_identifiers_of_the_server_are_unused_ones(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=2)
    other.take()
    for i in range(50):
        world.broker.publish("a", b"1", world.now, qos=1 + i % 2)
    world.carry_out()
    got = other.take(p.Publish)
    assert len({one.packet_id for one in got}) == 50
    assert 0 not in {one.packet_id for one in got}


def test_a_refused_delivery_is_over(world):
    other = world.join("o", clean=False, session_expiry=100)
    other.subscribe("a", qos=2)
    other.take()
    for qos, kind in ((1, PUBACK), (2, PUBREC)):
        world.broker.publish("a", b"1", world.now, qos=qos)
        world.carry_out()
        (got,) = other.take()
        other.send(answer(kind, got.packet_id, 0x80))
        assert other.take() == []
    other.drop()
    assert world.join("o", clean=False, session_expiry=100).take(p.Publish) == []


@pytest.mark.parametrize(("qos", "kind"), [(1, PUBREC), (2, PUBACK), (2, PUBCOMP), (1, PUBCOMP)])
def test_an_answer_of_the_wrong_kind_ends_the_connection(world, version, qos, kind):
    other = world.join("o", version)
    other.subscribe("a", qos=2)
    other.take()
    world.broker.publish("a", b"1", world.now, qos=qos)
    world.carry_out()
    (got,) = other.take()
    other.send(answer(kind, got.packet_id))
    assert other.closed


def test_releasing_what_is_not_known_is_answered(world, version):
    peer = world.join("c", version)
    peer.send(answer(PUBREL, 77), answer(PUBREC, 78))
    reason = Reason.PACKET_IDENTIFIER_NOT_FOUND if version == V5 else 0
    assert peer.take() == [answer(PUBCOMP, 77, reason), answer(PUBREL, 78, reason)]


def test_releasing_before_the_answer_ends_the_connection(world, version):
    peer = world.join("c", version)
    peer.automatic = False
    peer.publish("a", qos=2, packet_id=4)
    peer.send(answer(PUBREL, 4))
    assert peer.closed


def test_more_than_the_receive_maximum_ends_the_connection(make_world):
    world = make_world(receive_maximum=3)
    peer = world.join("c")
    peer.automatic = False
    peer.send(*(p.Publish("a", b"", 1 + i % 2, packet_id=i + 1) for i in range(3)))
    peer.publish("a", qos=2, packet_id=2, dup=True)  # the same one counts once
    peer.publish("a", qos=0)
    assert not peer.closed
    peer.publish("a", qos=1, packet_id=9)
    assert peer.take(p.Disconnect)[0].reason == Reason.RECEIVE_MAXIMUM_EXCEEDED


def test_answers_make_room_in_the_receive_maximum(make_world):
    world = make_world(receive_maximum=2)
    peer = world.join("c")
    for i in range(10):
        peer.publish("a", qos=1, packet_id=i + 1)
        peer.publish("a", qos=2, packet_id=i + 100)
        peer.send(answer(PUBREL, i + 100))
    assert not peer.closed


def test_unacknowledged_batches_of_a_lost_connection_are_still_routed(world, version):
    other = world.join("o", version)
    other.subscribe("a", qos=1)
    other.take()
    peer = world.join("c", version)
    peer.automatic = False
    peer.publish("a", b"1", qos=1)
    peer.drop()
    peer.acknowledge()
    assert other.messages() == [("a", b"1")]
    assert peer.take() == []


def test_a_batch_is_acknowledged_once_and_to_its_own_connection(world):
    peer, other = world.join("c"), world.join("o")
    peer.automatic = False
    peer.publish("a", qos=1)
    (batch,) = peer.batches
    with pytest.raises(MisuseError, match="not of this"):
        other.connection.acknowledge(batch, world.now)
    with pytest.raises(MisuseError, match="cannot be refused"):
        peer.connection.acknowledge(batch, world.now, {0: Reason.BANNED})
    peer.acknowledge()
    with pytest.raises(MisuseError, match="before"):
        peer.connection.acknowledge(batch, world.now)


def test_messages_of_a_topic_keep_their_order(world, version):
    other = world.join("o", version)
    other.subscribe("#", qos=2)
    other.take()
    one, two = world.join("c", version), world.join("d", version)
    for i in range(20):
        one.publish("a", b"c%d" % i, qos=i % 3)
        two.publish("a", b"d%d" % i, qos=i % 3)
        for peer in (one, two):
            peer.send(answer(PUBREL, 1))
    got = other.messages()
    for name in (b"c", b"d"):
        assert [text for _, text in got if text[:1] == name] == [
            b"%s%d" % (name, i) for i in range(20)
        ]


def test_an_error_after_good_messages_leaves_them(world, version):
    peer = world.join("c", version)
    peer.publish("a", b"0")
    peer.send_bytes(encode(p.Publish("a", b"1"), version) * 3 + b"\x36\x00" + b"junk")
    assert peer.closed
    assert len(world.taken) == 4
