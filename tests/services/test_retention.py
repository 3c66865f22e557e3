"""How long readings are kept, and who says so."""

import pytest

from barograph.domain.errors import Forbidden, InvalidInput
from barograph.domain.time import DAY, HOUR
from barograph.domain.user import OPERATOR
from barograph.services.retention import RetentionService


@pytest.fixture
def retain(core):
    """Makes the service as a process does whose configuration says so."""

    def make(configured=0):
        return RetentionService(
            core.catalog,
            core.registry,
            core.store,
            core.latest,
            core.clock,
            core.accounts.audit,
            configured,
        )

    return make


@pytest.fixture
def kept(core, fleet):
    """A device with a number and a text each day for ten days, and what is left of them."""
    device = fleet.device()
    now = core.clock()
    for metric, value in (("x", 1.0), ("state", "on")):
        fleet.send(device, metric, [(now - i * DAY - HOUR, value) for i in range(10)])
    series = list(core.registry.series_of(device.id).values())
    return lambda: sum(len(batch) for batch in core.store.scan(series))


def test_what_is_configured_holds_until_something_is_set_and_again_after_a_reset(retain):
    service = retain(30 * DAY)
    assert service.get(OPERATOR).length == 30 * DAY
    assert not service.get(OPERATOR).is_set
    rule = service.set(OPERATOR, 7 * DAY)
    assert (rule.length, rule.configured, rule.set_by) == (7 * DAY, 30 * DAY, "local operator")
    assert retain(90 * DAY).get(OPERATOR).length == 7 * DAY  # in another process, and after a start
    assert service.reset(OPERATOR).length == 30 * DAY
    assert not service.reset(OPERATOR).is_set


def test_each_process_removes_by_what_holds_now(retain, kept):
    first, second = retain(), retain()
    second.run()
    assert kept() == 20
    first.set(OPERATOR, 4 * DAY)
    second.run()
    assert kept() == 8
    first.set(OPERATOR, 0)
    second.run()
    assert kept() == 8


class Slices:
    """Readings that expire a day at a step."""

    def __init__(self, store, first):
        self._store = store
        self._first = first

    def __getattr__(self, name):
        return getattr(self._store, name)

    def expire(self, before):
        for stop in range(self._first, before + DAY, DAY):
            yield from self._store.expire(min(stop, before))


def test_what_is_being_removed_is_removed_no_further_when_more_is_to_be_kept(
    retain, kept, core, fleet
):
    service = retain()
    service._store = Slices(core.store, core.clock() - 10 * DAY)
    service.set(OPERATOR, 2 * DAY)
    assert service.run()
    assert service.run()
    left = kept()
    assert 4 < left < 20
    service.set(OPERATOR, 9 * DAY)
    while service.run():
        pass
    assert kept() == left
    service.set(OPERATOR, 2 * DAY)
    while service.run():
        pass
    assert kept() == 4


def test_newest_values_that_were_removed_are_told_no_longer(retain, fleet, core):
    device, now = fleet.device(), core.clock()
    fleet.send(device, "old", [(now - 9 * DAY, 1.0)])
    fleet.send(device, "new", [(now - 9 * DAY, 1.0), (now, 2.0)])
    ids = core.registry.series_of(device.id)
    service = retain(5 * DAY)
    while service.run():
        pass
    assert set(core.latest.of_series(ids.values())) == {ids["new"]}


def test_what_would_be_removed_is_told_before(retain, kept, core):
    service = retain()
    effect = service.effect(OPERATOR, 4 * DAY)
    assert (effect.before, effect.readings) == (core.clock() - 4 * DAY, 12)
    assert service.effect(OPERATOR, 0).readings == 0
    assert kept() == 20


@pytest.mark.parametrize("length", [-1, 1, HOUR - 1, 36_526 * DAY])
def test_no_length_removes_what_has_just_come(retain, length):
    with pytest.raises(InvalidInput):
        retain().set(OPERATOR, length)


def test_only_administrators_see_and_set_it(retain, fleet):
    member = fleet.user()
    for call in (retain().get, retain().reset):
        with pytest.raises(Forbidden):
            call(member)
    for call in (retain().set, retain().effect):
        with pytest.raises(Forbidden):
            call(member, DAY)


def test_who_set_it_is_in_the_log(retain, core):
    retain(30 * DAY).set(OPERATOR, 7 * DAY)
    retain(30 * DAY).reset(OPERATOR)
    last, first = core.accounts.audit.list(OPERATOR, kind="system").items
    assert (first.action, first.subject) == ("system.retention", "7d")
    assert first.detail == {"before": "30d", "configured": False}
    assert (last.subject, last.detail) == ("30d", {"before": "7d", "configured": True})
