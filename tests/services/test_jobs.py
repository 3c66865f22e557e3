import dataclasses
from threading import Event

import pytest

from barograph.domain.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND
from barograph.domain.user import OPERATOR, Principal
from barograph.services import jobs as jobs_module
from barograph.services.jobs import JobService


@pytest.fixture
def device(core, fleet):
    device = fleet.device()
    fleet.send(device, "x", [(core.clock.now - HOUR, 1.0), (core.clock.now - SECOND, 3.0)])
    return device


class Work:
    """A kind of job that does what the test says."""

    def __init__(self, run):
        self._run = run

    def check(self, principal, given):
        return dict(given)

    def run(self, principal, question, report):
        return self._run(report)


@pytest.fixture
def service(core):
    def service(run, limits=None):
        kinds = {"work": Work(run)}
        return JobService(core.catalog, core.clock, limits or core.limits, core.announced, kinds)

    return service


def test_a_job_gives_the_answer_that_the_question_has_at_once(core, device):
    question = {"device": str(device.id), "stats": "count,mean"}
    job = core.jobs.ask(OPERATOR, "analytics", question)
    assert (job.status, core.announced) == ("queued", [job.id])
    assert core.jobs.run("me")
    ended = core.jobs.get(OPERATOR, job.id)
    at_once = core.analytics.device(OPERATOR, device.id, core.analytics.question(question))
    assert (ended.status, ended.progress, ended.result) == ("done", 1.0, at_once)


def test_a_user_can_be_asked_about_by_id(core, fleet):
    anna = fleet.user()
    fleet.device(owner=anna)
    job = core.jobs.ask(anna, "analytics", {"user": str(anna.user_id), "aggregate": False})
    core.jobs.run("me")
    assert core.jobs.get(anna, job.id).result["device_count"] == 1


def test_relative_times_mean_the_moment_of_asking(core, device):
    job = core.jobs.ask(OPERATOR, "analytics", {"device": device.id, "start_time": "-1m"})
    core.clock.now += DAY
    core.jobs.run("me")
    assert core.jobs.get(OPERATOR, job.id).result["metrics"]["x"]["count"] == 1


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"device": 1, "user": 1},
        {"device": 1, "stats": "average"},
        {"device": 1, "stat": "count"},
        {"device": [1]},
        {"user": 1.5},
    ],
)
def test_a_wrong_question_makes_no_job(core, device, question):
    with pytest.raises(InvalidInput):
        core.jobs.ask(OPERATOR, "analytics", question)
    assert core.jobs.list(OPERATOR, limit=10).total == 0


def test_a_question_about_what_one_may_not_see_makes_no_job(core, fleet, device):
    boris = fleet.user("boris")
    for question in ({"device": device.id}, {"device": "none"}, {"user": 999}, {"user": "x"}):
        with pytest.raises(NotFound):
            core.jobs.ask(boris, "analytics", question)


def test_a_job_is_its_askers_and_the_administrators(core, fleet):
    anna, boris = fleet.user("anna"), fleet.user("boris")
    device = fleet.device(owner=anna)
    token = Principal("device", device_id=device.id)
    hers = core.jobs.ask(anna, "analytics", {"device": device.id})
    its = core.jobs.ask(token, "analytics", {"device": device.id})
    for look in (core.jobs.get, core.jobs.cancel):
        with pytest.raises(NotFound):
            look(boris, hers.id)
        with pytest.raises(NotFound):
            look(token, hers.id)
        with pytest.raises(NotFound):
            look(anna, its.id)
    assert core.jobs.get(token, its.id).id == its.id
    assert [job.id for job in core.jobs.list(anna, limit=9).items] == [hers.id]
    assert [job.id for job in core.jobs.list(OPERATOR, limit=9).items] == [its.id, hers.id]
    assert core.jobs.list(boris, limit=9).total == 0
    with pytest.raises(Forbidden):
        core.jobs.list(token, limit=9)


def test_waiting_jobs_are_bounded(service, core):
    few = service(lambda report: None, dataclasses.replace(core.limits, jobs_queued_max=2))
    few.ask(OPERATOR, "work", {})
    few.ask(OPERATOR, "work", {})
    with pytest.raises(TooManyRequests):
        few.ask(OPERATOR, "work", {})
    few.run("me")
    few.ask(OPERATOR, "work", {})


def test_the_jobs_that_wait_for_one_user_keep_nobody_else_waiting(service, core, fleet):
    few = service(lambda report: None, dataclasses.replace(core.limits, jobs_queued_max=1))
    few.ask(fleet.user(), "work", {})
    few.ask(OPERATOR, "work", {})
    few.ask(fleet.user("boris"), "work", {})


def test_a_token_that_reads_only_calls_no_job_off(core, fleet):
    anna = fleet.user()
    job = core.jobs.ask(anna, "analytics", {"user": anna.user_id})
    with pytest.raises(Forbidden, match="reads only"):
        core.jobs.cancel(dataclasses.replace(anna, token_reads_only=True), job.id)
    assert core.jobs.get(anna, job.id).status == "queued"


def test_rights_lost_between_asking_and_running_count(core, fleet):
    admin, anna = fleet.user("root", role="admin"), fleet.user("anna")
    device = fleet.device(owner=anna)
    job = core.jobs.ask(admin, "analytics", {"device": device.id})
    core.catalog.users.update(admin.user_id, {"role": "member"})
    core.jobs.run("me")
    failed = core.jobs.get(OPERATOR, job.id)
    assert (failed.status, failed.error) == ("failed", "there is no such device")


def test_the_jobs_of_a_removed_user_are_gone(core, fleet):
    anna = fleet.user()
    job = core.jobs.ask(anna, "analytics", {"user": anna.user_id})
    core.catalog.users.delete(anna.user_id)
    assert not core.jobs.run("me")
    with pytest.raises(NotFound):
        core.jobs.get(OPERATOR, job.id)


def test_a_user_removed_while_the_job_runs_gets_no_answer(core, fleet, service):
    anna = fleet.user()
    jobs = service(lambda report: core.catalog.users.delete(anna.user_id) or "an answer")
    job = jobs.ask(anna, "work", {})
    assert jobs.run("me")
    assert core.catalog.jobs.get(job.id) is None


def test_a_cancelled_job_is_not_run(core, device):
    job = core.jobs.ask(OPERATOR, "analytics", {"device": device.id})
    assert core.jobs.cancel(OPERATOR, job.id).status == "cancelled"
    assert not core.jobs.run("me")


def test_a_running_job_learns_that_it_is_cancelled(service):
    def work(report):
        jobs.cancel(OPERATOR, job.id)
        while True:
            report(0.5)
            Event().wait(0.01)

    jobs = service(work)
    job = jobs.ask(OPERATOR, "work", {})
    assert jobs.run("me")
    ended = jobs.get(OPERATOR, job.id)
    assert (ended.status, ended.result) == ("cancelled", None)


def test_a_running_job_shows_how_far_it_is_and_keeps_its_lease(core, service):
    def work(report):
        core.clock.now += MINUTE  # longer than a lease
        report(0.25)
        for _ in range(1000):
            if jobs.get(OPERATOR, job.id).progress == 0.25:
                return jobs.run("another")
            Event().wait(0.01)
        return None

    jobs = service(work)
    job = jobs.ask(OPERATOR, "work", {})
    jobs.run("me")
    assert jobs.get(OPERATOR, job.id).result is False


def test_a_stopped_runner_gives_the_job_back_at_once(service):
    jobs = service(lambda report: report(0.5) or "done")
    job = jobs.ask(OPERATOR, "work", {})
    for _ in range(jobs_module.ATTEMPTS_MAX + 1):  # a restart is no attempt
        assert jobs.run("me", stopping=lambda: True)
        assert jobs.get(OPERATOR, job.id).status == "queued"
    assert jobs.run("another")
    ended = jobs.get(OPERATOR, job.id)
    assert (ended.result, ended.attempts) == ("done", 1)


def test_a_job_whose_runner_died_is_taken_again_but_not_for_ever(core, service):
    jobs = service(lambda report: "done")
    job = jobs.ask(OPERATOR, "work", {})
    for attempt in range(jobs_module.ATTEMPTS_MAX):
        assert core.catalog.jobs.take(f"dies {attempt}", core.clock(), MINUTE) is not None
        assert not jobs.run("me")  # while the lease holds
        core.clock.now += MINUTE
    assert jobs.run("me")
    ended = jobs.get(OPERATOR, job.id)
    assert ended.status == "failed"
    assert "3 attempts" in ended.error


def test_a_store_that_is_away_is_tried_again(core, service):
    tries = []

    def work(report):
        tries.append(1)
        raise Unavailable("the store is away")

    jobs = service(work)
    job = jobs.ask(OPERATOR, "work", {})
    while jobs.run("me"):
        core.clock.now += MINUTE
    ended = jobs.get(OPERATOR, job.id)
    assert (ended.status, ended.error, len(tries)) == ("failed", "the store is away", 3)


def test_an_error_of_the_program_fails_the_job_and_is_logged(service, caplog):
    def work(report):
        raise ZeroDivisionError("secret detail")

    jobs = service(work)
    job = jobs.ask(OPERATOR, "work", {})
    jobs.run("me")
    ended = jobs.get(OPERATOR, job.id)
    assert ended.status == "failed"
    assert "secret" not in ended.error
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_that_cannot_be_kept_fails_the_job(service):
    jobs = service(lambda report: float("nan"))
    job = jobs.ask(OPERATOR, "work", {})
    jobs.run("me")
    assert "cannot be kept" in jobs.get(OPERATOR, job.id).error
