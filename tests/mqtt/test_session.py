"""Sessions: how long they last, what waits in them, what is sent again (4.1, 4.4, 4.5, 4.9)."""

import pytest

from barograph.mqtt import Reason
from barograph.mqtt import packets as p
from barograph.mqtt.journal import SessionEnded
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5
NEVER = 0xFFFF_FFFF


def keeping(world, version, client_id="c", **more):
    """A client whose session outlives its connection."""
    if version == V5:
        more.setdefault("session_expiry", 1000)
    return world.join(client_id, version, clean=False, **more)


def publish(world, *payloads, qos=1, topic="a"):
    for one in payloads:
        world.broker.publish(topic, one, world.now, qos=qos)
    world.carry_out()


def texts(peer):
    return [one.payload for one in peer.take(p.Publish)]


def subscribed(world, version, **more):
    peer = keeping(world, version, **more)
    peer.subscribe("a", qos=2)
    peer.take()
    return peer


def test_messages_wait_for_an_absent_client(world, version):
    subscribed(world, version).drop()
    publish(world, b"1", b"2", qos=1)
    publish(world, b"3", qos=2)
    publish(world, b"not owed", qos=0)
    again = keeping(world, version)
    assert again.connack.session_present
    assert texts(again) == [b"1", b"2", b"3"]


def test_a_clean_start_forgets_the_session(world, version):
    subscribed(world, version).drop()
    publish(world, b"1")
    again = world.join("c", version, clean=True)
    assert not again.connack.session_present
    publish(world, b"2")
    assert texts(again) == []


def test_a_session_without_expiry_ends_with_its_connection(world, version):
    peer = world.join("c", version, clean=True)
    peer.subscribe("a", qos=1)
    peer.drop()
    assert len(world.broker) == 0
    assert not keeping(world, version).connack.session_present


def test_a_5_0_session_without_expiry_interval_ends_with_its_connection(world):
    world.join("c", clean=False).drop()
    assert not world.join("c", clean=False).connack.session_present


def test_a_session_ends_when_its_time_is_over(world):
    subscribed(world, V5, session_expiry=10).drop()
    world.advance(9.9)
    assert len(world.broker) == 1
    world.advance(0.2)
    assert len(world.broker) == 0
    assert isinstance(world.changes[-1], SessionEnded)
    assert not world.join("c", clean=False).connack.session_present


def test_a_session_lasts_while_its_connection_does(world):
    peer = subscribed(world, V5, session_expiry=10)
    world.advance(1000)
    publish(world, b"1")
    assert texts(peer) == [b"1"]


def test_a_new_connection_stops_the_clock_of_the_session(world):
    subscribed(world, V5, session_expiry=10).drop()
    world.advance(8)
    again = keeping(world, V5, session_expiry=10)
    world.advance(8)
    again.drop()
    world.advance(8)
    assert len(world.broker) == 1
    world.advance(3)
    assert len(world.broker) == 0


def test_the_longest_expiry_is_ours_and_is_told(make_world):
    world = make_world(session_expiry_seconds_max=50)
    for asked in (51, NEVER):
        assert world.join("c", session_expiry=asked).connack.properties.session_expiry == 50
    assert world.join("c", session_expiry=50).connack.properties.session_expiry is None
    world.join("d", V3, clean=False).drop()
    world.advance(51)
    assert len(world.broker) == 1  # only the connected one


def test_disconnect_can_change_the_expiry(world):
    peer = keeping(world, V5, session_expiry=10)
    peer.send(p.Disconnect(0, Properties(session_expiry=100)))
    world.advance(50)
    assert len(world.broker) == 1
    again = keeping(world, V5, session_expiry=10)
    again.send(p.Disconnect(0, Properties(session_expiry=0)))
    assert len(world.broker) == 0
    assert world.ledger.snapshot.sessions == {}


def test_disconnect_cannot_give_an_expiry_to_a_session_without(world):
    peer = world.join("c")
    peer.send(p.Disconnect(0, Properties(session_expiry=10)))
    assert peer.take(p.Disconnect)[0].reason == Reason.PROTOCOL_ERROR


def test_what_was_not_acknowledged_is_sent_again_in_order_with_dup(world, version):
    peer = subscribed(world, version)
    publish(world, b"1", qos=1)
    publish(world, b"2", qos=2)
    publish(world, b"3", qos=1)
    first = peer.take(p.Publish)
    peer.send(p.PublishAnswer(p.PUBACK, first[0].packet_id))
    peer.drop()
    publish(world, b"4")
    again = keeping(world, version).take(p.Publish)
    assert [(one.payload, one.dup) for one in again] == [
        (b"2", True),
        (b"3", True),
        (b"4", False),
    ]
    assert [one.packet_id for one in again[:2]] == [one.packet_id for one in first[1:]]


def test_what_was_released_is_released_again_in_order_and_never_published_again(world, version):
    peer = subscribed(world, version)
    publish(world, b"1", b"2", b"3", qos=2)
    first, second, third = (one.packet_id for one in peer.take(p.Publish))
    peer.send(p.PublishAnswer(p.PUBREC, third), p.PublishAnswer(p.PUBREC, first))
    peer.drop()
    for _ in range(2):
        again = keeping(world, version)
        releases = [one.packet_id for one in again.take() if isinstance(one, p.PublishAnswer)]
        assert releases == [third, first]
        again.drop()
    world.restart()
    again = keeping(world, version)
    got = again.take()
    assert [one.packet_id for one in got if isinstance(one, p.PublishAnswer)] == [third, first]
    assert [one.packet_id for one in got if isinstance(one, p.Publish)] == [second]
    again.send(*(p.PublishAnswer(p.PUBCOMP, one) for one in (first, third)))
    assert list(world.ledger.snapshot.sessions["user", "c"].deliveries) == [2]


def test_nothing_is_sent_again_on_the_same_connection(world, version):
    peer = subscribed(world, version)
    publish(world, b"1", qos=2)
    peer.take()
    world.advance(10_000)
    peer.send(p.Pingreq())
    assert peer.take() == [p.Pingresp()]


def test_the_receive_maximum_of_the_client_is_kept(world):
    peer = subscribed(world, V5, receive_maximum=2)
    publish(world, b"1", qos=1)
    publish(world, b"2", b"3", b"4", qos=2)
    publish(world, b"plain", qos=0)
    peer.send(p.Pingreq())
    got = peer.take()
    assert [one.payload for one in got if isinstance(one, p.Publish)] == [b"1", b"2", b"plain"]
    assert got[-1] == p.Pingresp()
    peer.send(p.PublishAnswer(p.PUBREC, got[1].packet_id))
    assert texts(peer) == []  # QoS 2 counts until PUBCOMP
    peer.send(p.PublishAnswer(p.PUBCOMP, got[1].packet_id))
    assert texts(peer) == [b"3"]
    peer.send(p.PublishAnswer(p.PUBACK, got[0].packet_id))
    assert texts(peer) == [b"4"]


def test_messages_sent_again_keep_to_the_new_receive_maximum(world):
    peer = subscribed(world, V5, receive_maximum=3)
    publish(world, b"1", b"2", b"3")
    assert len(texts(peer)) == 3
    peer.drop()
    again = keeping(world, V5, receive_maximum=1)
    seen = []
    while got := again.take(p.Publish):
        (one,) = got
        seen.append((one.payload, one.dup))
        again.send(p.PublishAnswer(p.PUBACK, one.packet_id))
    assert seen == [(b"1", True), (b"2", True), (b"3", True)]


def test_completing_a_release_sent_again_does_not_lift_the_quota(world):
    peer = subscribed(world, V5, receive_maximum=2)
    publish(world, b"1", b"2", qos=2)
    ids = [one.packet_id for one in peer.take(p.Publish)]
    peer.send(*(p.PublishAnswer(p.PUBREC, one) for one in ids))
    peer.drop()
    again = keeping(world, V5, receive_maximum=2)
    again.send(*(p.PublishAnswer(p.PUBCOMP, one) for one in ids))
    publish(world, b"3", b"4", b"5")
    assert texts(again) == [b"3", b"4"]


def test_our_own_inflight_limit_holds_for_both_versions(make_world, version):
    world = make_world(inflight_max=3)
    peer = subscribed(world, version)
    publish(world, *(b"%d" % i for i in range(5)))
    got = peer.take(p.Publish)
    assert len(got) == 3
    peer.send(p.PublishAnswer(p.PUBACK, got[0].packet_id))
    assert texts(peer) == [b"3"]


def test_the_queue_is_bounded_in_messages(make_world, version):
    world = make_world(queued_messages_max=5, inflight_max=5)
    subscribed(world, version).drop()
    publish(world, *(b"%d" % i for i in range(8)))
    assert world.broker.routing.counters["messages_dropped"] == 3
    assert texts(keeping(world, version)) == [b"%d" % i for i in range(5)]


def test_the_queue_is_bounded_in_bytes_and_freed_again(make_world, version):
    world = make_world(queued_bytes_max=30)
    subscribed(world, version).drop()
    publish(world, b"x" * 13, b"y" * 13, b"z" * 13)
    again = keeping(world, version)
    got = again.take(p.Publish)
    assert [one.payload[:1] for one in got] == [b"x", b"y"]
    again.send(*(p.PublishAnswer(p.PUBACK, one.packet_id) for one in got))
    publish(world, b"z" * 13)
    assert len(texts(again)) == 1


def test_a_message_whose_time_is_over_is_not_delivered(world):
    subscribed(world, V5).drop()
    sender = world.join("s")
    sender.publish("a", b"short", 1, properties=Properties(message_expiry=5))
    sender.publish("a", b"long", 1, properties=Properties(message_expiry=50))
    world.advance(6)
    again = keeping(world, V5)
    assert texts(again) == [b"long"]
    assert len(world.ledger.snapshot.sessions["user", "c"].deliveries) == 1


def test_a_message_once_sent_is_carried_through_though_its_time_is_over(world):
    peer = subscribed(world, V5)
    sender = world.join("s")
    sender.publish("a", b"1", 2, properties=Properties(message_expiry=5))
    assert texts(peer) == [b"1"]
    peer.drop()
    world.advance(60)
    (got,) = keeping(world, V5).take(p.Publish)
    assert (got.payload, got.dup, got.properties.message_expiry) == (b"1", True, 0)


def test_a_message_too_large_for_the_client_counts_as_delivered(world):
    peer = subscribed(world, V5, maximum_packet_size=60, receive_maximum=1)
    publish(world, b"x" * 100, qos=1)
    publish(world, b"x" * 100, qos=0)
    publish(world, b"fits", qos=1)
    assert texts(peer) == [b"fits"]
    assert len(world.ledger.snapshot.sessions["user", "c"].deliveries) == 1


def test_a_slow_client_gets_no_qos_0_and_later_the_rest(world, version):
    peer = subscribed(world, version)
    peer.connection.pause()
    publish(world, b"lost", qos=0)
    publish(world, b"1", b"2", qos=1)
    peer.send(p.Pingreq())
    assert peer.take() == [p.Pingresp()]
    assert world.broker.routing.counters["messages_dropped"] == 1
    peer.connection.resume(world.now)
    world.carry_out()
    publish(world, b"3", qos=0)
    assert texts(peer) == [b"1", b"2", b"3"]


def test_the_session_of_a_principal_that_is_no_more_ends(world, version):
    will = p.Will("w", b"", 0, False)
    peer = keeping(world, version, principal="device:1", will=will)
    keeping(world, version, client_id="away", principal="device:1").drop()
    other = keeping(world, version, principal="device:2")
    assert world.broker.connections("device:1") == [peer.connection]
    world.broker.end_sessions("device:1", world.now)
    world.carry_out()
    assert peer.closed
    assert not other.closed
    assert set(world.ledger.snapshot.sessions) == {("device:2", "c")}
    assert world.wills == []


@pytest.mark.parametrize("restart", [False, True])
def test_the_identifiers_of_taken_qos_2_messages_are_remembered(world, version, restart):
    peer = keeping(world, version)
    peer.publish("a", b"1", qos=2, packet_id=9)
    peer.drop()
    if restart:
        world.restart()
    again = keeping(world, version)
    again.publish("a", b"1", qos=2, packet_id=9, dup=True)
    assert again.take() == [p.PublishAnswer(p.PUBREC, 9)]
    assert len(world.taken) == 1
    again.send(p.PublishAnswer(p.PUBREL, 9))
    assert again.take() == [p.PublishAnswer(p.PUBCOMP, 9)]
    assert world.ledger.snapshot.sessions["user", "c"].receipts == set()


def test_sessions_subscriptions_and_queues_survive_a_restart(world, version):
    peer = subscribed(world, version)
    peer.subscribe("b/+", "gone", qos=1)
    peer.send(p.Unsubscribe(1, ("gone",)))
    publish(world, b"1", b"2")
    first = peer.take(p.Publish)
    peer.send(p.PublishAnswer(p.PUBACK, first[0].packet_id))
    peer.drop()
    publish(world, b"3")
    world.restart()
    publish(world, b"4", topic="b/x")
    publish(world, b"no", topic="gone")
    again = keeping(world, version)
    assert again.connack.session_present
    got = again.take(p.Publish)
    assert [(one.payload, one.dup) for one in got] == [
        (b"2", True),
        (b"3", False),
        (b"4", False),
    ]
    assert got[0].packet_id == first[1].packet_id
    assert len({one.packet_id for one in got}) == 3


def test_subscription_options_survive_a_restart(world):
    peer = keeping(world, V5)
    peer.subscribe("a", qos=1, identifier=9, no_local=True, retain_as_published=True)
    world.restart()
    again = keeping(world, V5)
    again.publish("a", b"own")
    world.broker.publish("a", b"x", world.now, retain=True)
    world.carry_out()
    (got,) = again.take(p.Publish)
    assert (got.retain, got.properties.subscription_identifiers) == (True, (9,))


def test_sessions_that_expired_while_the_server_was_down_are_gone(world):
    subscribed(world, V5, session_expiry=10).drop()
    subscribed(world, V5, client_id="d", session_expiry=100).drop()
    world.now += 50
    world.restart()
    assert set(world.ledger.snapshot.sessions) == {("user", "d")}
    world.advance(60)
    assert world.ledger.snapshot.sessions == {}


def test_connections_open_at_a_crash_count_as_lost_at_the_start(world):
    subscribed(world, V5, session_expiry=10)
    world.now += 500
    world.restart()
    assert len(world.broker) == 1
    world.advance(11)
    assert len(world.broker) == 0


def test_qos_0_to_connected_subscribers_touches_no_storage(world, version):
    peer = subscribed(world, version)
    world.changes.clear()
    publish(world, b"1", b"2", qos=0)
    assert texts(peer) == [b"1", b"2"]
    assert world.changes == []


def test_sessions_that_end_with_their_connection_touch_no_storage(world, version):
    peer = world.join("c", version)
    peer.subscribe("a", qos=2)
    publish(world, b"1", qos=2)
    peer.publish("a", b"x", qos=2, packet_id=3)
    peer.send(p.PublishAnswer(p.PUBREL, 3))
    peer.drop()
    assert world.changes == []
