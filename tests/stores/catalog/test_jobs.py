"""The jobs of the catalog, on every database."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.job import ENDED, Job


@pytest.fixture
def job(catalog):
    return catalog.jobs.create("summary", {"stats": ["p95"], "end": None}, None, 5)


def test_a_new_job_is_queued(catalog, user):
    job = catalog.jobs.create("summary", {"b": 1, "a": {"x": 2.5}}, user.id, 5)
    assert job == Job(job.id, "summary", {"b": 1, "a": {"x": 2.5}}, user.id, created_time=5)
    assert catalog.jobs.get(job.id) == job
    assert catalog.jobs.get(job.id + 1) is None
    with pytest.raises(InvalidInput, match="there is no user 77"):
        catalog.jobs.create("summary", {}, 77, 5)


def test_a_taken_job_is_leased_and_not_given_to_another(catalog, job):
    taken = catalog.jobs.take("one", now=10, lease=30)
    assert taken == dataclasses.replace(
        job, status="running", attempts=1, lease_owner="one", lease_until=40, started_time=10
    )
    assert catalog.jobs.get(job.id) == taken
    assert catalog.jobs.take("two", now=39, lease=30) is None


def test_the_oldest_job_is_taken_first_or_the_one_asked_for(catalog):
    first, second, third = (catalog.jobs.create("summary", {}, None, 5) for _ in range(3))
    assert catalog.jobs.take("one", 10, 30, job_id=second.id).id == second.id
    assert catalog.jobs.take("two", 10, 30, job_id=second.id) is None
    assert catalog.jobs.take("one", 10, 30, job_id=7_000_000) is None
    assert catalog.jobs.take("one", 10, 30).id == first.id
    assert catalog.jobs.take("one", 10, 30).id == third.id
    assert catalog.jobs.take("one", 10, 30) is None


def test_a_job_whose_lease_ran_out_is_taken_again(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    again = catalog.jobs.take("two", now=40, lease=30)
    assert (again.attempts, again.lease_owner, again.lease_until) == (2, "two", 70)
    assert again.started_time == 10
    assert not catalog.jobs.renew(job.id, "one", 100, 0.5)
    assert not catalog.jobs.finish(job.id, "one", "done", {"late": True}, None, 50)
    assert catalog.jobs.get(job.id) == again


def test_renewing_keeps_the_job_and_notes_the_progress(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    assert catalog.jobs.renew(job.id, "one", 60, 0.1)
    renewed = catalog.jobs.get(job.id)
    assert (renewed.lease_until, renewed.progress) == (60, 0.1)
    assert catalog.jobs.take("two", now=59, lease=30) is None
    assert not catalog.jobs.renew(job.id, "two", 90, 0.2)
    assert not catalog.jobs.renew(job.id, "two\x00", 90, 0.2)
    assert not catalog.jobs.renew(7_000_000, "one", 90, 0.2)
    assert catalog.jobs.get(job.id) == renewed


def test_renewing_what_is_the_same_already_counts(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    assert catalog.jobs.renew(job.id, "one", 60, 0.1)
    assert catalog.jobs.renew(job.id, "one", 60, 0.1)


def test_a_finished_job_keeps_its_result_to_the_letter(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    result = {"z": 0.1 + 0.2, "a": [1, 1.0, 2**63, None, "ж\x00\ud800"], "b": {"2": 1, "10": 2}}
    assert catalog.jobs.finish(job.id, "one", "done", result, None, 50)
    done = catalog.jobs.get(job.id)
    assert repr(done.result) == repr(result)
    assert (done.status, done.progress, done.ended_time) == ("done", 1.0, 50)
    assert (done.lease_owner, done.lease_until) == (None, None)
    assert not catalog.jobs.finish(job.id, "one", "failed", None, "twice", 60)
    assert catalog.jobs.take("two", 10**6, 30) is None
    assert catalog.jobs.get(job.id) == done


def test_a_large_result_is_kept_whole(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    result = [f"{number:020}" for number in range(100_000)]
    assert catalog.jobs.finish(job.id, "one", "done", result, None, 50)
    assert catalog.jobs.get(job.id).result == result


def test_a_failed_job_keeps_its_error_whatever_is_in_it(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    assert catalog.jobs.finish(job.id, "one", "failed", None, "bad \x00 byte \udcff" * 9000, 50)
    failed = catalog.jobs.get(job.id)
    assert failed.status == "failed"
    assert failed.result is None
    assert failed.error == "bad \\x00 byte \\udcff" * 9000


def test_a_job_ends_only_in_a_state_that_is_an_end(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    with pytest.raises(InvalidInput, match="'queued' does not end a job"):
        catalog.jobs.finish(job.id, "one", "queued", None, None, 50)
    with pytest.raises(InvalidInput, match="result: cannot be written as JSON"):
        catalog.jobs.finish(job.id, "one", "done", float("nan"), None, 50)
    assert catalog.jobs.get(job.id).status == "running"


def test_cancelling_a_queued_job_ends_it(catalog, job):
    cancelled = catalog.jobs.cancel(job.id, 20)
    assert (cancelled.status, cancelled.ended_time) == ("cancelled", 20)
    assert catalog.jobs.get(job.id) == cancelled
    assert catalog.jobs.take("one", 30, 30) is None


def test_cancelling_a_running_job_asks_it_to_stop(catalog, job):
    taken = catalog.jobs.take("one", now=10, lease=30)
    asked = catalog.jobs.cancel(job.id, 20)
    assert asked == dataclasses.replace(taken, cancel_asked=True)
    assert catalog.jobs.cancel(job.id, 21) == asked
    assert not catalog.jobs.renew(job.id, "one", 100, 0.5)
    assert catalog.jobs.finish(job.id, "one", "cancelled", None, None, 30)
    assert catalog.jobs.get(job.id).status == "cancelled"


def test_cancelling_an_ended_job_changes_nothing(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    catalog.jobs.finish(job.id, "one", "done", 5, None, 50)
    done = catalog.jobs.get(job.id)
    assert catalog.jobs.cancel(job.id, 60) == done
    with pytest.raises(NotFound, match="no job 7000000"):
        catalog.jobs.cancel(7_000_000, 60)


def test_a_job_that_was_cancelled_and_lost_its_runner_ends(catalog, job):
    catalog.jobs.take("one", now=10, lease=30)
    catalog.jobs.cancel(job.id, 20)
    assert catalog.jobs.take("two", now=39, lease=30) is None
    assert catalog.jobs.get(job.id).status == "running"
    assert catalog.jobs.take("two", now=40, lease=30) is None
    ended = catalog.jobs.get(job.id)
    assert (ended.status, ended.ended_time, ended.attempts) == ("cancelled", 40, 1)


def test_jobs_are_listed_the_newest_first(catalog, user):
    mine = [catalog.jobs.create("summary", {"n": n}, user.id, n) for n in range(4)]
    operators = catalog.jobs.create("summary", {}, None, 9)
    everything = catalog.jobs.list(limit=2)
    assert (list(everything.items), everything.total) == ([operators, mine[3]], 5)
    page = catalog.jobs.list(user_id=user.id, limit=2, offset=1)
    assert (list(page.items), page.total) == ([mine[2], mine[1]], 4)


def test_a_list_of_jobs_has_no_results(catalog, user):
    job = catalog.jobs.create("summary", {"n": 1}, user.id, 5)
    catalog.jobs.take("one", 10, 30)
    catalog.jobs.finish(job.id, "one", "done", {"large": [1, 2]}, None, 11)
    [listed] = catalog.jobs.list(limit=9).items
    assert listed == dataclasses.replace(catalog.jobs.get(job.id), result=None)


def test_the_jobs_that_wait_are_counted_by_user(catalog, user):
    for owner in (user.id, user.id, user.id, None):
        catalog.jobs.create("summary", {}, owner, 5)
    catalog.jobs.take("one", 10, 30)
    assert catalog.jobs.queued(user.id) == 2
    assert catalog.jobs.queued(None) == 1
    assert catalog.jobs.queued(user.id + 1) == 0


def test_jobs_that_ended_before_a_time_are_removed(catalog):
    early, late, open_ = (catalog.jobs.create("summary", {}, None, 5) for _ in range(3))
    catalog.jobs.cancel(early.id, 9)
    catalog.jobs.cancel(late.id, 10)
    assert catalog.jobs.expire(before=10) == 1
    assert [job.id for job in catalog.jobs.list(limit=9).items] == [open_.id, late.id]
    assert catalog.jobs.expire(before=10) == 0


def test_however_many_owners_race_each_job_is_taken_once(catalog):
    jobs = {catalog.jobs.create("summary", {}, None, 5).id for _ in range(60)}

    def work(owner):
        taken = []
        while job := catalog.jobs.take(owner, now=10, lease=30):
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = [job for each in threads.map(work, map(str, range(8))) for job in each]
    assert sorted(taken) == sorted(jobs)
    assert {job.attempts for job in catalog.jobs.list(limit=100).items} == {1}


def test_a_job_is_there_for_each_of_as_many_owners(catalog):
    for _ in range(5):
        jobs = {catalog.jobs.create("summary", {}, None, 5).id for _ in range(6)}
        with ThreadPoolExecutor(6) as threads:
            taken = list(threads.map(lambda n: catalog.jobs.take(str(n), 10, 30), range(6)))
        assert {job.id for job in taken} == jobs


OWNERS = st.sampled_from(["one", "two"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create")),
        st.tuples(st.just("take"), OWNERS, st.integers(1, 5)),
        st.tuples(st.just("renew"), OWNERS, st.integers(0, 3), st.integers(1, 5)),
        st.tuples(st.just("finish"), OWNERS, st.integers(0, 3), st.sampled_from(sorted(ENDED))),
        st.tuples(st.just("give_back"), OWNERS, st.integers(0, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 4)),
    ),
    max_size=25,
)


class Model:
    """The leases in a few lines of Python, to hold the databases against."""

    def __init__(self):
        self.jobs = []

    def create(self, time):
        self.jobs.append(
            {"status": "queued", "owner": None, "until": None, "asked": False, "attempts": 0}
        )

    def take(self, time, owner, lease):
        taken = None
        for number, job in enumerate(self.jobs):
            died = job["status"] == "running" and job["until"] <= time
            waits = died or job["status"] == "queued"
            if waits and job["asked"]:
                job.update(status="cancelled", owner=None, until=None)
            elif taken is None and waits:
                job.update(status="running", owner=owner, until=time + lease)
                job["attempts"] += 1
                taken = number
        return taken

    def renew(self, time, owner, number, lease):
        job = self._held(owner, number)
        if job is None or job["asked"]:
            return False
        job.update(until=time + lease)
        return True

    def give_back(self, time, owner, number):
        job = self._held(owner, number)
        if job is None:
            return False
        job.update(status="queued", owner=None, until=None, attempts=job["attempts"] - 1)
        return True

    def finish(self, time, owner, number, status):
        job = self._held(owner, number)
        if job is None:
            return False
        job.update(status=status, owner=None, until=None)
        return True

    def cancel(self, time, number):
        if number >= len(self.jobs):
            return
        job = self.jobs[number]
        if job["status"] == "queued":
            job.update(status="cancelled", asked=True)
        elif job["status"] == "running":
            job.update(asked=True)

    def _held(self, owner, number):
        job = self.jobs[number] if number < len(self.jobs) else None
        return job if job and job["status"] == "running" and job["owner"] == owner else None


class Real:
    """The same steps on a catalog, jobs numbered from 0."""

    def __init__(self, jobs):
        self._jobs, self._ids = jobs, []

    def create(self, time):
        self._ids.append(self._jobs.create("summary", {}, None, time).id)

    def take(self, time, owner, lease):
        job = self._jobs.take(owner, time, lease)
        return None if job is None else self._ids.index(job.id)

    def renew(self, time, owner, number, lease):
        return self._jobs.renew(self._id(number), owner, time + lease, 0.5)

    def give_back(self, time, owner, number):
        return self._jobs.give_back(self._id(number), owner)

    def finish(self, time, owner, number, status):
        return self._jobs.finish(self._id(number), owner, status, None, None, time)

    def cancel(self, time, number):
        if number < len(self._ids):
            self._jobs.cancel(self._id(number), time)

    def _id(self, number):
        return self._ids[number] if number < len(self._ids) else 7_000_000

    @property
    def jobs(self):
        return [
            {
                "status": job.status,
                "owner": job.lease_owner,
                "until": job.lease_until,
                "asked": job.cancel_asked,
                "attempts": job.attempts,
            }
            for job in map(self._jobs.get, self._ids)
        ]


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_leases_behave_as_the_model_says(catalog, steps):
    for job in catalog.jobs.list(limit=1_000).items:  # what the example before has left
        catalog.jobs.cancel(job.id, 0)
    catalog.jobs.take("cleaner", 10**9, 1)
    model, real, now = Model(), Real(catalog.jobs), 1
    for name, *arguments in steps:
        if name == "wait":
            now += arguments[0]
            continue
        assert getattr(real, name)(now, *arguments) == getattr(model, name)(now, *arguments)
        assert real.jobs == model.jobs
