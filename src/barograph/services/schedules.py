"""Reports on a schedule: keeping the schedules, and asking for what is due.

A process that finds a schedule due takes its lease, asks for the report as a job, and notes when
the next is due. Should it die in between, another does the same when the lease runs out, and the
report is made once all the same: its key is made of the schedule and the moment it was due. After
a pause, however long, the latest moment that was missed is made up for, and the others are not.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from barograph.domain.errors import (
    BarographError,
    InvalidInput,
    NotFound,
    Problem,
    TooManyRequests,
    Unavailable,
)
from barograph.domain.job import Job
from barograph.domain.limits import Limits
from barograph.domain.report import FORMS, Form, Schedule, Way
from barograph.domain.time import MINUTE, parse_zone
from barograph.domain.user import Principal, require_member
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.notifier import Notifier
from barograph.ports.page import Page
from barograph.services.analytics import Analytics
from barograph.services.audit import Audit
from barograph.services.cron import check_cron, latest_until, next_after
from barograph.services.jobs import JobService
from barograph.services.names import check_name
from barograph.services.report_making import ReportMaking
from barograph.services.report_question import read
from barograph.services.reports import require_person

logger = logging.getLogger(__name__)

LEASE = MINUTE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a schedule shall be."""

    name: str
    question: Mapping[str, Any]
    """As `services.report_question` reads it."""
    cron: str
    email: Sequence[str] = ()
    webhook: Sequence[str] = ()
    formats: Sequence[Form] = ("pdf",)
    enabled: bool = True


class ScheduleService:
    """Keeps schedules and runs them; each call but `run_due` checks the right to do so."""

    def __init__(
        self,
        catalog: Catalog,
        analytics: Analytics,
        jobs: JobService,
        notifiers: Mapping[Way, Notifier],
        clock: Clock,
        limits: Limits,
        audit: Audit,
    ) -> None:
        """`notifiers` are the ways that are configured."""
        self._catalog = catalog
        self._analytics = analytics
        self._jobs = jobs
        self._notifiers = notifiers
        self._clock = clock
        self._limits = limits
        self._audit = audit

    # For those who ask

    def create(self, principal: Principal, wanted: Wanted) -> Schedule:
        """A new schedule, for who asks; raises `InvalidInput`, `NotFound`, `Forbidden`, `Conflict`."""
        require_member(principal)
        now = self._clock()
        question = self._check(principal, wanted, now)
        schedule = Schedule(
            0,
            wanted.name,
            question,
            wanted.cron,
            principal.user_id,
            {"kind": principal.kind, "user_id": principal.user_id, "role": principal.role},
            tuple(wanted.email),
            tuple(wanted.webhook),
            tuple(wanted.formats),
            wanted.enabled,
            now,
            self._next(wanted.cron, question, now) if wanted.enabled else None,
        )
        with self._audit.along_with(principal, "report.schedule", _told):
            return self._catalog.schedules.create(schedule, self._limits.schedules_max)

    def get(self, principal: Principal, schedule_id: int) -> Schedule:
        """The schedule; raises `NotFound` also for another user's."""
        require_person(principal)
        found = self._catalog.schedules.get(schedule_id)
        if found is None or not (principal.is_admin or found.user_id == principal.user_id):
            raise NotFound("there is no such schedule")
        return found

    def list(self, principal: Principal, *, limit: int = 100, offset: int = 0) -> Page[Schedule]:
        """The schedules that `principal` may see, in order of id."""
        require_person(principal)
        user_id = None if principal.is_admin else principal.user_id
        limit = min(limit, self._limits.page_items_max)
        return self._catalog.schedules.list(user_id=user_id, limit=limit, offset=offset)

    def update(self, principal: Principal, schedule_id: int, **changes: Any) -> Schedule:
        """Set some fields of `Wanted`; raises what `create` raises."""
        found = self.get(principal, schedule_id)
        require_member(principal)
        if not changes:
            return found
        wanted = replace(wanted_of(found), **changes)
        now = self._clock()
        fields = asdict(wanted)
        fields["question"] = self._check(principal, wanted, now)
        fields["next_time"] = (
            self._next(wanted.cron, fields["question"], now) if wanted.enabled else None
        )
        with self._audit.along_with(principal, "report.schedule", _told):
            return self._catalog.schedules.update(schedule_id, fields)

    def delete(self, principal: Principal, schedule_id: int) -> None:
        """Remove the schedule; the reports that it yielded stay."""
        found = self.get(principal, schedule_id)
        require_member(principal)
        with self._audit.along(principal, "report.unschedule", found.name, found.id):
            self._catalog.schedules.delete(schedule_id)

    def run(self, principal: Principal, schedule_id: int) -> Job:
        """The job of the schedule's report as of now, besides those it yields when due."""
        found = self.get(principal, schedule_id)
        require_member(principal)
        return self._ask(found, self._clock())

    # For the program

    def run_due(self) -> bool:
        """Ask for one report that is due; whether there was one. Raises `Unavailable`."""
        now = self._clock()
        schedule = self._catalog.schedules.take_due(now, LEASE)
        if schedule is None:
            return False
        job_id, error = None, None
        zone = parse_zone(schedule.question["tz"])
        due = latest_until(schedule.cron, now, zone) or now
        try:
            job_id = self._ask(schedule, max(due, schedule.next_time or due)).id
        except (TooManyRequests, Unavailable) as failure:
            logger.warning("Report %r waits: %s", schedule.name, failure)
            return True  # the lease runs out, and then it is tried again
        except BarographError as failure:
            logger.warning("Report %r cannot be made: %s", schedule.name, failure)
            error = str(failure)
        self._catalog.schedules.done(
            schedule,
            last_time=due,
            next_time=next_after(schedule.cron, now, zone),
            job_id=job_id,
            error=error,
        )
        return True

    def _ask(self, schedule: Schedule, due: int) -> Job:
        given = {
            "key": f"schedule-{schedule.id}-{due}",
            "name": schedule.name,
            "now": due,
            "schedule": schedule.id,
            "asked": schedule.question,
        }
        asker = schedule.asker
        principal = Principal(asker["kind"], asker["user_id"], role=asker["role"])
        return self._jobs.ask(principal, ReportMaking.KIND, given)

    def _next(self, cron: str, question: Mapping[str, Any], now: int) -> int | None:
        return next_after(cron, now, parse_zone(question["tz"]))

    def _check(self, principal: Principal, wanted: Wanted, now: int) -> Mapping[str, Any]:
        """The question as it is kept."""
        check_name("name", wanted.name)
        asked = read(wanted.question, self._analytics, principal, now)
        question = asked.to_json()
        if not asked.period:
            raise InvalidInput.of(
                "start_time", "a schedule needs a period that moves, see `period`"
            )
        zone = parse_zone(question["tz"])
        check_cron(wanted.cron, now, zone, self._limits.report_minutes_min)
        unknown = [form for form in wanted.formats if form not in FORMS]
        if unknown or len(set(wanted.formats)) != len(wanted.formats):
            raise InvalidInput.of("formats", f"use each of {', '.join(FORMS)} at most once")
        self._check_targets(principal, "email", wanted.email)
        self._check_targets(principal, "webhook", wanted.webhook)
        return question

    def _check_targets(self, principal: Principal, way: Way, targets: Sequence[str]) -> None:
        if not targets:
            return
        if len(set(targets)) != len(targets) or len(targets) > self._limits.report_targets_max:
            raise InvalidInput.of(
                way, f"name at most {self._limits.report_targets_max}, each of them once"
            )
        notifier = self._notifiers.get(way)
        if notifier is None:
            raise InvalidInput([Problem(way, _UNCONFIGURED[way])])
        user = None if principal.user_id is None else self._catalog.users.get(principal.user_id)
        for target in targets:
            notifier.check(principal, None if user is None else user.email, target)


_UNCONFIGURED: Mapping[Way, str] = {
    "email": "this server sends no e-mail: its settings smtp_url and mail_from are not set",
    "webhook": "this server calls no webhooks: its setting webhooks names none",
}


def _told(schedule: Schedule) -> dict[str, Any]:
    """What the log of who did what says of it."""
    to = [*schedule.email, *schedule.webhook]
    return {"cron": schedule.cron, "enabled": schedule.enabled, "to": to}


def wanted_of(schedule: Schedule) -> Wanted:
    """What the schedule was asked to be."""
    return Wanted(
        schedule.name,
        schedule.question,
        schedule.cron,
        schedule.email,
        schedule.webhook,
        schedule.formats,
        schedule.enabled,
    )
