"""SUBSCRIBE, UNSUBSCRIBE and who gets what (3.8 to 3.11, 4.8)."""

import pytest

from barograph.mqtt import Reason
from barograph.mqtt import packets as p
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5


def publish(world, topic, payload=b"x", qos=0):
    world.broker.publish(topic, payload, world.now, qos=qos)
    world.carry_out()


def test_suback_answers_each_filter_in_order_with_its_identifier(world, version):
    peer = world.join("c", version)
    world.rights.denied.add(("subscribe", "user", "no/#"))
    pairs = (("a", p.Options(2)), ("no/#", p.Options(1)), ("b", p.Options(0)), ("c", p.Options(1)))
    peer.send(p.Subscribe(777, pairs))
    failure = 0x80 if version == V3 else Reason.NOT_AUTHORIZED
    assert peer.take() == [p.Suback(777, (2, failure, 0, 1))]


def test_a_refused_subscription_gets_nothing(world):
    world.rights.denied.add(("subscribe", "user", "a"))
    peer = world.join("c")
    peer.subscribe("a")
    publish(world, "a")
    assert peer.messages() == []


def test_messages_without_the_right_to_them_are_not_delivered(world):
    world.rights.denied.add(("receive", "user", "secret/1"))
    world.broker.publish("secret/1", b"r", world.now, retain=True)
    world.broker.publish("public/1", b"r", world.now, retain=True)
    peer, shared = world.join("c"), world.join("d")
    peer.subscribe("#")
    shared.subscribe("$share/g/#")
    for topic in ("secret/1", "public/1"):
        publish(world, topic)
    assert peer.messages() == [("public/1", b"r"), ("public/1", b"x")]
    assert shared.messages() == [("public/1", b"x")]


def test_a_right_to_receive_taken_away_counts_at_once(world):
    peer = world.join("c")
    peer.subscribe("#")
    publish(world, "a")
    world.rights.denied.add(("receive", "user", "a"))
    world.broker.rights_changed()
    publish(world, "a")
    assert len(peer.messages()) == 1


@pytest.mark.parametrize("bad", ["", "a#", "a/#/b", "+a", "$share/g", "$share//a", "$share/+/a"])
def test_a_filter_against_the_rules_ends_the_connection(world, version, bad):
    peer = world.join("c", version)
    peer.send(p.Subscribe(1, ((bad, p.Options()),)))
    assert peer.closed
    if version == V5:
        assert peer.take(p.Disconnect)[0].reason == Reason.TOPIC_FILTER_INVALID


def test_a_subscription_replaces_the_one_with_the_same_filter(world, version):
    peer = world.join("c", version)
    peer.subscribe("a", qos=2)
    peer.subscribe("a", qos=0)
    peer.take()
    publish(world, "a", qos=2)
    assert [one.qos for one in peer.take(p.Publish)] == [0]


def test_many_filters_in_one_packet_count_like_many_packets(world, version):
    peer = world.join("c", version)
    assert peer.subscribe("a", "b", "a/#", "a") == (0, 0, 0, 0)
    peer.take()
    for topic in ("a", "b", "a/b"):
        publish(world, topic)
    assert [topic for topic, _ in peer.messages()] == ["a", "b", "a/b"]


def test_overlapping_subscriptions_give_one_copy_at_the_highest_qos(world, version):
    peer = world.join("c", version)
    peer.subscribe("a/#", qos=1)
    peer.subscribe("a/+", qos=2)
    peer.subscribe("a/b", qos=0)
    peer.take()
    publish(world, "a/b", qos=2)
    assert [one.qos for one in peer.take(p.Publish)] == [2]


def test_subscription_identifiers_of_all_matching_subscriptions_come_along(world):
    peer = world.join("c")
    peer.subscribe("a/#", identifier=10)
    peer.subscribe("a/+", identifier=268_435_455)
    peer.subscribe("a/b")
    peer.subscribe("x", identifier=99)
    peer.take()
    publish(world, "a/b")
    publish(world, "a/b/c")
    got = [sorted(one.properties.subscription_identifiers) for one in peer.take(p.Publish)]
    assert got == [[10, 268_435_455], [10]]


def test_a_replaced_subscription_has_the_new_identifier_only(world):
    peer = world.join("c")
    peer.subscribe("a", identifier=1)
    peer.subscribe("a", identifier=2)
    peer.subscribe("b", identifier=3)
    peer.subscribe("b")
    peer.take()
    publish(world, "a")
    publish(world, "b")
    got = [one.properties.subscription_identifiers for one in peer.take(p.Publish)]
    assert got == [(2,), ()]


def test_no_local_keeps_own_messages_away(world):
    peer, other = world.join("c"), world.join("o")
    peer.subscribe("a", no_local=True, identifier=1)
    peer.take()
    peer.publish("a", b"own")
    other.publish("a", b"other's")
    assert [text for _, text in peer.messages()] == [b"other's"]
    peer.subscribe("#", identifier=2)  # without no-local: this one counts for own messages
    peer.take()
    peer.publish("a", b"own")
    (got,) = peer.take(p.Publish)
    assert got.properties.subscription_identifiers == (2,)


def test_3_1_1_clients_get_their_own_messages(world):
    peer = world.join("c", V3)
    peer.subscribe("a")
    peer.take()
    peer.publish("a", b"own")
    assert [text for _, text in peer.messages()] == [b"own"]


def test_a_shared_subscription_cannot_be_no_local(world):
    peer = world.join("c")
    options = p.Options(no_local=True)
    peer.send(p.Subscribe(1, (("$share/g/a", options),)))
    assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_subscriptions_of_a_session_are_bounded(make_world, version):
    world = make_world(subscriptions_max=2)
    peer = world.join("c", version)
    failure = 0x80 if version == V3 else Reason.QUOTA_EXCEEDED
    assert peer.subscribe("a", "b", "c") == (0, 0, failure)
    assert peer.subscribe("a", qos=1) == (1,)


def test_unsubscribing_ends_deliveries(world, version):
    peer = world.join("c", version)
    peer.subscribe("a", "b")
    peer.take()
    peer.send(p.Unsubscribe(9, ("a", "never", "b/")))
    expected = (0, 0x11, 0x11) if version == V5 else ()
    assert peer.take() == [p.Unsuback(9, expected)]
    publish(world, "a")
    publish(world, "b")
    assert [topic for topic, _ in peer.messages()] == ["b"]


def test_unsubscribing_compares_filters_by_character(world):
    peer = world.join("c")
    peer.subscribe("a/+")
    for other in ("a/#", "A/+", "a/b", "a/+/"):
        peer.send(p.Unsubscribe(9, (other,)))
        assert peer.take(p.Unsuback)[0].reasons == (0x11,)
    publish(world, "a/b")
    assert len(peer.messages()) == 1


def test_unsubscribing_completes_what_was_begun(world, version):
    peer = world.join("c", version)
    peer.subscribe("a", qos=2)
    peer.take()
    publish(world, "a", qos=2)
    (got,) = peer.take()
    peer.send(p.Unsubscribe(9, ("a",)))
    peer.take()
    peer.send(p.PublishAnswer(p.PUBREC, got.packet_id))
    assert peer.take() == [p.PublishAnswer(p.PUBREL, got.packet_id)]


def test_dollar_topics_are_not_matched_by_leading_wildcards(world, version):
    peer = world.join("c", version)
    peer.subscribe("#", "+/x")
    peer.take()
    publish(world, "$SYS/x")
    assert peer.messages() == []
    peer.subscribe("$SYS/#")
    peer.take()
    publish(world, "$SYS/x")
    assert peer.messages() == [("$SYS/x", b"x")]


def test_a_group_shares_the_messages(world, version):
    members = [world.join(f"m{i}", version) for i in range(3)]
    plain = world.join("plain", version)
    for one in members:
        one.subscribe("$share/g/a/#", qos=1)
        one.take()
    plain.subscribe("a/#")
    plain.take()
    for i in range(9):
        publish(world, f"a/{i}")
    got = [len(one.messages()) for one in members]
    assert got == [3, 3, 3]
    assert len(plain.messages()) == 9


def test_each_group_gets_each_message(world):
    one, two = world.join("one"), world.join("two")
    one.subscribe("$share/g/a", "$share/h/a")
    two.subscribe("$share/g/a")
    for _ in range(4):
        publish(world, "a")
    assert len(one.messages()) + len(two.messages()) == 8


def test_members_of_a_group_have_their_own_qos_and_identifier(world):
    low, high = world.join("low"), world.join("high")
    low.subscribe("$share/g/a", qos=0, identifier=5)
    high.subscribe("$share/g/a", qos=2, identifier=6)
    for _ in range(2):
        publish(world, "a", qos=1)
    for peer, qos, identifier in ((low, 0, 5), (high, 1, 6)):
        (got,) = peer.take(p.Publish)
        assert (got.qos, got.properties.subscription_identifiers) == (qos, (identifier,))


def test_a_group_prefers_members_that_can_take_the_message(world):
    gone = world.join("gone", clean=False, session_expiry=100)
    busy = world.join("busy", receive_maximum=1)
    free = world.join("free")
    for one in (gone, busy, free):
        one.subscribe("$share/g/a", qos=1)
        one.take()
    gone.drop()
    for _ in range(6):
        publish(world, "a", qos=1)
    assert len(busy.messages()) == 1
    assert len(free.messages()) == 5


def test_a_message_given_to_a_member_stays_with_it(world):
    first = world.join("first", clean=False, session_expiry=100)
    first.subscribe("$share/g/a", qos=2)
    first.take()
    publish(world, "a", b"1", qos=2)
    first.drop()
    second = world.join("second")
    second.subscribe("$share/g/a", qos=2)
    assert second.messages() == []
    again = world.join("first", clean=False, session_expiry=100)
    assert again.messages() == [("a", b"1")]
    again.drop()
    world.advance(200)
    assert second.messages() == []  # the session ended: nobody else gets it
    publish(world, "a", b"2", qos=2)
    assert second.messages() == [("a", b"2")]


def test_a_refused_shared_message_goes_to_nobody_else(world):
    members = {name: world.join(name) for name in ("one", "two")}
    for one in members.values():
        one.subscribe("$share/g/a", qos=1)
        one.take()
    publish(world, "a", qos=1)
    for one in members.values():
        for got in one.take(p.Publish):
            one.send(p.PublishAnswer(p.PUBACK, got.packet_id, 0x80))
    assert all(one.messages() == [] for one in members.values())


def test_leaving_a_group_leaves_the_messages_to_the_others(world):
    one, two = world.join("one"), world.join("two")
    for peer in (one, two):
        peer.subscribe("$share/g/a")
        peer.take()
    one.send(p.Unsubscribe(3, ("$share/g/a",)))
    assert one.take(p.Unsuback)[0].reasons == (0,)
    for _ in range(3):
        publish(world, "a")
    assert len(two.messages()) == 3
    two.drop()
    publish(world, "a")


def test_a_user_property_on_subscribe_changes_nothing(world):
    peer = world.join("c")
    extra = Properties(user_properties=(("k", "v"),))
    peer.send(p.Subscribe(4, (("a", p.Options(1)),), extra))
    assert peer.take() == [p.Suback(4, (1,))]
