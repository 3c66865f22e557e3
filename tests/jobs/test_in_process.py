from threading import Event

import pytest
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.errors import Unavailable
from barograph.domain.user import OPERATOR
from barograph.jobs.in_process import InProcessRunner
from barograph.services.jobs import JobService


class Work:
    """A kind of job that does what the test says."""

    def __init__(self, run):
        self._run = run

    def check(self, principal, given):
        return dict(given)

    def run(self, principal, question, report):
        return self._run(question, report)


@pytest.fixture
def runners():
    """Starts runners, and stops them after the test."""
    started = []

    def start(jobs, runner):
        started.append(runner)
        runner.start(jobs)
        return runner

    yield start
    for runner in started:
        runner.stop()


@pytest.fixture
def service(core):
    def service(run, queue):
        return JobService(core.catalog, core.clock, core.limits, queue, {"work": Work(run)})

    return service


def wait_for(jobs, job, status="done"):
    def there():
        found = jobs.get(OPERATOR, job.id)
        return found if found.status == status else None

    return until(there, lambda: f"{status}: the job is {jobs.get(OPERATOR, job.id)}")


def test_an_announced_job_is_run(service, runners):
    runner = InProcessRunner(look_seconds=60)
    jobs = service(lambda question, report: question["n"] * 2, runner)
    runners(jobs, runner)
    asked = [jobs.ask(OPERATOR, "work", {"n": n}) for n in range(5)]
    assert [wait_for(jobs, job).result for job in asked] == [0, 2, 4, 6, 8]


def test_jobs_that_waited_over_a_restart_are_run(core, service, runners):
    asked = service(None, core.announced).ask(OPERATOR, "work", {})
    runner = InProcessRunner(look_seconds=60)
    jobs = service(lambda question, report: "late", runner)
    runners(jobs, runner)
    assert wait_for(jobs, asked).result == "late"


def test_a_job_whose_runner_died_is_found_without_an_announcement(core, service, runners):
    runner = InProcessRunner(look_seconds=0.05)
    jobs = service(lambda question, report: "taken over", runner)
    runners(jobs, runner)
    core.catalog.jobs.create("work", {"asker": {}, "question": {}}, None, 0)
    job = core.jobs.list(OPERATOR, limit=1).items[0]
    wait_for(jobs, job, "failed")  # nobody asked: the envelope is empty
    asked = service(None, core.announced).ask(OPERATOR, "work", {})
    assert wait_for(jobs, asked).result == "taken over"


def test_no_more_jobs_run_at_a_time_than_there_are_threads(service, runners):
    running, most, go = [], [], Event()

    def work(question, report):
        running.append(1)
        most.append(len(running))
        go.wait(0.05)
        running.pop()

    runner = InProcessRunner(threads=2, look_seconds=60)
    jobs = service(work, runner)
    asked = [jobs.ask(OPERATOR, "work", {}) for _ in range(6)]
    runners(jobs, runner)
    for job in asked:
        wait_for(jobs, job)
    assert max(most) <= 2


def test_stopping_gives_a_running_job_to_the_next_runner(service, runners):
    began = Event()

    def endless(question, report):
        began.set()
        while True:
            report(0.5)
            Event().wait(0.01)

    first = InProcessRunner(look_seconds=60)
    jobs = service(endless, first)
    runners(jobs, first)
    job = jobs.ask(OPERATOR, "work", {})
    assert began.wait(PATIENCE_SECONDS)
    first.stop()
    second = InProcessRunner(look_seconds=60)
    jobs = service(lambda question, report: "second", second)
    runners(jobs, second)
    assert wait_for(jobs, job).result == "second"


def test_a_runner_outlives_a_catalog_that_is_away(core, service, runners, caplog):
    faults = [Unavailable("the catalog is away"), RuntimeError("anything else")]

    class Faulty(JobService):
        def run(self, *args, **kwargs):
            if faults:
                raise faults.pop(0)
            return super().run(*args, **kwargs)

    runner = InProcessRunner(look_seconds=0.05)
    work = Work(lambda question, report: "in the end")
    jobs = Faulty(core.catalog, core.clock, core.limits, runner, {"work": work})
    runners(jobs, runner)
    job = jobs.ask(OPERATOR, "work", {})
    assert wait_for(jobs, job).result == "in the end"
    assert "the catalog is away" in caplog.text
    assert "anything else" in caplog.text
