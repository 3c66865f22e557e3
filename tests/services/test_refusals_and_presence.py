"""What is remembered of refused messages, and of which devices are there."""

import pytest

from barograph.domain.errors import Unavailable
from barograph.domain.presence import Presence
from barograph.services import refusals
from barograph.services.presence import Presences, SharedPresences
from barograph.services.refusals import Refusals


class Nothing:
    """A store of refused messages that is empty, or away."""

    def __init__(self):
        self.away = False
        self.given = []

    def keep(self, refused, most):
        if self.away:
            raise Unavailable("away")
        self.given += refused

    def of(self, device_id, limit):
        return []


def test_the_newest_refusals_of_a_device_are_kept(clock):
    kept = Refusals(clock, Nothing())
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
    kept = Refusals(clock, Nothing())
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


def test_refusals_are_there_for_another_process_and_after_a_restart(core, clock, fleet):
    device = fleet.device("pump")
    here, there = core.refusals, Refusals(clock, core.catalog.refused)
    for n in range(refusals.DEVICE_REFUSALS_MAX + 3):
        here.keep(device.id, f"devices/pump/{n}", b"\x00\xff" * 200, "what\0ever \udcff")
        if n % 7 == 0:
            here.write()
    shown = here.of(device.id)
    assert [one.topic for one in shown] == [
        f"devices/pump/{n}" for n in range(refusals.DEVICE_REFUSALS_MAX + 2, 2, -1)
    ]
    here.write()
    assert there.of(device.id) == here.of(device.id) == shown
    assert shown[0].payload == (b"\x00\xff" * 200)[: refusals.EXCERPT_BYTES_MAX]
    assert (shown[0].size, shown[0].message) == (400, "what\ufffdever ?")


def test_refusals_wait_while_the_catalog_is_away(clock):
    store = Nothing()
    kept = Refusals(clock, store)
    kept.keep(1, "a", b"", "wrong")
    store.away = True
    with pytest.raises(Unavailable):
        kept.write()
    kept.keep(1, "b", b"", "wrong")
    kept.keep(2, "c", b"", "wrong")
    store.away = False
    kept.write()
    assert [one.topic for one in store.given] == ["a", "b", "c"]
    kept.write()
    assert len(store.given) == 3


def test_what_is_refused_of_a_device_that_is_gone_is_forgotten(core, fleet):
    device, other = fleet.device("pump"), fleet.device("fan")
    for one in (device, other):
        core.refusals.keep(one.id, "t", b"", "wrong")
    core.catalog.devices.delete(device.id)
    core.refusals.write()
    assert core.refusals.of(device.id) == []
    assert len(core.refusals.of(other.id)) == 1
    assert core.catalog.refused.expire(core.clock() + 1) == 1
    assert core.refusals.of(other.id) == []


def test_processes_tell_each_other_who_is_connected(core, clock, fleet):
    pump, fan, gone = (fleet.device(name).id for name in ("pump", "fan", "gone"))
    first = SharedPresences(clock, core.catalog.presences, "here")
    second = SharedPresences(clock, core.catalog.presences, "here")
    for one in (pump, fan, gone):
        first.opened(one)
    core.catalog.devices.delete(gone)
    came = clock.now
    first.exchange()
    second.exchange()
    assert second.of(pump) == second.of(fan) == Presence("online", came)
    assert second.of(gone) is None
    clock.now += 5
    first.closed(pump, "the network failed")
    first.exchange()
    second.exchange()
    assert second.of(pump) == first.of(pump) == Presence("offline", clock.now, "the network failed")

    # The first one is killed and started again; another machine's devices stay connected.
    elsewhere = SharedPresences(clock, core.catalog.presences, "elsewhere")
    elsewhere.opened(pump)
    elsewhere.exchange()
    clock.now += 5
    again = SharedPresences(clock, core.catalog.presences, "here")
    again.began()
    again.exchange()
    second.exchange()
    for one in (again, second):
        assert one.of(fan) == Presence("offline", clock.now, "the server was started again")
        assert one.of(pump).status == "online"


def test_who_is_connected_is_told_once_the_catalog_is_back(core, clock, fleet):
    class Away:
        def tell(self, server, found):
            raise Unavailable("away")

    pump = fleet.device("pump").id
    first = SharedPresences(clock, core.catalog.presences, "here")
    feed, first._feed = first._feed, Away()
    first.opened(pump)
    with pytest.raises(Unavailable):
        first.exchange()
    first._feed = feed
    first.exchange()
    second = SharedPresences(clock, core.catalog.presences, "here")
    second.exchange()
    assert second.of(pump).status == "online"
