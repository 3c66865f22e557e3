"""Where the work is kept that is done later: jobs, reports, and when these are due.

What `ports.catalog` says of all its methods holds for these.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from barograph.domain.job import Job, Status
from barograph.domain.report import Delivery, DeliveryStatus, Form, Report, Schedule, Way
from barograph.ports.page import Page


class Jobs(Protocol):
    """The jobs: the queue is these rows, leased."""

    def create(
        self, kind: str, question: Mapping[str, Any], user_id: int | None, time: int
    ) -> Job: ...
    def get(self, job_id: int) -> Job | None: ...
    def list(self, *, user_id: int | None = None, limit: int, offset: int = 0) -> Page[Job]:
        """The newest first, without their results."""

    def queued(self, user_id: int | None) -> int:
        """How many of the user's jobs nobody has taken yet; for None of those of no user."""

    def take(self, owner: str, now: int, lease: int, job_id: int | None = None) -> Job | None:
        """Lease the oldest job (or `job_id`) that is queued, or running with its lease run out.

        One owner only gets it, however many ask. `attempts` grows by one.
        """

    def renew(self, job_id: int, owner: str, until: int, progress: float) -> bool:
        """Extend the lease and note the progress; False when the work must stop.

        That is when the job is not the owner's any more, or its cancelling was asked for.
        """

    def give_back(self, job_id: int, owner: str) -> bool:
        """Queue the job again, as if the owner had not taken it; False when it is not the owner's."""

    def finish(
        self, job_id: int, owner: str, status: Status, result: Any, error: str | None, time: int
    ) -> bool:
        """End the job; False (and no change) when it is not the owner's any more."""

    def cancel(self, job_id: int, time: int) -> Job:
        """End a queued job as cancelled; ask a running one to stop; leave an ended one."""

    def expire(self, before: int) -> int:
        """Remove the jobs that ended earlier than `before`; how many."""


class Schedules(Protocol):
    """Reports that are made again and again."""

    def create(self, schedule: Schedule, most: int) -> Schedule:
        """Keep a new schedule (`schedule.id` is ignored); `Conflict` beyond `most` of its user.

        Raises `InvalidInput` for an unknown user.
        """

    def get(self, schedule_id: int) -> Schedule | None: ...
    def list(self, *, user_id: int | None = None, limit: int, offset: int = 0) -> Page[Schedule]:
        """In order of id."""

    def update(self, schedule_id: int, changes: Mapping[str, Any]) -> Schedule:
        """Set the named fields of `Schedule`."""

    def delete(self, schedule_id: int) -> None:
        """Remove the schedule; the reports that it yielded stay."""

    def take_due(self, now: int, lease: int) -> Schedule | None:
        """Lease the schedule that is due the longest, if its lease is free. One caller gets it."""

    def done(
        self,
        schedule: Schedule,
        *,
        last_time: int,
        next_time: int | None,
        job_id: int | None,
        error: str | None,
    ) -> bool:
        """Note what came of a leased schedule and free it.

        False and no change where it was changed, or taken by another, since it was leased.
        """


class Reports(Protocol):
    """Reports that were made."""

    def add(
        self,
        report: Report,
        document: bytes,
        deliveries: Sequence[tuple[Way, str, Sequence[Form]]] = (),
    ) -> Report:
        """Keep a new report (`report.id` is ignored), its figures and where to send it.

        Where there is one with its key already, that one is returned and nothing changed.
        """

    def get(self, report_id: int) -> Report | None: ...
    def document(self, report_id: int) -> bytes | None:
        """The figures as they were given to `add`."""

    def list(
        self,
        *,
        user_id: int | None = None,
        schedule_id: int | None = None,
        limit: int,
        offset: int = 0,
    ) -> Page[Report]:
        """The newest first."""

    def delete(self, report_id: int) -> None:
        """Remove the report and its deliveries."""

    def expire(self, before: int, kept_max: int) -> int:
        """Remove reports made earlier than `before`, and of each user the oldest over `kept_max`."""

    def deliveries(self, report_id: int) -> Sequence[Delivery]:
        """Where the report is sent, in order of id."""

    def delivery(self, delivery_id: int) -> Delivery | None: ...
    def take_delivery(self, now: int, until: int) -> Delivery | None:
        """The delivery that is due the longest; it is due again at `until`. One caller gets it."""

    def tried(
        self,
        delivery_id: int,
        status: DeliveryStatus,
        error: str | None,
        next_time: int | None,
        time: int,
    ) -> None:
        """Note an attempt, and whether and when the next follows; a sent one stays as it is."""
