"""What holds for whoever runs jobs: threads of the server, or Celery on Redis or RabbitMQ."""

import os
import signal

from tests.waiting import PATIENCE_SECONDS


def test_jobs_are_run_and_their_results_kept(jobs):
    jobs.start()
    asked = [jobs.ask("double", n=n) for n in range(20)]
    assert [jobs.wait_for(job).result for job in asked] == [2 * n for n in range(20)]


def test_jobs_asked_for_while_nobody_ran_them_are_run_later(jobs):
    asked = [jobs.ask("double", n=n) for n in range(3)]
    jobs.start()
    assert [jobs.wait_for(job).result for job in asked] == [0, 2, 4]


def test_a_running_job_tells_how_far_it_is(jobs):
    jobs.start()
    job = jobs.ask("block")
    jobs.until(lambda: jobs.get(job).progress == 0.5)
    assert jobs.get(job).status == "running"
    jobs.go()
    assert jobs.wait_for(job).progress == 1.0


def test_a_running_job_is_called_off(jobs):
    jobs.start()
    job = jobs.ask("block")
    jobs.began()
    jobs.catalog.jobs.cancel(job.id, runner_time(jobs))
    assert jobs.wait_for(job, "cancelled").result is None
    other = jobs.ask("double", n=4)
    assert jobs.wait_for(other).result == 8


def test_a_waiting_job_that_was_called_off_is_not_run(jobs):
    job = jobs.ask("block")
    jobs.catalog.jobs.cancel(job.id, runner_time(jobs))
    jobs.start()
    jobs.wait_for(jobs.ask("double", n=1))
    assert jobs.get(job).status == "cancelled"
    assert not (jobs.directory / "began").exists()


def test_a_failed_job_says_why(jobs):
    jobs.start()
    wrong, defect = jobs.ask("wrong"), jobs.ask("defect")
    assert jobs.wait_for(wrong, "failed").error == "n: this is not the right question"
    assert "an error inside the program" in jobs.wait_for(defect, "failed").error


def test_a_job_that_takes_too_long_fails(make_jobs, broker):
    jobs = make_jobs(broker, job_seconds_max=3.0)
    jobs.start()
    block = jobs.ask("block")
    assert "took longer than 3 seconds" in jobs.wait_for(block, "failed").error
    assert jobs.wait_for(jobs.ask("double", n=3)).result == 6


def test_a_job_that_listens_to_nobody_fails_in_time(make_jobs, broker):
    jobs = make_jobs(broker, job_seconds_max=1.0)
    jobs.start()
    deaf = jobs.ask("deaf")
    assert "took longer than 1 seconds" in jobs.wait_for(deaf, "failed").error


def test_a_job_whose_worker_is_killed_is_finished_by_another(jobs):
    first = jobs.start()
    job = jobs.ask("block")
    (pid,) = jobs.began()
    first.kill()
    first.wait()
    if pid != first.pid:
        # Celery's children end with their parent, if not at the same moment.
        jobs.until(lambda: not alive(pid))
    jobs.start()
    jobs.began(times=2)
    jobs.go()
    ended = jobs.wait_for(job)
    assert ended.result == jobs.began(times=2)[1]
    assert ended.attempts == 2


def test_a_worker_that_is_told_to_stop_gives_its_job_back(jobs):
    first = jobs.start()
    job = jobs.ask("block")
    (pid,) = jobs.began()
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_SECONDS) == 0
    jobs.start()
    jobs.began(times=2)
    jobs.go()
    assert jobs.wait_for(job).result != pid


def test_two_workers_share_the_jobs_and_do_none_twice(make_jobs, broker):
    jobs = make_jobs(broker, lease_seconds=100)
    jobs.start()
    jobs.start()
    asked = [jobs.ask("double", n=n) for n in range(30)]
    ended = [jobs.wait_for(job) for job in asked]
    assert [job.result for job in ended] == [2 * n for n in range(30)]
    assert {job.attempts for job in ended} == {1}


def runner_time(jobs):
    return max(row.created_time for row in jobs.catalog.jobs.list(limit=10).items)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
