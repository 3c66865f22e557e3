"""What devices sent wrongly and which are connected, on every database."""

import pytest

from barograph.domain.presence import Presence
from barograph.domain.refusal import Refusal


@pytest.fixture
def device(catalog):
    return catalog.devices.create("pump", "Pump", None, None, {}, 1)


@pytest.fixture
def other(catalog):
    return catalog.devices.create("fan", "Fan", None, None, {}, 1)


def refusal(device, n):
    return Refusal(device.id, 100 + n, f"devices/ü/{n}", "no JSON \N{SNOWMAN}", b"\0\xff{", 7)


def test_the_newest_refused_messages_of_each_device_are_kept(catalog, device, other):
    mine = [refusal(device, n) for n in range(7)]
    theirs = refusal(other, 0)
    catalog.refused.keep([*mine[:3], theirs], 5)
    catalog.refused.keep(mine[3:], 5)
    assert list(catalog.refused.of(device.id, 9)) == mine[:1:-1]
    assert list(catalog.refused.of(device.id, 2)) == mine[:4:-1]
    assert list(catalog.refused.of(other.id, 9)) == [theirs]
    assert catalog.refused.expire(104) == 3
    assert list(catalog.refused.of(device.id, 9)) == mine[:3:-1]


def test_refused_messages_go_with_their_device(catalog, device, other):
    catalog.refused.keep([refusal(device, 1)], 5)
    catalog.devices.delete(device.id)
    catalog.refused.keep([refusal(device, 2), refusal(other, 3)], 5)
    assert list(catalog.refused.of(device.id, 9)) == []
    assert list(catalog.refused.of(other.id, 9)) == [refusal(other, 3)]


def test_presences_are_told_once_each_and_the_last_counts(catalog, device, other):
    feed = catalog.presences
    there, gone = Presence("online", 5), Presence("offline", 9, "the network failed \N{SNOWMAN}")
    feed.tell("a", {device.id: there, other.id: there})
    found, number = feed.since(0)
    assert found == {device.id: there, other.id: there}
    assert feed.since(number) == ({}, number)
    feed.tell("a", {device.id: gone})
    feed.tell("a", {})
    found, later = feed.since(number)
    assert (found, feed.since(0)[0]) == ({device.id: gone}, {device.id: gone, other.id: there})
    assert later > number


def test_what_was_connected_to_a_server_is_lost_with_it(catalog, device, other):
    feed = catalog.presences
    feed.tell("a", {device.id: Presence("online", 5)})
    feed.tell("b", {other.id: Presence("online", 5)})
    _, number = feed.since(0)
    feed.lost("a", 7, "started again")
    assert feed.since(number)[0] == {device.id: Presence("offline", 7, "started again")}


def test_presences_of_devices_that_are_gone_are_left_out(catalog, device, other):
    catalog.presences.tell("a", {device.id: Presence("online", 5)})
    catalog.devices.delete(device.id)
    there = Presence("online", 6)
    catalog.presences.tell("a", {device.id: there, other.id: there})
    assert catalog.presences.since(0)[0] == {other.id: there}
