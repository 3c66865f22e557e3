"""Messages of the host's own, and hearing that a client has them."""

import pytest

from barograph.mqtt import packets as p
from barograph.mqtt.properties import Properties


def publish(world, receipt=7, **more):
    world.broker.publish("t", b"x", world.now, receipt=receipt, **more)
    return world.broker.take(world.now)


def received(effects):
    return [(one.receipt, one.principal, one.filters) for one in effects.received]


@pytest.fixture
def collected(world):
    """What was received, as the world carries effects out."""
    found = []
    take = world.broker.take

    def taking(now):
        effects = take(now)
        if effects is not None:
            found.extend(received(effects))
        return effects

    world.broker.take = taking
    return found


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_host_hears_when_a_client_has_its_message(world, version, collected, qos):
    peer = world.join(version=version)
    peer.subscribe("t", "other", qos=qos)
    world.broker.publish("t", b"x", world.now, qos=2, receipt=7)
    world.carry_out()
    (message,) = peer.take(p.Publish)
    if qos:
        assert collected == []
        kind = p.PUBACK if qos == 1 else p.PUBREC
        peer.send(p.PublishAnswer(kind, message.packet_id))
    assert collected == [(7, "user", ("t", "other"))]


def test_a_message_that_a_client_refuses_is_not_received(world, collected):
    peer = world.join()
    peer.subscribe("t", qos=1)
    world.broker.publish("t", b"x", world.now, qos=1, receipt=7)
    world.carry_out()
    peer.send(p.PublishAnswer(p.PUBACK, peer.take(p.Publish)[0].packet_id, 0x80))
    assert collected == []


def test_a_receipt_waits_for_an_absent_client_and_survives_a_restart(world, collected):
    peer = world.join(clean=False, session_expiry=100)
    peer.subscribe("t", qos=1)
    peer.drop()
    world.broker.publish("t", b"x", world.now, qos=1, receipt=7)
    world.carry_out()
    assert collected == []
    world.restart()
    (stored,) = world.ledger.snapshot.sessions.values()
    assert [one.message.receipt for one in stored.deliveries.values()] == [7]
    again = world.join(clean=False, session_expiry=100)
    take, found = world.broker.take, []
    world.broker.take = lambda now: (
        (effects := take(now)) and (found.extend(received(effects)) or effects)
    )
    again.send(p.PublishAnswer(p.PUBACK, again.take(p.Publish)[0].packet_id))
    assert found == [(7, "user", ("t",))]


def test_publishing_to_one_session_does_not_repeat_what_it_holds(world):
    one, other = world.join("one"), world.join("other")
    for peer in (one, other):
        peer.subscribe("t", qos=1)
    for _ in range(2):
        world.broker.publish_to(
            ("user", "one"), "t", b"x", world.now, qos=1, properties=None, receipt=7
        )
        world.carry_out()
    assert [message.payload for message in one.take(p.Publish)] == [b"x"]
    assert other.take(p.Publish) == []
    for session, topic in ((("user", "nobody"), "t"), (("user", "one"), "unsubscribed")):
        world.broker.publish_to(session, topic, b"x", world.now, qos=1, properties=None, receipt=8)
    world.carry_out()
    assert one.take(p.Publish) == []


def test_what_a_session_was_given_on_coming_is_not_published_to_it_again(world):
    one, other = world.join("one"), world.join("other")
    for peer in (one, other):
        peer.subscribe("t", qos=1)
    world.broker.publish_to(
        ("user", "one"), "t", b"x", world.now, qos=1, properties=None, receipt=7
    )
    world.broker.publish("t", b"x", world.now, qos=1, receipt=7)
    world.carry_out()
    assert [message.payload for message in one.take(p.Publish)] == [b"x"]
    assert [message.payload for message in other.take(p.Publish)] == [b"x"]


def test_the_properties_of_the_hosts_message_reach_the_client(world):
    peer = world.join()
    peer.subscribe("t", qos=1)
    properties = Properties(message_expiry=60, response_topic="r", correlation_data=b"7")
    world.broker.publish("t", b"x", world.now, qos=1, properties=properties)
    world.carry_out()
    assert peer.take(p.Publish)[0].properties == properties


def test_the_host_hears_who_begins_to_listen(world):
    heard = []
    take = world.broker.take
    world.broker.take = lambda now: (
        (effects := take(now)) and (heard.extend(effects.listening) or effects)
    )
    peer = world.join(clean=False, session_expiry=100)
    assert heard == []
    peer.subscribe("a", "b")
    assert heard == [("user", "c")]
    assert world.broker.filters(heard[0]) == ("a", "b")
    assert world.broker.filters(("user", "nobody")) == ()
    peer.drop()
    again = world.join(clean=False, session_expiry=100)
    assert heard == [("user", "c")] * 2
    assert world.broker.link(heard[0]) is again.connection
    assert world.broker.counts() == (1, 2, 0)


def test_a_message_that_waits_for_an_absent_client_is_withdrawn(world, version):
    absent = {"client_id": "c", "version": version, "clean": False}
    if version == p.V5:
        absent["session_expiry"] = 600
    peer = world.join(**absent)
    peer.subscribe("t", qos=1)
    peer.drop()
    for receipt in (7, 8, 9):
        world.broker.publish("t", b"%d" % receipt, world.now, qos=1, receipt=receipt)
    world.broker.withdraw(8)
    world.carry_out()
    world.restart()
    assert world.join(**absent).messages() == [("t", b"7"), ("t", b"9")]


def test_a_message_on_its_way_is_not_withdrawn(world, version):
    peer = world.join(version=version)
    peer.subscribe("t", qos=1)
    world.broker.publish("t", b"x", world.now, qos=1, receipt=7)
    world.carry_out()
    world.broker.withdraw(7)
    (message,) = peer.take(p.Publish)
    peer.send(p.PublishAnswer(p.PUBACK, message.packet_id))
    assert not peer.closed
