"""Wills (3.1.2.5, 3.1.3.2, 3.14.4)."""

import pytest

from barograph.mqtt import Reason
from barograph.mqtt import packets as p
from barograph.mqtt.properties import Properties

V3, V5 = p.V3, p.V5
WILL = p.Will("w", b"gone", 1, False)


def watching(world):
    peer = world.join("watcher")
    peer.subscribe("#", qos=2, retain_as_published=True)
    peer.take()
    return peer


def with_delay(seconds):
    return p.Will("w", b"gone", 0, False, Properties(will_delay=seconds))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_lost_connection_publishes_the_will(world, version, qos):
    watcher = watching(world)
    world.join("c", version, will=p.Will("w", b"gone", qos, False)).drop()
    (got,) = watcher.take(p.Publish)
    assert (got.topic, got.payload, got.qos, got.retain) == ("w", b"gone", qos, False)


def test_the_host_hears_of_a_published_will(world, version):
    world.join("c", version, will=WILL, principal="device:1").drop()
    assert world.wills == [("device:1", (b"w", b"gone", 2, 0, None))]


def test_a_will_whose_topic_is_no_longer_its_clients_is_not_published(world, version):
    watcher = watching(world)
    peer = world.join("c", version, will=WILL, principal="device:1")
    world.rights.denied.add(("publish", "device:1", "w"))
    peer.drop()
    assert watcher.messages() == []
    assert world.wills == []


def test_a_retained_will_is_retained(world, version):
    world.join("c", version, will=p.Will("w", b"gone", 1, True)).drop()
    later = world.join("d")
    later.subscribe("w")
    assert [(one.payload, one.retain) for one in later.take(p.Publish)] == [(b"gone", True)]


def test_a_will_that_is_not_retained_is_not(world, version):
    world.join("c", version, will=WILL).drop()
    later = world.join("d")
    later.subscribe("w")
    assert later.take(p.Publish) == []


def test_a_normal_disconnect_drops_the_will(world, version):
    watcher = watching(world)
    peer = world.join("c", version, will=WILL)
    peer.send(p.Disconnect())
    world.advance(1000)
    assert watcher.messages() == []


def test_disconnect_with_will_publishes_it(world):
    watcher = watching(world)
    world.join("c", will=WILL).send(p.Disconnect(Reason.DISCONNECT_WITH_WILL))
    assert watcher.messages() == [("w", b"gone")]


def test_a_client_in_error_has_its_will_published(world, version):
    watcher = watching(world)
    world.join("c", version, will=WILL).send_bytes(b"\x00\x00")
    assert watcher.messages() == [("w", b"gone")]


def test_a_silent_client_has_its_will_published(world, version):
    watcher = watching(world)
    world.join("c", version, will=WILL, keep_alive=10)
    world.advance(16)
    assert watcher.messages() == [("w", b"gone")]


def test_without_will_nothing_is_published(world, version):
    watcher = watching(world)
    world.join("c", version).drop()
    assert watcher.messages() == []
    assert world.wills == []


def test_a_refused_connect_leaves_no_will(world, version):
    watcher = watching(world)
    peer = world.peer(version)
    peer.automatic = False
    peer.send(p.Connect(version, "c", True, 0, will=WILL))
    peer.refuse(Reason.NOT_AUTHORIZED)
    assert watcher.messages() == []


def test_a_will_without_the_right_to_its_topic_is_refused(world, version):
    world.rights.denied.add(("publish", "user", "w"))
    peer = world.join("c", version, will=WILL)
    assert peer.connack.reason == (5 if version == V3 else Reason.NOT_AUTHORIZED)
    assert peer.closed
    assert len(world.broker) == 0


def test_a_will_topic_with_wildcards_is_refused(world):
    peer = world.join("c", will=p.Will("w/#", b"", 0, False))
    assert peer.connack.reason == Reason.TOPIC_NAME_INVALID


def test_the_delay_of_a_will_is_waited_for(world):
    watcher = watching(world)
    world.join("c", clean=False, session_expiry=100, will=with_delay(10)).drop()
    world.advance(9)
    assert watcher.messages() == []
    world.advance(2)
    assert watcher.messages() == [("w", b"gone")]
    world.advance(1000)
    assert watcher.messages() == []


def test_a_will_is_published_when_the_session_ends_before_its_delay(world):
    watcher = watching(world)
    world.join("c", session_expiry=5, will=with_delay(10)).drop()
    world.advance(6)
    assert watcher.messages() == [("w", b"gone")]
    world.join("d", will=with_delay(10)).drop()  # its session ends at once
    assert watcher.messages() == [("w", b"gone")]


def test_a_new_connection_within_the_delay_withdraws_the_will(world):
    watcher = watching(world)
    world.join("c", clean=False, session_expiry=100, will=with_delay(10)).drop()
    world.advance(5)
    again = world.join("c", clean=False, session_expiry=100)
    again.drop()
    world.advance(50)
    assert watcher.messages() == []


def test_a_clean_start_within_the_delay_publishes_the_will_as_the_session_ends(world):
    watcher = watching(world)
    world.join("c", clean=False, session_expiry=100, will=with_delay(10)).drop()
    world.join("c", clean=True)
    assert watcher.messages() == [("w", b"gone")]


def test_a_take_over_publishes_a_will_without_delay_and_withdraws_one_with(world):
    watcher = watching(world)
    world.join("c", clean=False, session_expiry=100, will=with_delay(0))
    world.join("c", clean=False, session_expiry=100, will=with_delay(10))
    assert watcher.messages() == [("w", b"gone")]
    world.join("c", clean=False, session_expiry=100)
    world.advance(50)
    assert watcher.messages() == []


def test_the_properties_of_a_will_go_with_it(world):
    watcher = watching(world)
    said = Properties(
        payload_format=1,
        message_expiry=30,
        content_type="t",
        response_topic="r",
        correlation_data=b"c",
        user_properties=(("b", "1"), ("a", "2"), ("b", "3")),
    )
    world.join("c", will=p.Will("w", b"gone", 1, False, said)).drop()
    assert [one.properties for one in watcher.take(p.Publish)] == [said]


def test_wills_survive_a_restart(world, version):
    world.join("c", version, will=p.Will("w/now", b"1", 1, True))
    world.join("d", clean=False, session_expiry=100, will=with_delay(10)).drop()
    world.restart()
    watcher = watching(world)
    assert watcher.messages() == []
    assert [one[1][0] for one in world.wills] == [b"w/now"]
    world.advance(11)
    assert watcher.messages() == [("w", b"gone")]


def test_a_shutdown_keeps_wills_for_the_next_start(world):
    world.join("c", clean=False, session_expiry=100, will=with_delay(10))
    world.broker.shut_down(world.now)
    world.carry_out()
    assert world.wills == []
    world.restart()
    world.join("c", clean=False, session_expiry=100)  # back in time
    world.advance(50)
    assert world.wills == []


def test_a_published_will_is_forgotten(world):
    watcher = watching(world)
    world.join("c", clean=False, session_expiry=100, will=WILL).drop()
    assert world.ledger.snapshot.sessions["user", "c"].will is None
    world.restart()
    world.advance(1000)
    assert watcher.messages() == [("w", b"gone")]
    assert len(world.wills) == 1
