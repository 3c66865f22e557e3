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
    note = core.commands.delivered(made.id)
    assert core.commands.waiting(pump.id) == [], (
        "at once: a client that comes now is not given it again"
    )
    note()
    assert core.commands.get(anna, pump, made.id).status(core.clock()) == "delivered"
    end()
    core.commands.send(anna, pump, 2)
    assert len(told) == 1


def test_of_what_was_delivered_nothing_is_remembered(core, anna, pump):
    for n in range(5):
        core.commands.delivered(core.commands.send(anna, pump, n).id)()
    assert not core.commands._heard_of
    assert core.commands.waiting() == []


def test_what_another_process_sent_is_told_once(core, anna, pump):
    here = CommandService(core.catalog, core.clock, core.limits, core.accounts.audit, follows=True)
    told = []
    here.watch(told.append)
    sent = [core.commands.send(anna, pump, "theirs"), here.send(anna, pump, "ours")]
    for _ in range(2):
        here.look()
    assert sorted(one.id for one in told) == [one.id for one in sent]


def test_what_ended_elsewhere_is_asked_for_once(core, anna, pump, monkeypatch):
    here = CommandService(core.catalog, core.clock, core.limits, core.accounts.audit, follows=True)
    for lifetime in (10, 10, 20):
        here.send(anna, pump, lifetime, lifetime)
    core.clock.now += 10 * SECOND
    asked, get = [], core.catalog.commands.get
    monkeypatch.setattr(core.catalog.commands, "get", lambda one: (asked.append(one), get(one))[1])
    for _ in range(3):
        here.look()
    assert len(asked) == 2
    assert [one.command for one in here.waiting()] == [20]


def test_what_waits_is_found_by_its_device(core, fleet, anna, pump):
    other = fleet.device("other", owner=anna)
    sent = [core.commands.send(anna, one, n) for n, one in enumerate((pump, other, pump))]
    assert core.commands.waiting(pump.id) == [sent[0], sent[2]]
    assert core.commands.waiting(other.id) == [sent[1]]
    assert core.commands.waiting() == sent
    core.commands.delivered(sent[1].id)()
    assert core.commands.waiting(other.id) == []
    assert core.commands.waits(sent[1].id) is None
    assert core.commands.waiting() == [sent[0], sent[2]]


def test_what_waits_survives_a_restart_and_ends_in_its_time(core, anna, pump):
    short = core.commands.send(anna, pump, 1, 10)
    long = core.commands.send(anna, pump, 2, 20)
    again = CommandService(core.catalog, core.clock, core.limits, core.accounts.audit)
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


def test_a_command_that_waits_is_called_off(core, fleet, anna, pump):
    told = []
    core.commands.watch(told.append)
    made = core.commands.send(anna, pump, 1)
    with pytest.raises(NotFound):
        core.commands.cancel(fleet.user("boris"), pump, made.id)
    with pytest.raises(Forbidden):
        core.commands.cancel(Principal("device", device_id=pump.id), pump, made.id)
    with pytest.raises(NotFound):
        core.commands.cancel(anna, pump, made.id + 1)
    core.clock.now += SECOND
    found = core.commands.cancel(anna, pump, made.id)
    assert (found.status(core.clock()), found.cancelled_time) == ("cancelled", core.clock())
    assert core.commands.waiting(pump.id) == []
    assert told == [made, found]
    core.clock.now += SECOND
    assert core.commands.cancel(anna, pump, made.id) == found
    assert len(told) == 2


def test_what_the_device_has_stays_as_it_is(core, anna, pump):
    delivered, answered = core.commands.send(anna, pump, 1), core.commands.send(anna, pump, 2)
    core.commands.delivered(delivered.id)()
    core.commands.answered(OPERATOR, pump, answered.id, b"7")
    for made, status in ((delivered, "delivered"), (answered, "answered")):
        assert core.commands.cancel(anna, pump, made.id).status(core.clock()) == status


def test_one_that_was_on_its_way_may_be_delivered_all_the_same(core, anna, pump):
    made = core.commands.send(anna, pump, 1)
    core.commands.cancel(anna, pump, made.id)
    core.commands.delivered(made.id)()
    assert core.commands.get(anna, pump, made.id).status(core.clock()) == "delivered"


def test_another_process_hears_what_was_called_off(core, anna, pump):
    other = CommandService(core.catalog, core.clock, core.limits, core.accounts.audit, follows=True)
    kept, made = core.commands.send(anna, pump, 1), core.commands.send(anna, pump, 2)
    other.look()
    told = []
    other.watch(told.append)
    core.commands.cancel(anna, pump, made.id)
    core.commands.delivered(kept.id)()
    other.look()
    other.look()
    assert [one.id for one in told] == [made.id]
    assert told[0].cancelled_time is not None
    assert made not in other.waiting(pump.id)


def test_who_sent_and_called_off_a_command_is_in_the_audit_log_without_its_values(core, anna, pump):
    wifi = core.commands.send(anna, pump, {"wifi": {"password": "sesame"}, "restart": True})
    core.commands.cancel(anna, pump, wifi.id)
    core.commands.send(OPERATOR, pump, "unlock 4711")
    core.commands.send(OPERATOR, pump, [1])
    assert [
        (one.actor, one.action, one.subject, one.subject_id, one.detail)
        for one in core.accounts.audit.list(OPERATOR, search="pump").items
        if one.action.endswith("command")
    ] == [
        ("local operator", "device.command", "pump", pump.id, {}),
        ("local operator", "device.command", "pump", pump.id, {"command": "unlock"}),
        ("anna", "device.uncommand", "pump", pump.id, {"command": "wifi, restart"}),
        ("anna", "device.command", "pump", pump.id, {"command": "wifi, restart"}),
    ]


def test_a_command_that_was_refused_or_waits_no_more_leaves_no_word_in_the_audit_log(
    core, fleet, anna, pump
):
    made = core.commands.send(anna, pump, "on")
    core.commands.delivered(made.id)()
    core.commands.cancel(anna, pump, made.id)
    with pytest.raises(NotFound):
        core.commands.cancel(anna, pump, made.id + 1)
    with pytest.raises(NotFound):
        core.commands.send(fleet.user("boris"), pump, "off")
    told = core.accounts.audit.list(OPERATOR, kind="device").items
    assert [one.action for one in told if "command" in one.action] == ["device.command"]


@pytest.mark.parametrize("command", ["", "   ", "x" * 200, {"k" * 200: 1}, None, True, 1.5])
def test_a_commands_name_in_the_audit_log_is_short(core, anna, pump, command):
    core.commands.send(anna, pump, command)
    newest = core.accounts.audit.list(OPERATOR, kind="device").items[0]
    assert newest.action == "device.command"
    assert len(newest.detail.get("command", "")) <= 64
