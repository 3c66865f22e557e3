"""The commands of the catalog, on every database."""

import dataclasses

import pytest

from barograph.domain.command import Command
from barograph.domain.errors import Conflict, InvalidInput, NotFound


@pytest.fixture
def device(catalog):
    return catalog.devices.create("pump", "Pump", None, None, {}, 1)


def test_a_new_command_waits(catalog, device):
    made = catalog.commands.create(device.id, {"relay": [1, None]}, 10, 20, 5)
    assert made == Command(made.id, device.id, {"relay": [1, None]}, 10, 20)
    assert catalog.commands.get(made.id) == made
    assert list(catalog.commands.waiting(19)) == [made]
    assert list(catalog.commands.waiting(20)) == []
    assert catalog.commands.get(made.id + 1) is None


@pytest.mark.parametrize("command", [None, 0, "", [], "ünï\x00", {"": []}])
def test_a_command_is_any_json(catalog, device, command):
    made = catalog.commands.create(device.id, command, 10, 20, 5)
    assert catalog.commands.get(made.id).command == command


def test_only_so_many_wait_for_one_device(catalog, device):
    other = catalog.devices.create("other", "Other", None, None, {}, 1)
    first = catalog.commands.create(device.id, 1, 10, 20, 2)
    catalog.commands.create(device.id, 2, 10, 30, 2)
    with pytest.raises(Conflict, match="2 commands wait"):
        catalog.commands.create(device.id, 3, 10, 20, 2)
    catalog.commands.create(other.id, 3, 10, 20, 2)
    catalog.commands.deliver(first.id, 11)
    catalog.commands.create(device.id, 4, 12, 20, 2)
    catalog.commands.create(device.id, 5, 25, 30, 2)  # the fourth is expired by now
    with pytest.raises(NotFound):
        catalog.commands.create(7_000_000, 1, 10, 20, 2)
    with pytest.raises(InvalidInput):
        catalog.commands.create(other.id, float("nan"), 10, 20, 2)


def test_a_delivery_is_noted_once_and_an_answer_again(catalog, device):
    made = catalog.commands.create(device.id, 1, 10, 20, 2)
    catalog.commands.deliver(made.id, 12)
    catalog.commands.deliver(made.id, 15)
    catalog.commands.deliver(made.id + 1, 15)
    assert catalog.commands.get(made.id) == dataclasses.replace(made, delivered_time=12)
    answered = catalog.commands.answer(made.id, device.id, {"ok": True}, 30)
    assert answered == dataclasses.replace(
        made, delivered_time=12, answered_time=30, reply={"ok": True}
    )
    assert catalog.commands.answer(made.id, device.id, None, 31).reply is None
    with pytest.raises(NotFound):
        catalog.commands.answer(made.id, device.id + 1, 1, 30)
    assert list(catalog.commands.waiting(0)) == []


def test_an_answer_says_that_it_was_delivered(catalog, device):
    made = catalog.commands.create(device.id, 1, 10, 20, 2)
    assert catalog.commands.answer(made.id, device.id, "done", 17).delivered_time == 17


def test_a_device_shows_its_newest_commands_first_and_takes_them_along(catalog, device):
    other = catalog.devices.create("other", "Other", None, None, {}, 1)
    made = [catalog.commands.create(device.id, i, 10 + i, 100, 9) for i in range(3)]
    kept = catalog.commands.create(other.id, 0, 10, 100, 9)
    page = catalog.commands.list(device.id, limit=2)
    assert (list(page.items), page.total) == ([made[2], made[1]], 3)
    assert list(catalog.commands.list(device.id, limit=2, offset=2).items) == [made[0]]
    catalog.devices.delete(device.id)
    assert list(catalog.commands.waiting(0)) == [kept]


def test_old_commands_are_removed(catalog, device):
    made = [catalog.commands.create(device.id, i, 10 + i, 100, 9) for i in range(3)]
    assert catalog.commands.expire(12) == 2
    assert list(catalog.commands.waiting(0)) == [made[2]]


def test_a_command_is_called_off_while_it_waits(catalog, device):
    early, late, gone = [catalog.commands.create(device.id, i, 10, 20 + i, 9) for i in range(3)]
    catalog.commands.deliver(late.id, 12)
    assert catalog.commands.cancel(early.id, 15)
    assert not catalog.commands.cancel(early.id, 16)
    assert not catalog.commands.cancel(late.id, 16)
    assert not catalog.commands.cancel(gone.id, 22)
    assert catalog.commands.get(early.id) == dataclasses.replace(early, cancelled_time=15)
    assert catalog.commands.get(late.id).cancelled_time is None
    assert list(catalog.commands.waiting(16)) == [gone]
    catalog.commands.create(device.id, 3, 16, 40, 2)  # what was called off counts no more
