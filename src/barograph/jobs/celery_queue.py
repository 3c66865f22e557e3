"""Announces jobs by Celery: the server's side of the queue."""

import logging
from threading import Condition, Thread

from celery import Celery
from kombu.exceptions import OperationalError

from barograph.jobs.celery_app import TASK

logger = logging.getLogger(__name__)

_RETRY = {"max_retries": 1, "interval_start": 0.0, "interval_max": 0.0}


class CeleryQueue:
    """A `ports.job_queue.JobQueue`. A thread of its own sends, so that a slow broker keeps nobody waiting."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._changed = Condition()
        self._due = 0
        self._closing = False
        self._lost = False
        self._thread = Thread(target=self._send, name="jobs-announcer", daemon=True)
        self._thread.start()

    def announce(self, job_id: int) -> None:
        """Send one message soon; which job it is about does not matter."""
        del job_id
        with self._changed:
            self._due += 1
            self._changed.notify()

    def problem(self) -> str | None:
        """What is wrong with the broker, found out by looking."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_max=0)
        except Exception as error:  # noqa: BLE001  # each transport has its own, and its driver's
            self._note(error)
            return f"the broker of jobs does not answer ({error}): jobs begin some seconds later"
        self._note(None)
        return None

    def close(self) -> None:
        """Send what is due, if that works, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._app.close()

    def _send(self) -> None:
        while True:
            with self._changed:
                while not self._due and not self._closing:
                    self._changed.wait()
                due = self._due
                if not due:
                    return
            try:
                for _ in range(due):
                    self._app.send_task(TASK, retry=True, retry_policy=_RETRY)
            except Exception as error:  # noqa: BLE001  # as above
                self._note(error)
            else:
                self._note(None)
            # What could not be sent is found by the next worker that looks for itself.
            with self._changed:
                self._due -= due

    def _note(self, error: Exception | None) -> None:
        if error is not None and not self._lost:
            reason = error.__cause__ if isinstance(error, OperationalError) else error
            logger.warning(
                "The broker of jobs does not answer: jobs begin some seconds later (%s)",
                reason or error,
            )
        elif error is None and self._lost:
            logger.warning("The broker of jobs answers again")
        self._lost = error is not None
