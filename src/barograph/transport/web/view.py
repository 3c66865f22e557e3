"""What part of a device a page shows: which period, and which of its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from urllib.parse import urlencode

from fastapi import Request

from barograph.domain.errors import InvalidInput
from barograph.domain.period import Period
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, TIME_MAX, format_time, parse_moment
from barograph.ports.reading_store import ReadingStore
from barograph.transport.web.positions import default_metrics

RANGES: Mapping[str, int | None] = {
    "15m": 15 * MINUTE,
    "1h": HOUR,
    "6h": 6 * HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
    "1y": 365 * DAY,
    "all": None,
}
"""The quick periods, all of which end now, and their length in microseconds."""

_USUAL = "24h"
_SHOWN_MAX = 12
_NUMBERS_USUALLY = 4
_TEXTS_USUALLY = 2


@dataclass(frozen=True, slots=True)
class View:
    """The choice as it stands in the page's address."""

    range: str | None
    """A key of `RANGES`, or None for a period of the visitor's own."""
    start: str | None
    end: str | None
    chosen: tuple[str, ...]
    """The metrics asked for; none means the first few."""

    @classmethod
    def of(cls, request: Request) -> "View":
        """Read the address; raises `InvalidInput`."""
        query = request.query_params
        chosen = tuple(dict.fromkeys(query.getlist("metric")))[:_SHOWN_MAX]
        start, end = query.get("start_time"), query.get("end_time")
        if start or end:
            return cls(None, start, end, chosen)
        range_ = query.get("range", _USUAL)
        if range_ not in RANGES:
            raise InvalidInput.of("range", f"use one of {', '.join(RANGES)}")
        return cls(range_, None, None, chosen)

    @property
    def moving(self) -> bool:
        """Whether the period ends now, so that it moves on with time."""
        return self.range is not None

    @property
    def period_fields(self) -> list[tuple[str, str]]:
        """The period as fields of an address or a form."""
        if self.range is not None:
            return [("range", self.range)]
        fields = [("start_time", self.start), ("end_time", self.end)]
        return [(name, value) for name, value in fields if value]

    @property
    def query(self) -> str:
        """This view's address."""
        return urlencode(self.period_fields + [("metric", metric) for metric in self.chosen])

    def with_range(self, range_: str) -> str:
        """The address of the same metrics over one of `RANGES`."""
        return View(range_, None, None, self.chosen).query

    def between(self, start: int, end: int) -> str:
        """The address of the same metrics from `start` to `end` (microseconds)."""
        start = min(max(0, start), TIME_MAX - SECOND - 1)
        end = min(max(end, start + SECOND), TIME_MAX - 1)
        return View(None, format_time(start), format_time(end), self.chosen).query

    def toggled(self, metric: str, shown: Sequence[str]) -> str:
        """The address of the same period with `metric` shown as well, or not any more."""
        chosen = [one for one in shown if one != metric]
        if len(chosen) == len(shown):
            chosen.append(metric)
        return View(self.range, self.start, self.end, tuple(chosen)).query

    def period(
        self, store: ReadingStore, series: Sequence[int], now: int, zone: tzinfo
    ) -> tuple[int, int]:
        """The period's two ends; raises `InvalidInput`.

        An open side is where the series' readings begin or where they end.
        """
        start, end = self._asked(now, zone)
        if start is None or end is None:
            first, last = store.extent(series, Period(start, end)) or (now - DAY, now)
            if end is None:
                end = max(last, start or 0) + 1
            if start is None:
                start = min(first, end - SECOND)
        Period(start, end)
        start = min(start, TIME_MAX - 2)
        return start, min(max(end, start + 1), TIME_MAX - 1)

    def _asked(self, now: int, zone: tzinfo) -> tuple[int | None, int | None]:
        if self.range is not None:
            length = RANGES[self.range]
            return (None if length is None else now + 1 - length), now + 1
        return (
            _moment("start_time", self.start, now, zone),
            _moment("end_time", self.end, now, zone),
        )

    def shown(self, newest: Sequence[tuple[str, float | str]]) -> list[str]:
        """The metrics to draw: those chosen that exist, or the first few."""
        names = [metric for metric, _ in newest]
        chosen = [metric for metric in names if metric in self.chosen]
        return chosen or default_metrics(dict(newest), _NUMBERS_USUALLY, _TEXTS_USUALLY)


def _moment(at: str, text: str | None, now: int, zone: tzinfo) -> int | None:
    if not text:
        return None
    try:
        return parse_moment(text, now, zone)
    except ValueError as error:
        raise InvalidInput.of(at, str(error)) from None
