"""`barograph worker`: processes that take the jobs announced by Celery.

Celery's main process only distributes. Each of its child processes opens the catalog and the
readings for itself, after the fork, and looks for itself now and then, as the threads of
`in_process.py` do: that finds the jobs of a runner that died, and those whose announcement was lost,
while the broker is away too.
"""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from multiprocessing import get_context
from threading import Event, Lock, Thread
from typing import Any

from celery import Celery, signals
from celery.exceptions import Reject

from barograph.domain.errors import BarographError
from barograph.jobs.celery_app import TASK
from barograph.services.jobs import JobService

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_END_SECONDS = 5.0


class CeleryWorker:
    """Runs jobs in `processes` processes."""

    def __init__(
        self,
        app: Celery,
        open_jobs: Callable[[], AbstractContextManager[JobService]],
        processes: int,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """`open_jobs` is called in each process, and closed when it ends.

        A process that has nothing to do looks for itself every `look_seconds`.
        """
        self._app = app
        self._processes = processes
        self._child = _Child(open_jobs, look_seconds)
        self._stopping = get_context("fork").Event()
        app.task(name=TASK)(self._take)

    def run(self) -> int:
        """Work until SIGTERM or SIGINT; the program's exit status.

        Running jobs are given back to the queue then, as soon as they can be interrupted.
        """
        # Kept by strong references: Celery's signals know only weak ones otherwise.
        signals.setup_logging.connect(_keep_logging, weak=False)
        signals.worker_process_init.connect(self._begin, weak=False)
        signals.worker_process_shutdown.connect(self._end, weak=False)
        signals.worker_shutting_down.connect(self._stop, weak=False)
        worker: Any = self._app.Worker(
            pool="prefork",
            concurrency=self._processes,
            hostname=f"barograph@{socket.gethostname()}",
            loglevel=logging.getLogger().level,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
        )
        worker.start()
        return worker.exitcode or 0

    def _take(self) -> None:
        self._child.take(self._stopping.is_set)
        if self._stopping.is_set():
            # The job was perhaps given back: somebody else shall look at once.
            raise Reject("the worker stops", requeue=True)

    def _begin(self, **_: Any) -> None:
        self._child.begin(self._stopping.is_set)

    def _end(self, **_: Any) -> None:
        self._child.end()

    def _stop(self, **_: Any) -> None:
        self._stopping.set()


class _Child:
    """What one child process holds, and its thread that looks for itself."""

    def __init__(
        self, open_jobs: Callable[[], AbstractContextManager[JobService]], look_seconds: float
    ) -> None:
        self._open_jobs = open_jobs
        self._look_seconds = look_seconds
        self._opened = ExitStack()
        self._jobs: JobService | None = None
        self._busy = Lock()
        self._ending = Event()

    def begin(self, stopping: Callable[[], bool]) -> None:
        """Start the thread."""
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        Thread(target=self._look, args=(stopping,), name="jobs-look", daemon=True).start()

    def end(self) -> None:
        """Release everything, unless a job cannot be interrupted: then the process just ends."""
        self._ending.set()
        if self._busy.acquire(timeout=_END_SECONDS):
            self._opened.close()

    def take(self, stopping: Callable[[], bool]) -> bool:
        """Run the oldest waiting job; False where there is none, or none can be run now."""
        # A process that is busy takes a message for nothing. Its job is not forgotten: who is done
        # first looks again.
        if not self._busy.acquire(blocking=False):
            return False
        try:
            if self._jobs is None:
                self._jobs = self._opened.enter_context(self._open_jobs())
            return self._jobs.run(self._owner, stopping=stopping)
        except BarographError as error:
            logger.warning("Jobs wait until they can be run: %s", error)
        except Exception:
            # Whatever it was, the jobs that come after it must still be run.
            logger.exception("A job could not be run to its end")
        finally:
            self._busy.release()
        return False

    def _look(self, stopping: Callable[[], bool]) -> None:
        while not self._ending.wait(self._look_seconds):
            while self.take(stopping) and not stopping():
                pass


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone where somebody listens to this signal."""
