"""A process that runs jobs: `runner.py CATALOG BROKER INSTALLATION DIRECTORY SECONDS_MAX LEASE LOOK`.

BROKER is `in_process` for the threads of the default runner. What its kinds of jobs do, they do with
files in DIRECTORY, so that a test in another process can see and steer it.
"""

import logging
import os
import signal
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits
from barograph.domain.time import SECOND
from barograph.jobs.celery_app import make_app
from barograph.jobs.celery_queue import CeleryQueue
from barograph.jobs.celery_worker import CeleryWorker
from barograph.jobs.in_process import InProcessRunner
from barograph.services.jobs import JobService
from barograph.stores.catalog.catalog import SqlCatalog


def now():
    return time.time_ns() // 1000


class Kind:
    def __init__(self, run):
        self._run = run

    def check(self, principal, given):
        return dict(given)

    def run(self, principal, question, report):
        return self._run(question, report)


def kinds(directory):
    def double(question, report):
        return question["n"] * 2

    def block(question, report):
        """Note the process, then work until the file `go` appears."""
        with (directory / "began").open("a") as began:
            began.write(f"{os.getpid()}\n")
        while not (directory / "go").exists():
            report(0.5)
            Event().wait(0.01)
        return os.getpid()

    def deaf(question, report):
        """Works without ever saying so."""
        (directory / "began").touch()
        Event().wait(3600)

    def wrong(question, report):
        raise InvalidInput.of("n", "this is not the right question")

    def defect(question, report):
        raise RuntimeError("a defect")

    found = {"double": double, "block": block, "deaf": deaf, "wrong": wrong, "defect": defect}
    return {name: Kind(run) for name, run in found.items()}


def service(catalog, queue, directory, job_seconds_max, lease_seconds):
    limits = Limits(job_seconds_max=job_seconds_max)
    return JobService(catalog, now, limits, queue, kinds(directory), lease=lease_seconds * SECOND)


def main():
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    url, broker, installation, directory, seconds, lease, look = sys.argv[1:]
    directory, seconds, lease, look = Path(directory), float(seconds), int(lease), float(look)
    if broker == "in_process":
        runner = InProcessRunner(look_seconds=look)
        with closing(SqlCatalog(url)) as catalog:
            runner.start(service(catalog, runner, directory, seconds, lease))
            signal.sigwait({signal.SIGTERM})
            runner.stop()
        return 0
    app = make_app(broker, installation, seconds)

    @contextmanager
    def opened():
        with closing(SqlCatalog(url)) as catalog, closing(CeleryQueue(app)) as queue:
            yield service(catalog, queue, directory, seconds, lease)

    return CeleryWorker(app, opened, 1, look_seconds=look).run()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM} if "in_process" in sys.argv else ())
    sys.exit(main())
