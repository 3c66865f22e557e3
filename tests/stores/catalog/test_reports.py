"""Schedules, reports and deliveries of the catalog, on every database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.report import Report, Schedule

QUESTION = {"devices": [1], "period": "yesterday", "stats": ["p95"]}


@pytest.fixture
def schedule(catalog, user):
    wanted = Schedule(
        0,
        "Утро",
        QUESTION,
        "0 6 * * *",
        user.id,
        {"kind": "user"},
        ("ann@example.org",),
        ("office",),
        ("pdf", "csv"),
        created_time=5,
        next_time=100,
    )
    return catalog.schedules.create(wanted, 10)


@pytest.fixture
def make(catalog, user):
    def make(key, time=10, schedule_id=None, deliveries=()):
        report = Report(0, key, "Утро", QUESTION, user.id, schedule_id, time)
        return catalog.reports.add(report, b"\x00figures" * 3, deliveries)

    return make


def test_a_schedule_is_kept_as_it_was_given(catalog, schedule, user):
    assert catalog.schedules.get(schedule.id) == schedule
    assert (schedule.name, schedule.question, schedule.formats) == (
        "Утро",
        QUESTION,
        ("pdf", "csv"),
    )
    assert catalog.schedules.get(schedule.id + 1) is None
    assert catalog.schedules.list(user_id=user.id, limit=5).items == [schedule]
    assert catalog.schedules.list(user_id=user.id + 1, limit=5).total == 0
    with pytest.raises(InvalidInput, match="there is no user 77"):
        catalog.schedules.create(replace(schedule, user_id=77), 10)


def test_schedules_are_bounded_for_each_user_and_for_nobody(catalog, schedule):
    with pytest.raises(Conflict, match="1 schedules already"):
        catalog.schedules.create(schedule, 1)
    nobodys = replace(schedule, user_id=None)
    catalog.schedules.create(nobodys, 1)
    with pytest.raises(Conflict):
        catalog.schedules.create(nobodys, 1)


def test_a_due_schedule_is_leased_by_one_and_again_when_the_lease_ran_out(catalog, schedule):
    assert catalog.schedules.take_due(99, 60) is None
    taken = catalog.schedules.take_due(100, 60)
    assert taken == replace(schedule, lease_until=160)
    assert catalog.schedules.take_due(159, 60) is None
    assert catalog.schedules.take_due(160, 60).lease_until == 220
    # Who was too slow notes nothing any more.
    assert not catalog.schedules.done(taken, last_time=100, next_time=200, job_id=1, error=None)


def test_of_many_who_look_one_gets_it(catalog, schedule):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: catalog.schedules.take_due(100, 60), range(16)))
    assert [one.id for one in found if one is not None] == [schedule.id]


def test_a_schedule_that_is_done_is_due_at_its_next_time(catalog, schedule):
    taken = catalog.schedules.take_due(150, 60)
    assert catalog.schedules.done(taken, last_time=100, next_time=200, job_id=7, error="\x00 bad")
    kept = catalog.schedules.get(schedule.id)
    assert (kept.last_time, kept.next_time, kept.last_job_id) == (100, 200, 7)
    assert (kept.last_error, kept.lease_until) == ("\\x00 bad", None)
    assert catalog.schedules.take_due(199, 60) is None
    assert catalog.schedules.take_due(200, 60) is not None


def test_a_change_meanwhile_is_not_written_over(catalog, schedule):
    taken = catalog.schedules.take_due(150, 60)
    catalog.schedules.update(schedule.id, {"cron": "0 7 * * *", "next_time": 500})
    assert not catalog.schedules.done(taken, last_time=100, next_time=200, job_id=7, error=None)
    assert catalog.schedules.get(schedule.id).next_time == 500


def test_a_disabled_schedule_is_never_due(catalog, schedule):
    changed = catalog.schedules.update(schedule.id, {"enabled": False, "webhook": ()})
    assert (changed.enabled, changed.webhook) == (False, ())
    assert catalog.schedules.take_due(10_000, 60) is None
    with pytest.raises(InvalidInput, match="user_id"):
        catalog.schedules.update(schedule.id, {"user_id": 1})


def test_a_report_is_kept_with_its_figures(catalog, make, user):
    report = make("a")
    assert report == Report(report.id, "a", "Утро", QUESTION, user.id, None, 10, 24)
    assert catalog.reports.get(report.id) == report
    assert catalog.reports.document(report.id) == b"\x00figures" * 3
    assert catalog.reports.get(report.id + 1) is None
    assert catalog.reports.document(report.id + 1) is None


def test_megabytes_of_figures_are_kept(catalog, user):
    document = bytes(range(256)) * 20_000
    made = catalog.reports.add(Report(0, "big", "big", {}, user.id, None, 1), document)
    assert catalog.reports.document(made.id) == document


def test_the_same_key_makes_one_report_and_one_delivery(catalog, make):
    to = [("email", "ann@example.org", ("pdf",))]
    first = make("a", deliveries=to)
    assert make("a", time=99, deliveries=to) == first
    assert len(catalog.reports.deliveries(first.id)) == 1


def test_reports_are_listed_the_newest_first(catalog, make, schedule, user):
    made = [make(key, schedule_id=schedule.id if key == "b" else None) for key in "abc"]
    assert catalog.reports.list(user_id=user.id, limit=2).items == [made[2], made[1]]
    assert catalog.reports.list(schedule_id=schedule.id, limit=5).items == [made[1]]
    assert catalog.reports.list(user_id=user.id + 1, limit=5).total == 0


def test_reports_outlive_their_schedule(catalog, make, schedule):
    report = make("a", schedule_id=schedule.id)
    catalog.schedules.delete(schedule.id)
    assert catalog.reports.get(report.id).schedule_id is None
    assert make("b", schedule_id=schedule.id).schedule_id is None
    with pytest.raises(NotFound):
        catalog.schedules.delete(schedule.id)


def test_the_old_and_the_too_many_are_removed(catalog, make):
    made = [make(str(i), time=i) for i in range(6)]
    assert catalog.reports.expire(2, 100) == 2
    assert catalog.reports.expire(2, 3) == 1
    assert [one.id for one in catalog.reports.list(limit=9).items] == [m.id for m in made[:2:-1]]
    assert catalog.reports.expire(2, 3) == 0


def test_a_delivery_is_due_until_it_is_sent(catalog, make):
    report = make(
        "a", deliveries=[("email", "ann@example.org", ("pdf", "csv")), ("webhook", "w", ())]
    )
    mail, hook = catalog.reports.deliveries(report.id)
    assert (mail.way, mail.target, mail.formats) == ("email", "ann@example.org", ("pdf", "csv"))
    assert catalog.reports.take_delivery(9, 50) is None
    taken = {catalog.reports.take_delivery(10, 50).id for _ in range(2)}
    assert taken == {mail.id, hook.id}
    assert catalog.reports.take_delivery(49, 90) is None
    catalog.reports.tried(mail.id, "waiting", "away", 70, 50)
    catalog.reports.tried(hook.id, "sent", None, None, 50)
    catalog.reports.tried(hook.id, "waiting", "late news", 60, 55)
    assert catalog.reports.take_delivery(69, 90) is None
    again = catalog.reports.take_delivery(70, 90)
    assert (again.id, again.attempts, again.error) == (mail.id, 1, "away")
    sent = catalog.reports.delivery(hook.id)
    assert (sent.status, sent.attempts, sent.ended_time, sent.next_time) == ("sent", 1, 50, None)


def test_of_many_who_look_one_gets_the_delivery(catalog, make):
    make("a", deliveries=[("webhook", "w", ())])
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: catalog.reports.take_delivery(10, 50), range(16)))
    assert len([one for one in found if one is not None]) == 1


def test_a_report_that_several_keep_at_once_is_one_for_all(catalog, make):
    for key in map(str, range(5)):
        with ThreadPoolExecutor(8) as threads:
            kept = list(
                threads.map(
                    lambda _, key=key: make(key, deliveries=[("webhook", "w", ())]), range(8)
                )
            )
        assert len({report.id for report in kept}) == 1
        assert len(catalog.reports.deliveries(kept[0].id)) == 1


def test_a_report_goes_with_its_deliveries_and_with_its_user(catalog, make, user):
    report = make("a", deliveries=[("webhook", "w", ())])
    (delivery,) = catalog.reports.deliveries(report.id)
    catalog.reports.delete(report.id)
    assert catalog.reports.delivery(delivery.id) is None
    other = make("b")
    catalog.users.delete(user.id)
    assert catalog.reports.get(other.id) is None
