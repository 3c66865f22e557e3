"""Periods that move with the day: `yesterday`, `last_month`, or a length such as `24h` until now."""

from datetime import tzinfo

from barograph.domain.errors import InvalidInput
from barograph.domain.period import Interval, Period
from barograph.domain.time import DAY

_UNITS = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}

NAMES = (
    "today",
    "yesterday",
    *(
        f"{which}_{unit}"
        for unit in ("week", "month", "quarter", "year")
        for which in ("this", "last")
    ),
)
LENGTH_MAX = 3_660 * DAY


def named_period(text: str, now: int, zone: tzinfo) -> Period:
    """The period that `text` names at the time `now` on a calendar of the zone.

    `this_…` ends now, `last_…` is the whole one before it; `90m`, `24h`, `7d` are that long and end
    now, whatever the calendar. Raises `InvalidInput`.
    """
    which, _, unit = {"today": "this_day", "yesterday": "last_day"}.get(text, text).partition("_")
    if unit in _UNITS and which in {"this", "last"} and (unit != "day" or text in NAMES):
        interval = Interval.parse(_UNITS[unit])
        begun = interval.floor(now, zone)
        return (
            Period(begun, now)
            if which == "this"
            else Period(interval.floor(begun - 1, zone), begun)
        )
    length = _length(text)
    if length is None:
        raise InvalidInput.of(
            "period",
            f"{text[:32]!r} is not a period: use {', '.join(NAMES)}, or a length such as 24h or 7d",
        )
    if length > LENGTH_MAX:
        raise InvalidInput.of("period", "at most ten years")
    return Period(now - length, now)


def _length(text: str) -> int | None:
    try:
        interval = Interval.parse(text)
    except InvalidInput:
        return None
    if interval.fixed is not None:
        return interval.fixed
    days = {"d": 1, "w": 7}.get(interval.unit or "")
    return None if days is None else days * interval.count * DAY
