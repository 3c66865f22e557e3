"""Reports on a schedule: what is due is made once, whatever happens in between."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.time import DAY, HOUR, MINUTE, from_datetime
from barograph.domain.user import OPERATOR, Principal
from barograph.services.report_making import ReportMaking
from barograph.services.schedules import LEASE, ScheduleService, Wanted

MIDNIGHT = from_datetime(datetime(2026, 1, 2, tzinfo=UTC))
SIX = "0 6 * * *"


class Post:
    """A `Notifier` that takes what is to be sent to one address."""

    def check(self, principal, own, target):
        if target != "office":
            raise InvalidInput.of("webhook", "there is no such webhook")

    def send(self, target, notice):
        raise AssertionError("nothing is sent here")


def service(core, limits=None):
    return ScheduleService(
        core.catalog,
        core.analytics,
        core.jobs,
        {"webhook": Post()},
        core.clock,
        limits or core.limits,
        core.accounts.audit,
    )


@pytest.fixture
def schedules(core):
    core.clock.now = MIDNIGHT
    return service(core)


@pytest.fixture
def anna(core):
    return core.fleet.user()


@pytest.fixture
def daily(schedules, core, anna):
    device = core.fleet.device(owner=anna)
    core.fleet.send(device, "x", [(MIDNIGHT - DAY + i * HOUR, float(i)) for i in range(48)])
    return schedules.create(anna, Wanted("Daily", {"devices": [device.id]}, SIX))


def jobs(core):
    return [core.catalog.jobs.get(job.id) for job in core.catalog.jobs.list(limit=100).items]


def run_all(core):
    while core.jobs.run("tests"):
        pass


def test_nothing_is_made_before_it_is_due(schedules, core, daily):
    core.clock.now = MIDNIGHT + 6 * HOUR - 1
    assert not schedules.run_due()
    assert jobs(core) == []


def test_what_is_due_is_made_once_for_the_moment_it_was_due(schedules, core, daily, anna):
    core.clock.now = MIDNIGHT + 6 * HOUR + 3 * MINUTE
    assert schedules.run_due()
    assert not schedules.run_due()
    run_all(core)
    (report,) = core.reports.list(anna).items
    assert report.schedule_id == daily.id
    document = core.reports.document(anna, report.id)
    assert (document.start_time, document.end_time) == (
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
    )
    assert document.sections[0].metrics[0].whole.values[2] == 24
    noted = schedules.get(anna, daily.id)
    assert noted.last_time == MIDNIGHT + 6 * HOUR
    assert noted.next_time == MIDNIGHT + DAY + 6 * HOUR
    assert noted.last_job_id == jobs(core)[0].id


def test_after_a_pause_the_latest_moment_is_made_up_for_and_no_other(schedules, core, daily, anna):
    core.clock.now = MIDNIGHT + 5 * DAY + 7 * HOUR
    while schedules.run_due():
        pass
    run_all(core)
    (report,) = core.reports.list(anna).items
    assert report.question["start_time"] == "2026-01-06T00:00:00Z"
    assert schedules.get(anna, daily.id).next_time == MIDNIGHT + 6 * DAY + 6 * HOUR


def test_who_died_after_asking_and_before_noting_so_makes_no_second_report(
    schedules, core, daily, anna
):
    core.clock.now = MIDNIGHT + 6 * HOUR
    leased = core.catalog.schedules.take_due(core.clock.now, LEASE)
    assert leased is not None
    given = {"key": f"schedule-{daily.id}-{MIDNIGHT + 6 * HOUR}", "name": "Daily"}
    given |= {"now": MIDNIGHT + 6 * HOUR, "schedule": daily.id, "asked": daily.question}
    core.jobs.ask(anna, ReportMaking.KIND, given)  # and here it died
    assert not schedules.run_due()
    core.clock.now += LEASE
    assert schedules.run_due()
    run_all(core)
    assert [job.status for job in jobs(core)] == ["done", "done"]
    assert len({job.result["report_id"] for job in jobs(core)}) == 1
    assert core.reports.list(anna).total == 1


def test_two_processes_make_one_report(schedules, core, daily, anna):
    other = service(core)
    core.clock.now = MIDNIGHT + 6 * HOUR
    assert [schedules.run_due(), other.run_due()] == [True, False]
    assert len(jobs(core)) == 1


def test_a_queue_that_is_full_is_tried_again(core, daily, anna, schedules):
    tight = replace(core.limits, jobs_queued_max=1)
    core.jobs._limits = tight
    core.jobs.ask(anna, "analytics", {"user": anna.user_id})
    core.clock.now = MIDNIGHT + 6 * HOUR
    assert schedules.run_due()
    assert schedules.get(anna, daily.id).last_time is None
    run_all(core)
    core.clock.now += LEASE
    assert schedules.run_due()
    assert schedules.get(anna, daily.id).last_time == MIDNIGHT + 6 * HOUR


def test_a_device_that_is_no_more_is_said_to_be_missing(schedules, core, anna):
    there, gone = core.fleet.device("there", anna), core.fleet.device("gone", anna)
    question = {"devices": [there.id, gone.id]}
    schedules.create(anna, Wanted("Two", question, SIX))
    core.devices.delete(anna, gone)
    core.clock.now = MIDNIGHT + 6 * HOUR
    schedules.run_due()
    run_all(core)
    (report,) = core.reports.list(anna).items
    document = core.reports.document(anna, report.id)
    assert [section.id for section in document.sections] == [there.id]
    assert document.missing == (f"device {gone.id}",)


def test_without_devices_all_there_are_then_are_in_the_report(schedules, core, anna):
    core.fleet.device("a", anna)
    schedules.create(anna, Wanted("All", {}, SIX))
    core.fleet.device("b", anna)
    core.fleet.device("another's", core.fleet.user("bob"))
    core.clock.now = MIDNIGHT + 6 * HOUR
    schedules.run_due()
    run_all(core)
    (report,) = core.reports.list(anna).items
    names = [section.name for section in core.reports.document(anna, report.id).sections]
    assert names == ["a", "b"]


def test_a_disabled_schedule_waits_until_it_is_enabled(schedules, core, daily, anna):
    assert schedules.update(anna, daily.id, enabled=False).next_time is None
    core.clock.now = MIDNIGHT + 2 * DAY
    assert not schedules.run_due()
    assert schedules.update(anna, daily.id, enabled=True).next_time == core.clock.now + 6 * HOUR


def test_a_schedule_can_be_run_now(schedules, core, daily, anna):
    core.clock.now += HOUR
    schedules.run(anna, daily.id)
    run_all(core)
    assert core.reports.list(anna, schedule_id=daily.id).total == 1
    assert schedules.get(anna, daily.id).next_time == MIDNIGHT + 6 * HOUR


def test_a_change_is_checked_as_a_new_one(schedules, daily, anna):
    changed = schedules.update(anna, daily.id, cron="30 7 * * 1", name="Weekly")
    assert (changed.name, changed.next_time) == (
        "Weekly",
        MIDNIGHT + 3 * DAY + 7 * HOUR + 30 * MINUTE,
    )
    with pytest.raises(InvalidInput, match="cron"):
        schedules.update(anna, daily.id, cron="often")
    with pytest.raises(InvalidInput, match="period"):
        schedules.update(anna, daily.id, question={"period": "someday"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name"),
        ({"question": {"period": "someday"}}, "period: 'someday'"),
        ({"question": {"start_time": "2026-01-01", "end_time": "2026-01-02"}}, "moves"),
        ({"question": {"devices": [1], "users": [1]}}, "not both"),
        ({"question": {"colour": "red"}}, "there is no such parameter"),
        ({"question": {"stats": "p101"}}, "p101"),
        ({"question": {"language": "la"}}, "language"),
        ({"cron": "* * * * *"}, "every 5 minutes"),
        ({"formats": ["pdf", "pdf"]}, "formats"),
        ({"email": ["ann@example.org"]}, "smtp_url"),
        ({"webhook": ["elsewhere"]}, "no such webhook"),
        ({"webhook": ["office", "office"]}, "once"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_bad_schedule_is_refused_with_what_is_wrong(schedules, anna, changes, message):
    with pytest.raises(InvalidInput, match=message):
        schedules.create(anna, replace(Wanted("Daily", {}, SIX), **changes))


def test_a_schedule_is_its_users_only(schedules, core, daily, anna):
    bob, viewer = core.fleet.user("bob"), Principal("user", anna.user_id, role="viewer")
    with pytest.raises(NotFound):
        schedules.get(bob, daily.id)
    with pytest.raises(NotFound):
        schedules.delete(bob, daily.id)
    assert schedules.get(viewer, daily.id) == daily
    for refused in (
        lambda: schedules.create(viewer, Wanted("Mine", {}, SIX)),
        lambda: schedules.delete(viewer, daily.id),
        lambda: schedules.run(viewer, daily.id),
        lambda: schedules.list(Principal("device", device_id=1)),
    ):
        with pytest.raises(Forbidden):
            refused()
    assert schedules.list(bob).total == 0
    assert schedules.list(OPERATOR).items == [daily]
    with pytest.raises(NotFound):
        schedules.create(bob, Wanted("Spying", {"devices": daily.question["devices"]}, SIX))


def test_there_is_an_end_to_the_schedules_of_one_user(core, anna):
    schedules = service(core, replace(core.limits, schedules_max=2))
    for _ in range(2):
        schedules.create(anna, Wanted("Daily", {}, SIX))
    with pytest.raises(Conflict, match="2 schedules"):
        schedules.create(anna, Wanted("Daily", {}, SIX))


def test_a_device_of_many_metrics_is_reported_with_charts_of_some(schedules, core, anna):
    device = core.fleet.device(owner=anna)
    for n in range(430):
        core.fleet.send(device, f"m{n}", [(MIDNIGHT - HOUR, float(n))])
    schedules.create(anna, Wanted("Wide", {"devices": [device.id]}, SIX))
    core.clock.now = MIDNIGHT + 6 * HOUR
    assert schedules.run_due()
    assert core.jobs.run("me")
    [report] = core.reports.list(anna).items
    [section] = core.reports.document(anna, report.id).sections
    assert len(section.metrics) == 430
    assert sum(one.course is not None for one in section.metrics) == 200


def test_who_schedules_what_is_in_the_log(schedules, core, daily, anna):
    schedules.update(anna, daily.id, enabled=False)
    schedules.delete(anna, daily.id)
    noted = [
        (entry.actor, entry.action, entry.subject)
        for entry in core.accounts.audit.list(OPERATOR, limit=10).items
    ]
    assert noted[:3] == [
        ("anna", "report.unschedule", "Daily"),
        ("anna", "report.schedule", "Daily"),
        ("anna", "report.schedule", "Daily"),
    ]
