"""Questions that are asked now and answered later.

A job is a row in the catalog (`domain.job`); whoever runs it holds a lease, which a second thread
renews while the work goes on, so that a job whose runner died is taken by another, and one that
is cancelled learns of it. A job may therefore run more than once: its work changes nothing, or
nothing that doing it twice would change again.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import Any, Protocol

from barograph.domain.errors import (
    BarographError,
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from barograph.domain.job import Job
from barograph.domain.limits import Limits
from barograph.domain.time import SECOND
from barograph.domain.user import Principal, Role, require_writing_token
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.job_queue import JobQueue
from barograph.ports.page import Page
from barograph.services.slices import Report

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 3
LEASE = 30 * SECOND
RENEW_SECONDS = 1.0
"""How often a running job's lease and progress are written, and its cancelling is noticed."""

_RETRY_AFTER_SECONDS = 30.0
_RANK: Mapping[Role, int] = {"viewer": 0, "member": 1, "admin": 2}


class Kind(Protocol):
    """What a job of some kind does."""

    def check(self, principal: Principal, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The question as it is kept, in JSON's types, times absolute.

        Raises `InvalidInput`, `NotFound`, `Forbidden`.
        """

    def run(self, principal: Principal, question: Mapping[str, Any], report: Report) -> Any:
        """The answer to what `check` returned, in JSON's types. May run twice.

        `report` must be called every few seconds; it raises where the work shall stop.
        """


class _Stop(Exception):
    """The work shall stop: the job was cancelled or lost, or the program ends."""


@dataclass(slots=True)
class _Hold:
    """What the worker and the thread that renews the lease tell each other."""

    progress: float = 0.0
    lost: bool = False
    """The job is not ours any more, was cancelled, or took too long."""
    given_back: bool = False
    """Whoever comes next shall have it at once."""


class JobService:
    """Asks for, shows, cancels and runs jobs."""

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        limits: Limits,
        queue: JobQueue,
        kinds: Mapping[str, Kind],
        *,
        lease: int = LEASE,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """`before` is called before each job is run, in the thread that runs it.

        `lease` (microseconds): how long a runner is believed to live without a sign of it.
        """
        self._catalog = catalog
        self._clock = clock
        self._limits = limits
        self._queue = queue
        self._kinds = kinds
        self._lease = lease
        self._before = before

    # For those who ask

    def ask(self, principal: Principal, kind: str, given: Mapping[str, Any]) -> Job:
        """A new job; the question is checked before.

        Raises what the kind's `check` raises, and `TooManyRequests`.
        """
        question = self._kinds[kind].check(principal, given)
        waiting = self._catalog.jobs.queued(principal.user_id)
        if waiting >= self._limits.jobs_queued_max:
            raise TooManyRequests(
                f"{waiting} jobs are waiting already: let some finish, or cancel some",
                _RETRY_AFTER_SECONDS,
            )
        envelope = {"asker": _asker(principal), "question": question}
        job = self._catalog.jobs.create(kind, envelope, principal.user_id, self._clock())
        self._queue.announce(job.id)
        return job

    def get(self, principal: Principal, job_id: int) -> Job:
        """The job; raises `NotFound` also for another user's."""
        job = self._catalog.jobs.get(job_id)
        if job is None or not _may_see(principal, job):
            raise NotFound("there is no such job")
        return job

    def list(self, principal: Principal, *, limit: int, offset: int = 0) -> Page[Job]:
        """The jobs that `principal` may see, the newest first; raises `Forbidden` for devices."""
        if principal.kind == "device":
            raise Forbidden("a device's token lists no jobs")
        user_id = None if principal.is_admin else principal.user_id
        return self._catalog.jobs.list(user_id=user_id, limit=limit, offset=offset)

    def cancel(self, principal: Principal, job_id: int) -> Job:
        """The job as it is after asking it to stop; one that has ended stays as it is.

        Raises `NotFound`, and `Forbidden` for a token that reads only.
        """
        self.get(principal, job_id)
        require_writing_token(principal)
        return self._catalog.jobs.cancel(job_id, self._clock())

    # For those who run

    def run(
        self,
        owner: str,
        job_id: int | None = None,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Take the oldest waiting job (or `job_id`) and run it to its end; False without one.

        `owner` names the runner, unique over all processes. When `stopping` turns true the job is
        given back, to be taken by the next runner at once.
        """
        job = self._catalog.jobs.take(owner, self._clock(), self._lease, job_id)
        if job is None:
            return False
        if job.attempts > ATTEMPTS_MAX:
            self._fail(job, owner, f"given up: {ATTEMPTS_MAX} attempts ended without an answer")
            return True
        with self._holding(job, owner) as hold:
            self._work(job, owner, hold, stopping)
        if hold.given_back:
            self._catalog.jobs.give_back(job.id, owner)
        return True

    def _work(self, job: Job, owner: str, hold: _Hold, stopping: Callable[[], bool]) -> None:
        def report(progress: float) -> None:
            hold.progress = max(hold.progress, min(progress, 1.0))
            if hold.lost or stopping():
                raise _Stop

        try:
            report(0.0)
            self._before()
            principal = self._principal(job)
            kind = self._kinds.get(job.kind)
            if kind is None:
                raise NotFound(f"this program knows no jobs of the kind {job.kind!r}")
            result = kind.run(principal, job.question["question"], report)
        except _Stop:
            self._stopped(job, owner, hold)
        except Unavailable as error:
            logger.warning("Job %d could not be answered now: %s", job.id, error)
            if job.attempts >= ATTEMPTS_MAX:
                self._fail(job, owner, str(error))
            # Otherwise the lease runs out, and then the job is taken again.
        except BarographError as error:
            self._fail(job, owner, str(error))
        except Exception:
            logger.exception("Job %d failed", job.id)
            self._fail(job, owner, "an error inside the program, which is in its log")
        else:
            self._finish(job, owner, result)

    def _finish(self, job: Job, owner: str, result: Any) -> None:
        try:
            self._catalog.jobs.finish(job.id, owner, "done", result, None, self._clock())
        except InvalidInput as error:
            self._fail(job, owner, f"the answer cannot be kept: {error}")

    def _stopped(self, job: Job, owner: str, hold: _Hold) -> None:
        current = self._catalog.jobs.get(job.id)
        if current is not None and current.cancel_asked:
            self._catalog.jobs.finish(job.id, owner, "cancelled", None, None, self._clock())
        elif not hold.lost:
            hold.given_back = True

    def _fail(self, job: Job, owner: str, error: str) -> None:
        self._catalog.jobs.finish(job.id, owner, "failed", None, error, self._clock())

    def _too_long(self) -> str:
        return (
            f"it took longer than {self._limits.job_seconds_max:g} seconds: ask for less at once, or "
            "raise limits.job_seconds_max"
        )

    def _principal(self, job: Job) -> Principal:
        """Who asked, with the rights of then or of now, whichever are fewer."""
        asker = job.question["asker"]
        role: Role = asker["role"]
        if asker["kind"] == "user":
            user = self._catalog.users.get(asker["user_id"])
            if user is None:
                raise Unauthenticated("the user who asked is no longer there")
            role = min(role, user.role, key=lambda one: _RANK[one])
        return Principal(asker["kind"], asker["user_id"], asker["device_id"], role)

    @contextmanager
    def _holding(self, job: Job, owner: str) -> Iterator[_Hold]:
        hold = _Hold()
        ended = Event()
        over = monotonic() + self._limits.job_seconds_max

        def renew() -> None:
            while not ended.wait(RENEW_SECONDS):
                until = self._clock() + self._lease
                try:
                    if monotonic() > over:
                        self._fail(job, owner, self._too_long())
                        hold.lost = True
                        return
                    if not self._catalog.jobs.renew(job.id, owner, until, hold.progress):
                        hold.lost = True
                        return
                except Unavailable as error:
                    logger.warning("The lease of job %d was not renewed: %s", job.id, error)

        renewer = Thread(target=renew, name=f"job-{job.id}-lease", daemon=True)
        renewer.start()
        try:
            yield hold
        finally:
            ended.set()
            renewer.join()


def _asker(principal: Principal) -> dict[str, Any]:
    return {
        "kind": principal.kind,
        "user_id": principal.user_id,
        "device_id": principal.device_id,
        "role": principal.role,
    }


def _may_see(principal: Principal, job: Job) -> bool:
    if principal.is_admin:
        return True
    if principal.kind == "device":
        asker = job.question["asker"]
        return bool(asker["kind"] == "device" and asker["device_id"] == principal.device_id)
    return principal.user_id is not None and job.user_id == principal.user_id
