"""What is asked: a period, metrics, statistics, buckets, and what an empty bucket shows.

`Question.parse` is the only reader of these parameters, for query strings and job bodies alike.
The table of the parameters is in `docs/analytics.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits
from barograph.domain.period import ALL_TIME, Interval, Period
from barograph.domain.statistic import DEFAULT, OF_TEXT, Statistic
from barograph.domain.time import format_time, parse_zone
from barograph.services.parameters import Parameters, moment, names, number, text, truth

Fill = Literal["none", "null", "previous", "linear"] | float
"""What the statistics of an empty bucket are; `none` leaves the bucket out."""

PARAMETERS = frozenset(
    {"start_time", "end_time", "metrics", "stats", "interval", "tz", "fill", "aggregate"}
)

_STATISTICS_MAX = 100
_FILLS: Mapping[str, Fill] = {
    "none": "none",
    "null": "null",
    "previous": "previous",
    "linear": "linear",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question for summaries, read and checked."""

    period: Period = ALL_TIME
    metrics: tuple[str, ...] = ()
    """Names, in which `*` is a wildcard; none means all."""
    statistics: tuple[Statistic, ...] = DEFAULT
    interval: Interval | None = None
    zone: tzinfo = field(default=UTC)
    fill: Fill = "none"
    aggregate: bool = True

    @property
    def text_statistics(self) -> tuple[str, ...]:
        """The statistics of text metrics: all they have, or those of them that were chosen."""
        if self.statistics == DEFAULT:
            return OF_TEXT
        return tuple(s.text for s in self.statistics if s.text in OF_TEXT)

    @classmethod
    def parse(
        cls, given: Mapping[str, object], *, now: int, zone: tzinfo, limits: Limits
    ) -> "Question":
        """Read the parameters; `zone` is the one that holds without `tz`.

        Parameters of other names are not looked at. Raises `InvalidInput` with every problem,
        each at its parameter's name.
        """
        parameters = Parameters(given)
        zone = parameters.read("tz", _zone, zone)
        start = parameters.read("start_time", moment(now, zone), None)
        end = parameters.read("end_time", moment(now, zone), None)
        question = cls(
            ALL_TIME,
            parameters.read("metrics", names(limits), ()),
            parameters.read("stats", _statistics(limits), DEFAULT),
            parameters.read("interval", _interval, None),
            zone,
            parameters.read("fill", _fill, "none"),
            parameters.read("aggregate", truth, default=True),
        )
        parameters.check()
        return replace(question, period=Period(start, end))

    def to_json(self) -> dict[str, Any]:
        """The parameters that `parse` reads this question from, with times made absolute."""
        return {
            "start_time": _moment_text(self.period.start),
            "end_time": _moment_text(self.period.end),
            "metrics": list(self.metrics),
            "stats": [statistic.text for statistic in self.statistics],
            "interval": self.interval and self.interval.text,
            "tz": _zone_text(self.zone),
            "fill": self.fill,
            "aggregate": self.aggregate,
        }


def _moment_text(time: int | None) -> str | None:
    return None if time is None else format_time(time)


def _zone(value: object) -> tzinfo:
    return parse_zone(text(value))


def _zone_text(zone: tzinfo) -> str:
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def _interval(value: object) -> Interval | None:
    return Interval.parse(text(value))


def _statistics(limits: Limits) -> Any:
    read_names = names(limits)

    def read(value: object) -> tuple[Statistic, ...]:
        found = read_names(value)
        if len(found) > _STATISTICS_MAX:
            raise ValueError(f"at most {_STATISTICS_MAX} statistics")
        return tuple(Statistic.parse(name) for name in found) or DEFAULT

    return read


def _fill(value: object) -> Fill:
    if isinstance(value, str) and value in _FILLS:
        return _FILLS[value]
    try:
        return number(value)
    except ValueError:
        raise InvalidInput.of(
            "fill", "use none, null, previous, linear or a finite number"
        ) from None
