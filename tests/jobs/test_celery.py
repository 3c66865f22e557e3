"""What Celery adds: a broker that can be away, forget, and say no."""

import os
import signal
import socket
import threading
from contextlib import closing, suppress

import pytest

from barograph.domain.errors import ConfigurationError
from barograph.jobs.celery_app import make_app


def test_jobs_are_run_while_the_broker_is_away_and_when_it_is_back(make_jobs, private_redis):
    jobs = make_jobs(private_redis.url)
    jobs.start()
    jobs.wait_for(jobs.ask("double", n=1))
    private_redis.kill()
    assert "does not answer" in jobs.queue.problem()
    # The workers look for themselves meanwhile.
    assert jobs.wait_for(jobs.ask("double", n=2)).result == 4
    private_redis.start()
    jobs.until(lambda: jobs.queue.problem() is None)
    assert jobs.wait_for(jobs.ask("double", n=3)).result == 6


def test_a_job_goes_on_and_ends_once_while_redis_restarts_empty(make_jobs, private_redis):
    jobs = make_jobs(private_redis.url, lease_seconds=100)
    jobs.start()
    running, waiting = jobs.ask("block"), jobs.ask("double", n=5)
    jobs.began()
    private_redis.kill()
    private_redis.start()
    jobs.go()
    ended = jobs.wait_for(running)
    assert ended.attempts == 1
    assert jobs.wait_for(waiting).result == 10


class Proxy:
    """Passes connections on to a broker, until it cuts them."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(self._target)
                self._open += [here, there]
                for a, b in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Close every connection, in whatever it is doing."""
        connections, self._open = self._open, []
        for one in connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self):
        self._listening.close()
        self.cut()


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"], indirect=True)
def test_cut_connections_lose_no_job_and_run_none_twice(make_jobs, broker):
    scheme, _, rest = broker.partition("://")
    where = rest.rpartition("@")[2]
    address, slash, path = where.partition("/")
    host, _, port = address.partition(":")
    credentials = rest[: len(rest) - len(where)]
    with closing(Proxy(host, int(port))) as proxy:
        url = f"{scheme}://{credentials}127.0.0.1:{proxy.port}{slash}{path}"
        jobs = make_jobs(url, lease_seconds=100)
        jobs.start()
        running = jobs.ask("block")
        jobs.began()
        proxy.cut()
        waiting = [jobs.ask("double", n=n) for n in range(5)]
        proxy.cut()
        jobs.go()
        assert jobs.wait_for(running).attempts == 1
        assert [jobs.wait_for(job).result for job in waiting] == [0, 2, 4, 6, 8]
        jobs.close()
        jobs.close = lambda: None


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"], indirect=True)
def test_a_process_killed_in_the_middle_has_its_job_finished_by_its_siblings(jobs):
    jobs.start()
    job = jobs.ask("block")
    (pid,) = jobs.began()
    os.kill(pid, signal.SIGKILL)
    second = jobs.began(times=2)[1]
    jobs.go()
    assert jobs.wait_for(job).result == second != pid


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"], indirect=True)
def test_an_announcement_wakes_a_worker_that_would_not_look_for_long(make_jobs, broker):
    jobs = make_jobs(broker)
    jobs.start(look_seconds=3600)
    assert jobs.wait_for(jobs.ask("double", n=21)).result == 42


@pytest.mark.parametrize("url", ["kafka://x", "http://x", "localhost:6379", "redis"])
def test_a_broker_that_cannot_be_used_is_refused(url):
    with pytest.raises(ConfigurationError, match="Redis or RabbitMQ"):
        make_app(url, "test", 10)
