"""Runs jobs in threads of this process.

The threads sleep until a job is announced; that they also look by themselves now and then is what
finds the jobs of a runner that died, and those that were waiting when the program started.
"""

import logging
import os
import secrets
import socket
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic

from barograph.domain.errors import Unavailable
from barograph.services.jobs import JobService

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_STOP_SECONDS_MAX = 10.0


class InProcessRunner:
    """A `ports.job_queue.JobQueue` and the threads behind it."""

    def __init__(self, threads: int = 1, look_seconds: float = _LOOK_SECONDS) -> None:
        """At most `threads` jobs run at a time; an idle thread looks every `look_seconds`."""
        self._announced: SimpleQueue[int | None] = SimpleQueue()
        self._count = threads
        # Together the idle threads look at most once in `look_seconds`.
        self._look_seconds = look_seconds * threads
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def announce(self, job_id: int) -> None:
        """Wake a thread."""
        self._announced.put(job_id)

    def start(self, jobs: JobService) -> None:
        """Begin to run jobs, first those that are waiting already."""
        for number in range(self._count):
            name = f"{self._owner}:{number}"
            thread = Thread(
                target=self._serve, args=(jobs, name), name=f"jobs-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Give back what is running as soon as it can be interrupted, and end the threads.

        What cannot be interrupted in time is left behind, and taken by another runner when its
        lease runs out.
        """
        self._stopping.set()
        for _ in self._threads:
            self._announced.put(None)
        deadline = monotonic() + _STOP_SECONDS_MAX
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
            if thread.is_alive():
                logger.warning("A job could not be interrupted within %g s", _STOP_SECONDS_MAX)

    def _serve(self, jobs: JobService, owner: str) -> None:
        while not self._stopping.is_set():
            try:
                while jobs.run(owner, stopping=self._stopping.is_set):
                    if self._stopping.is_set():
                        return
            except Unavailable as error:
                logger.warning("Jobs wait until the catalog answers again: %s", error)
            except Exception:
                # Whatever it was, the jobs that come after it must still be run.
                logger.exception("A job could not be run to its end")
            with suppress(Empty):
                self._announced.get(timeout=self._look_seconds)
