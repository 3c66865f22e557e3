"""Commands to devices: rights, bounds, what waits and what was answered."""

import pytest

from barograph.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    TooLarge,
)
from barograph.domain.time import SECOND
from barograph.domain.user import OPERATOR, Principal
from barograph.services.commands import CommandService


@pytest.fixture
def anna(fleet):
    return fleet.user("anna")


@pytest.fixture
def pump(fleet, anna):
    return fleet.device("pump", anna)


def test_a_new_command_is_told_and_waits_until_it_is_delivered(core, anna, pump):
    told = []
    end = core.commands.watch(told.append)
    made = core.commands.send(anna, pump, {"relay": "on"})
    assert told == [made]
    assert core.commands.waiting(pump.id) == [made]
    assert core.commands.waits(made.id) == made
    assert core.commands.get(anna, pump, made.id).status(core.clock()) == "queued"
    core.commands.delivered(made.id)
    assert core.commands.waiting(pump.id) == []
    assert core.commands.get(anna, pump, made.id).status(core.clock()) == "delivered"
    end()
    core.commands.send(anna, pump, 2)
    assert len(told) == 1


def test_what_waits_survives_a_restart_and_ends_in_its_time(core, anna, pump):
    short = core.commands.send(anna, pump, 1, 10)
    long = core.commands.send(anna, pump, 2, 20)
    again = CommandService(core.catalog, core.clock, core.limits)
    assert again.waiting(pump.id) == [short, long]
    core.clock.now += 10 * SECOND
    assert again.waiting(pump.id) == [long]
    assert core.commands.get(anna, pump, short.id).status(core.clock()) == "expired"


def test_who_may_write_to_a_device_may_command_it(core, fleet, anna, pump):
    device = Principal("device", device_id=pump.id)
    with pytest.raises(NotFound):
        core.commands.send(fleet.user("boris"), pump, 1)
    with pytest.raises(Forbidden):
        core.commands.send(device, pump, 1)
    made = core.commands.send(OPERATOR, pump, 1)
    assert core.commands.get(device, pump, made.id) == made
    assert core.commands.list(anna, pump, limit=5).total == 1
    other = fleet.device("other", anna)
    with pytest.raises(NotFound):
        core.commands.get(anna, other, made.id)


@pytest.mark.parametrize(
    ("payload", "reply"),
    [
        (b'{"ok": true}', {"ok": True}),
        (b"21.5", 21.5),
        (b"done", "done"),
        (b"", ""),
        (b"NaN", "NaN"),
        ("sehr schön".encode(), "sehr schön"),
    ],
)
def test_an_answer_is_json_or_a_text(core, anna, pump, payload, reply):
    made = core.commands.send(anna, pump, 1)
    device = Principal("device", device_id=pump.id)
    answered = core.commands.answered(device, pump, made.id, payload)
    assert answered.reply == reply
    assert answered.status(core.clock()) == "answered"
    assert core.commands.waiting(pump.id) == []


def test_wrong_answers_are_refused(core, fleet, anna, pump):
    made = core.commands.send(anna, pump, 1)
    other = fleet.device("other", anna)
    for device, command, payload, error in (
        (pump, made.id, b"\xff", MalformedInput),
        (pump, made.id, b"[" * 100 + b"]" * 100, InvalidInput),
        (pump, made.id, b"1" * 20_000, TooLarge),
        (pump, made.id + 1, b"1", NotFound),
        (other, made.id, b"1", NotFound),
    ):
        with pytest.raises(error):
            core.commands.answered(anna, device, command, payload)
    assert core.commands.get(anna, pump, made.id) == made


def test_commands_are_bounded(core, anna, pump):
    with pytest.raises(InvalidInput):
        core.commands.send(anna, pump, "x" * 20_000)
    for seconds in (0, 31 * 24 * 3600):
        with pytest.raises(InvalidInput):
            core.commands.send(anna, pump, 1, seconds)
    for i in range(core.limits.device_commands_queued_max):
        core.commands.send(anna, pump, i)
    with pytest.raises(Conflict):
        core.commands.send(anna, pump, 1)
