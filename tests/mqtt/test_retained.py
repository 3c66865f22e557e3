"""Retained messages (3.3.1.3)."""

from barograph.mqtt import packets as p
from barograph.mqtt.journal import RetainedRemoved, RetainedSaved
from barograph.mqtt.properties import Properties

V5 = p.V5


def retain(world, topic, payload, qos=0):
    world.broker.publish(topic, payload, world.now, qos=qos, retain=True)
    world.carry_out()


def got(peer):
    return sorted((one.topic, one.payload, one.qos, one.retain) for one in peer.take(p.Publish))


def test_the_last_retained_message_greets_new_subscribers(world, version):
    retain(world, "a/1", b"old", 1)
    retain(world, "a/1", b"new", 2)
    retain(world, "a/2", b"other", 0)
    retain(world, "b", b"not asked for", 0)
    peer = world.join("c", version)
    peer.subscribe("a/#", qos=1)
    assert got(peer) == [("a/1", b"new", 1, True), ("a/2", b"other", 0, True)]


def test_a_client_can_retain(world, version):
    peer = world.join("c", version)
    for _ in range(2):
        peer.publish("a", b"x", qos=1, retain=True)
    later = world.join("d", version)
    later.subscribe("a")
    assert got(later) == [("a", b"x", 0, True)]


def test_an_empty_payload_removes_and_is_passed_on(world, version):
    retain(world, "a", b"x")
    peer = world.join("c", version)
    peer.subscribe("a")
    peer.take()
    retain(world, "a", b"")
    assert got(peer) == [("a", b"", 0, False)]
    later = world.join("d", version)
    later.subscribe("a")
    assert got(later) == []
    assert world.ledger.snapshot.retained == {}


def test_a_message_that_is_not_retained_changes_nothing(world, version):
    retain(world, "a", b"kept")
    peer = world.join("c", version)
    peer.publish("a", b"passing")
    peer.publish("a", b"")
    peer.publish("b", b"passing")
    peer.subscribe("#")
    assert got(peer) == [("a", b"kept", 0, True)]


def test_the_retain_flag_is_cleared_for_standing_subscriptions(world, version):
    peer = world.join("c", version)
    peer.subscribe("a")
    retain(world, "a", b"x")
    assert got(peer) == [("a", b"x", 0, False)]


def test_retain_as_published_keeps_the_flag(world):
    peer = world.join("c")
    peer.subscribe("a", retain_as_published=True)
    retain(world, "a", b"1")
    world.broker.publish("a", b"2", world.now)
    world.carry_out()
    assert got(peer) == [("a", b"1", 0, True), ("a", b"2", 0, False)]


def test_retain_handling_says_when_retained_messages_are_sent(world):
    retain(world, "a", b"x")
    for handling, first, second in ((0, 1, 1), (1, 1, 0), (2, 0, 0)):
        peer = world.join(f"c{handling}")
        peer.subscribe("a", retain_handling=handling)
        assert len(got(peer)) == first
        peer.subscribe("a", retain_handling=handling, qos=1)
        assert len(got(peer)) == second


def test_replacing_a_subscription_sends_retained_messages_again(world, version):
    retain(world, "a", b"x")
    peer = world.join("c", version)
    for _ in range(2):
        peer.subscribe("a")
        assert got(peer) == [("a", b"x", 0, True)]


def test_a_retained_message_carries_the_identifier_and_properties(world):
    said = Properties(content_type="t", user_properties=(("a", "b"),))
    world.join("p").publish("a", b"x", retain=True, properties=said)
    peer = world.join("c")
    peer.subscribe("a", identifier=7)
    (one,) = peer.take(p.Publish)
    assert one.properties == Properties(
        content_type="t", user_properties=(("a", "b"),), subscription_identifiers=(7,)
    )


def test_shared_subscriptions_get_no_retained_messages(world, version):
    retain(world, "a", b"x")
    peer = world.join("c", version)
    peer.subscribe("$share/g/a")
    assert got(peer) == []


def test_dollar_topics_stay_hidden_from_leading_wildcards(world):
    retain(world, "$SYS/a", b"x")
    peer = world.join("c")
    peer.subscribe("#", "+/a")
    assert got(peer) == []
    peer.subscribe("$SYS/#")
    assert got(peer) == [("$SYS/a", b"x", 0, True)]


def test_retained_messages_outlive_their_publisher_and_a_restart(world, version):
    peer = world.join("c", version)
    peer.publish("a", b"x", qos=1, retain=True)
    peer.send(p.Disconnect())
    world.restart()
    later = world.join("d", version)
    later.subscribe("a", qos=1)
    assert got(later) == [("a", b"x", 1, True)]


def test_retained_messages_expire(world):
    peer = world.join("p")
    peer.publish("a", b"x", retain=True, properties=Properties(message_expiry=10))
    peer.publish("b", b"y", retain=True, properties=Properties(message_expiry=100))
    world.advance(4)
    later = world.join("c")
    later.subscribe("#")
    assert sorted(one.properties.message_expiry for one in later.take(p.Publish)) == [6, 96]
    world.restart()
    world.advance(7)
    later = world.join("d")
    later.subscribe("#")
    assert got(later) == [("b", b"y", 0, True)]
    assert list(world.ledger.snapshot.retained) == [b"b"]


def test_a_renewed_message_expires_by_its_new_time(world):
    peer = world.join("p")
    peer.publish("a", b"x", retain=True, properties=Properties(message_expiry=10))
    world.advance(8)
    peer.publish("a", b"y", retain=True, properties=Properties(message_expiry=10))
    world.advance(8)
    later = world.join("c")
    later.subscribe("a")
    assert got(later) == [("a", b"y", 0, True)]
    world.advance(8)
    assert world.ledger.snapshot.retained == {}


def test_retained_messages_are_bounded_in_number(make_world):
    world = make_world(retained_messages_max=2)
    for topic in ("a", "b", "c"):
        retain(world, topic, b"1")
    retain(world, "a", b"2")
    assert world.broker.routing.counters["retained_refused"] == 1
    assert {topic: one.payload for topic, one in world.ledger.snapshot.retained.items()} == {
        b"a": b"2",
        b"b": b"1",
    }
    retain(world, "a", b"")
    retain(world, "c", b"3")
    assert set(world.ledger.snapshot.retained) == {b"b", b"c"}


def test_retained_messages_are_bounded_in_bytes(make_world):
    world = make_world(retained_bytes_max=20)
    peer = world.join("c")
    peer.subscribe("a")
    retain(world, "a", b"x" * 10)
    retain(world, "a", b"x" * 30)  # delivered, not kept, and the old one is no longer the last
    assert len(got(peer)) == 2
    assert world.ledger.snapshot.retained == {}


def test_many_retained_messages_wait_for_the_client_to_take_them(world):
    for i in range(300):
        retain(world, f"a/{i:03d}", b"x", 1)
    peer = world.join("c", receive_maximum=10)
    peer.subscribe("a/#", qos=1)
    seen = []
    while answers := peer.take(p.Publish):
        assert len(answers) <= 10
        seen += [one.topic for one in answers]
        for one in answers:
            peer.send(p.PublishAnswer(p.PUBACK, one.packet_id))
    assert sorted(seen) == [f"a/{i:03d}" for i in range(300)]
    assert world.broker.routing.counters["messages_dropped"] == 0


def test_the_journal_names_each_retained_message(world):
    retain(world, "a", b"1")
    retain(world, "a", b"2")
    retain(world, "a", b"")
    retain(world, "a", b"")
    assert [type(one) for one in world.changes] == [RetainedSaved, RetainedSaved, RetainedRemoved]
