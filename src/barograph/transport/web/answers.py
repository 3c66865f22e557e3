"""The answer to a question about several devices, as a page shows it: lines, bars and figures.

The questions of the analytics page and of the dashboards' panels are answered here. They have the
parameters of analytics, and `devices`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.period import Interval, Period
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, parse_moment
from barograph.domain.user import Principal, require_device
from barograph.services.core import Core
from barograph.services.metric_patterns import choose
from barograph.services.questions import Question
from barograph.transport.web.chart import Course, courses
from barograph.transport.web.metric_views import MetricView, metric_views
from barograph.transport.web.plots import Line

LINES_MAX = 24
LINE_POINTS = 300
BARS = 60
PENS = 8

_INTERVALS = (
    ("1m", MINUTE),
    ("5m", 5 * MINUTE),
    ("15m", 15 * MINUTE),
    ("1h", HOUR),
    ("6h", 6 * HOUR),
    ("1d", DAY),
    ("1w", 7 * DAY),
    ("1mo", 30 * DAY),
    ("1y", 365 * DAY),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One metric of one device, or of several taken together, as it is called beside others."""

    device: Device | None
    """None where several are taken together."""
    metric: str
    series: int
    label: str
    unit: str
    pen: int
    text: bool
    """Whether its newest value is a text."""
    others: tuple[int, ...] = ()
    """The series that are taken together with `series`."""

    @property
    def group(self) -> tuple[int, ...]:
        """All its series."""
        return (self.series, *self.others)


class Asked:
    """A question with the series that it is about."""

    def __init__(self, core: Core, rights: Principal, given: Mapping[str, Any]) -> None:
        """Raises `InvalidInput`, `NotFound`, `Forbidden`."""
        self.core = core
        self.given = given
        self.question = core.analytics.question(given)
        self.user_id: int | None = given.get("user")
        if self.user_id is not None:
            core.analytics.require_user(rights, self.user_id)
            self.devices = core.registry.devices_of_user(self.user_id)
        else:
            self.devices = [
                require_device(rights, core.registry.device(ref))
                for ref in given.get("devices", ())
            ]
        self.together = self.user_id is not None and self.question.aggregate
        self.subjects = self._together() if self.together else self._subjects()

    def answer(self, rights: Principal) -> Sequence[Mapping[str, Any]]:
        """The parts of the answer: of each device, or of all in one."""
        if self.user_id is None:
            ids = [device.id for device in self.devices]
            return self.core.analytics.devices(rights, ids, self.question)
        return parts(self.core.analytics.user(rights, self.user_id, self.question))

    def _subjects(self) -> list[Subject]:
        found: list[Subject] = []
        several = len(self.devices) > 1
        for device in self.devices:
            views = metric_views(self.core, device)
            chosen = choose(self.question.metrics, views)
            newest = self.core.latest.of_series([view.series for view in views.values()])
            for metric in chosen:
                view = views.get(metric)
                if view is None:
                    continue
                last = newest.get(view.series)
                found.append(
                    Subject(
                        device,
                        metric,
                        view.series,
                        f"{device.name} · {view.label}" if several else view.label,
                        view.unit,
                        len(found) % PENS + 1 if several else view.pen,
                        last is not None and isinstance(last.value, str),
                    )
                )
        return found

    def _together(self) -> list[Subject]:
        """One for each metric that any of the devices has."""
        groups: dict[str, list[MetricView]] = {}
        for device in self.devices:
            for metric, view in metric_views(self.core, device).items():
                groups.setdefault(metric, []).append(view)
        found = []
        for place, metric in enumerate(choose(self.question.metrics, groups)):
            views = groups.get(metric)
            if not views:
                continue
            series = [view.series for view in views]
            newest = self.core.latest.of_series(series).values()
            units = {view.unit for view in views}
            found.append(
                Subject(
                    None,
                    metric,
                    series[0],
                    views[0].label if len({view.label for view in views}) == 1 else metric,
                    units.pop() if len(units) == 1 else "",
                    place % PENS + 1,
                    bool(newest) and all(isinstance(one.value, str) for one in newest),
                    tuple(series[1:]),
                )
            )
        return found

    @property
    def numbers(self) -> list[Subject]:
        """The subjects that a chart can show."""
        return [subject for subject in self.subjects if not subject.text][:LINES_MAX]

    @property
    def texts(self) -> list[Subject]:
        """The subjects with states."""
        return [subject for subject in self.subjects if subject.text][:LINES_MAX]

    def bounds(self) -> tuple[int, int]:
        """The period; where a side is open, it ends with the readings."""
        period, now = self.question.period, self.core.clock()
        start, end = period.start, period.end
        if start is None or end is None:
            series = [one for subject in self.subjects for one in subject.group]
            extent = self.core.store.extent(series, period) if series else None
            first, last = extent or (now - DAY, now)
            start = min(first, last - SECOND) if start is None else start
            # A period that is open to the future ends now.
            end = max(min(last + 1, now + 1), start + 1) if period.start is None else now + 1
            if period.end is not None:
                end = period.end
        return start, max(end, start + 1)

    def lines(self) -> list[Line]:
        """The course of each number, or its first statistic by buckets where an interval is set."""
        start, end = self.bounds()
        if self.question.interval is not None:
            return [line for line, _ in self._bucketed(self.question)]
        if self.together:
            return [line for line, _ in self._bucketed(self._divided(LINE_POINTS))]
        subjects = self.numbers
        drawn = courses(
            self.core.store,
            {str(place): subject.series for place, subject in enumerate(subjects)},
            start,
            end,
            LINE_POINTS,
        )
        return [
            Line(subject.label, subject.unit, subject.pen, course)
            for subject, course in zip(subjects, drawn, strict=True)
        ]

    def bars(self) -> tuple[list[Line], dict[int, int]]:
        """The first statistic by buckets, and the buckets' starts and ends."""
        question = self.question
        if question.interval is None:
            question = self._divided(BARS)
        edges: dict[int, int] = {}
        lines = []
        for line, found in self._bucketed(question):
            lines.append(line)
            edges |= found
        return lines, edges

    def _divided(self, buckets: int) -> Question:
        """The question in at most so many buckets of a pleasant length."""
        start, end = self.bounds()
        text = next(
            (text for text, length in _INTERVALS if (end - start) / length <= buckets), "1y"
        )
        period = Period(start, end)
        return replace(self.question, interval=Interval.parse(text), period=period)

    def _bucketed(self, question: Question) -> list[tuple[Line, dict[int, int]]]:
        subjects = self.numbers
        statistic = question.statistics[0]
        answers = self.core.analytics.series(
            [subject.group for subject in subjects],
            replace(question, statistics=(statistic,)),
        )
        found = []
        for subject, answer in zip(subjects, answers, strict=True):
            course, edges = Course(subject.metric), {}
            previous = None
            for bucket in answer if isinstance(answer, list) else ():
                start, end = (_time(bucket[side]) for side in ("start", "end"))
                value = bucket.get(statistic.text)
                number = float(value) if isinstance(value, int | float) else None
                if previous is not None and start > previous:
                    course.add(previous, None, None, None)
                course.add(start, number, number, number)
                edges[start] = previous = end
            found.append((Line(subject.label, subject.unit, subject.pen, course), edges))
        return found

    def figures(self) -> list[tuple[Subject, Mapping[str, Any]]]:
        """All the statistics of each subject over the whole period."""
        subjects = self.subjects[:200]
        answers = self.core.analytics.series(
            [subject.group for subject in subjects], replace(self.question, interval=None)
        )
        return [
            (subject, answer)
            for subject, answer in zip(subjects, answers, strict=True)
            if isinstance(answer, Mapping)
        ]

    def newest(self) -> list[tuple[Subject, Reading | None]]:
        """The newest reading of each subject, whatever the period."""
        found = self.core.latest.of_series([subject.series for subject in self.subjects])
        return [(subject, found.get(subject.series)) for subject in self.subjects]


def parts(answer: Any) -> Sequence[Mapping[str, Any]]:
    """What a question, or the job that asked it, answered: of each device, or of all in one."""
    if isinstance(answer, Mapping):
        found: Sequence[Mapping[str, Any]] = answer.get("devices") or [answer]
        return found
    return list(answer)


def _time(text: object) -> int:
    assert isinstance(text, str)
    return parse_moment(text, 0)
