"""What is remembered of refused messages, and of which devices are there."""

from barograph.services import refusals
from barograph.services.presence import Presence, Presences
from barograph.services.refusals import Refusals


def test_the_newest_refusals_of_a_device_are_kept(clock):
    kept = Refusals(clock)
    for i in range(refusals.DEVICE_REFUSALS_MAX + 5):
        kept.keep(1, f"devices/a/{i}", b"x" * 1000, "wrong")
    found = kept.of(1)
    assert [one.topic for one in found] == [
        f"devices/a/{i}" for i in range(refusals.DEVICE_REFUSALS_MAX + 4, 4, -1)
    ]
    assert found[0].payload == b"x" * refusals.EXCERPT_BYTES_MAX
    assert found[0].size == 1000
    assert found[0].time == clock.now
    assert kept.of(2) == []


def test_refusals_of_few_devices_are_kept(clock):
    kept = Refusals(clock)
    for device in range(1, refusals.DEVICES_MAX + 1):
        kept.keep(device, "t", b"", "wrong")
    kept.keep(1, "t", b"", "wrong")
    kept.keep(0, "t", b"", "wrong")
    assert len(kept.of(1)) == 2
    assert kept.of(2) == []
    assert len(kept.of(3)) == len(kept.of(0)) == 1


def test_a_device_is_there_while_any_connection_stands_for_it(clock):
    presences = Presences(clock)
    assert presences.of(7) is None
    presences.opened(7)
    came = clock.now
    clock.now += 5
    presences.opened(7)
    assert presences.of(7) == Presence("online", came)
    presences.closed(7, "one of two")
    assert presences.of(7) == Presence("online", came)
    clock.now += 5
    presences.closed(7, "the network failed")
    assert presences.of(7) == Presence("offline", clock.now, "the network failed")
    presences.opened(7)
    assert presences.of(7) == Presence("online", clock.now)
