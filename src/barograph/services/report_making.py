"""The kind of job that makes a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.limits import Limits
from barograph.domain.period import Interval
from barograph.domain.report import Report as Made
from barograph.domain.report import Schedule
from barograph.domain.statistic import Scalar, Statistic
from barograph.domain.time import HOUR, MINUTE, SECOND, from_text
from barograph.domain.user import Principal, require_device
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.analytics import Analytics
from barograph.services.questions import Question
from barograph.services.registry import Registry
from barograph.services.report_document import Course, Document, Figures, Part, Section
from barograph.services.report_question import DEVICES_MAX, ReportQuestion, bounds, read, time_text
from barograph.services.slices import Report

_COURSE = tuple(Statistic.parse(name) for name in ("min", "mean", "max"))
_STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672)),
)
_STEPS_IN_COURSE = 240
_CHARTS_MAX = 200
_DIGITS = 6
"""Significant digits of a chart's points, of which a screen shows three."""


class ReportMaking:
    """`key`, `name`, `now` and the question of a report; the answer names the report that is kept.

    Running it twice keeps one report, by its key.
    """

    KIND: Final = "report"

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        analytics: Analytics,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._analytics = analytics
        self._clock = clock
        self._limits = limits

    def check(self, principal: Principal, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the job keeps. `schedule` is the one that the report is made for, if any."""
        now = given["now"]
        schedule: int | None = given.get("schedule")
        asked = read(given["asked"], self._analytics, principal, now, checked=schedule is not None)
        return {
            "key": given["key"],
            "name": given["name"],
            "now": now,
            "schedule": schedule,
            "asked": asked.to_json(),
        }

    def run(self, principal: Principal, question: Mapping[str, Any], report: Report) -> Any:
        """Make the report and keep it: `{"report_id": 7}`."""
        now: int = question["now"]
        asked = read(question["asked"], self._analytics, principal, now, checked=True)
        document = self._document(principal, question["name"], asked, now, report)
        schedule_id: int | None = question["schedule"]
        schedule = None if schedule_id is None else self._catalog.schedules.get(schedule_id)
        kept = self._catalog.reports.add(
            Made(
                0,
                question["key"],
                question["name"],
                {
                    **question["asked"],
                    "start_time": document.start_time,
                    "end_time": document.end_time,
                },
                principal.user_id,
                schedule_id,
                self._clock(),
            ),
            document.pack(),
            () if schedule is None else _deliveries(schedule),
        )
        return {"report_id": kept.id}

    def _document(
        self,
        principal: Principal,
        name: str,
        asked: ReportQuestion,
        now: int,
        report: Report,
    ) -> Document:
        zone = asked.question.zone
        question = asked.at(now, zone)
        start, end = bounds(question.period)
        about, missing = self._about(principal, asked)
        made = _Sections(self._analytics, self._registry, self._limits, question)
        sections: list[Section] = []
        for i, (kind, one) in enumerate(about):
            sections.append(made.section(principal, kind, one))
            report((i + 1) / len(about))
        return Document(
            name=name,
            language=asked.language,
            tz=zone.key if isinstance(zone, ZoneInfo) else "UTC",
            period=asked.period,
            start_time=time_text(start, zone),
            end_time=time_text(end, zone),
            made_time=time_text(self._clock(), zone),
            statistics=tuple(statistic.text for statistic in question.statistics),
            interval=None if question.interval is None else question.interval.text,
            sections=tuple(sections),
            missing=tuple(missing),
        )

    def _about(
        self, principal: Principal, asked: ReportQuestion
    ) -> tuple[list[tuple[str, int]], list[str]]:
        """What the sections are about, and what is not there any more."""
        found: list[tuple[str, int]] = []
        missing: list[str] = []
        for user in asked.users:
            try:
                self._analytics.require_user(principal, user)
            except (NotFound, Forbidden):
                missing.append(f"user {user}")
            else:
                found.append(("user", user))
        for device in asked.devices:
            try:
                require_device(principal, self._registry.device(device))
            except (NotFound, Forbidden):
                missing.append(f"device {device}")
            else:
                found.append(("device", device))
        if not asked.users and not asked.devices:
            found = [("device", one.id) for one in self._registry.devices_for(principal)]
            if len(found) > DEVICES_MAX:
                raise InvalidInput.of("devices", f"choose {DEVICES_MAX} devices at most")
        if not found:
            raise NotFound("there is no device to report about")
        return found, missing


class _Sections:
    """Makes the sections of one report and counts what they hold."""

    def __init__(
        self, analytics: Analytics, registry: Registry, limits: Limits, question: Question
    ) -> None:
        self._analytics = analytics
        self._registry = registry
        self._values_max = limits.report_values_max
        self._question = question
        self._values = 0
        self._charts = 0
        start, end = bounds(question.period)
        self._whole = replace(question, interval=None, aggregate=True)
        self._step = next(
            (step for step in _STEPS if (end - start) / step <= _STEPS_IN_COURSE),
            -(-(end - start) // (HOUR * _STEPS_IN_COURSE)) * HOUR,
        )
        self._first = start - start % self._step
        self._count = -(-(end - self._first) // self._step)

    def section(self, principal: Principal, kind: str, one: int) -> Section:
        """The section about a device or a user."""
        ask = self._analytics.device if kind == "device" else self._analytics.user
        whole = ask(principal, one, self._whole)["metrics"]
        self._count_values(len(whole) * len(self._question.statistics))
        parts: Mapping[str, Any] = {}
        if self._question.interval is not None:
            parts = ask(principal, one, replace(self._question, aggregate=True))["metrics"]
            cells = sum(len(buckets) for buckets in parts.values())
            self._count_values(cells * len(self._question.statistics))
        courses = self._courses(principal, ask, one, whole)
        name, settings = self._named(kind, one)
        return Section(
            kind,
            one,
            name,
            tuple(
                Figures(
                    metric,
                    self._part(summary, *self._bounds_text()),
                    tuple(
                        self._part(cell, cell["start"], cell["end"])
                        for cell in parts.get(metric, ())
                    ),
                    courses.get(metric),
                    *settings(metric),
                )
                for metric, summary in whole.items()
            ),
        )

    def _courses(
        self, principal: Principal, ask: Any, one: int, whole: Mapping[str, Any]
    ) -> dict[str, Course]:
        charted = [metric for metric, summary in whole.items() if "states" not in summary][
            : _CHARTS_MAX - self._charts
        ]
        if not charted:
            return {}
        self._charts += len(charted)
        asked = replace(
            self._whole,
            metrics=tuple(charted),  # the others' buckets might be more than one answer has
            statistics=_COURSE,
            interval=Interval(f"{self._step // SECOND}s", self._step),
        )
        found = ask(principal, one, asked)["metrics"]
        return {metric: self._course(found[metric]) for metric in charted if found[metric]}

    def _course(self, cells: Sequence[Mapping[str, Any]]) -> Course:
        low, mean, high = ([None] * self._count for _ in range(3))
        for cell in cells:
            at = (from_text(cell["start"]) - self._first) // self._step
            for line, statistic in ((low, "min"), (mean, "mean"), (high, "max")):
                line[at] = _rounded(cell[statistic])
        return Course(self._first, self._step, tuple(low), tuple(mean), tuple(high))

    def _named(self, kind: str, one: int) -> tuple[str, Any]:
        """The section's name, and what finds a metric's label and unit."""
        if kind == "user":
            user = self._registry.user(one)
            return (str(one) if user is None else user.username), lambda _: (None, None)
        device = self._registry.device(one)
        series = self._registry.series_of(one)

        def settings(metric: str) -> tuple[str | None, str | None]:
            if metric not in series:
                return None, None
            found = self._registry.metric_settings(series[metric])
            return found.label, found.unit

        return (str(one) if device is None else device.name), settings

    def _part(self, summary: Mapping[str, Any], start: str, end: str) -> Part:
        values: Iterable[Scalar] = (summary.get(s.text) for s in self._question.statistics)
        return Part(start, end, tuple(values))

    def _bounds_text(self) -> tuple[str, str]:
        start, end = bounds(self._question.period)
        zone = self._question.zone
        return time_text(start, zone), time_text(end, zone)

    def _count_values(self, more: int) -> None:
        self._values += more
        if self._values > self._values_max:
            raise InvalidInput.of(
                "interval",
                f"the report would hold more than {self._values_max} figures: ask about fewer "
                "devices or metrics, or take a longer interval",
            )


def _rounded(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float | int) else None


def _deliveries(schedule: Schedule) -> list[Any]:
    return [
        *(("email", address, schedule.formats) for address in schedule.email),
        *(("webhook", name, ()) for name in schedule.webhook),
    ]
