"""When a schedule is due: cron expressions on the calendar of a time zone."""

from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

from barograph.domain.errors import InvalidInput
from barograph.domain.time import MINUTE, from_datetime, to_datetime

CHARS_MAX = 128
_GAPS_LOOKED_AT = 50


def check_cron(expression: str, now: int, zone: tzinfo, minutes_min: int) -> None:
    """Raise `InvalidInput` for what is no expression, never comes, or comes too often."""
    if len(expression) > CHARS_MAX or len(expression.split()) != 5:
        raise InvalidInput.of(
            "cron",
            "use five fields: minute, hour, day of the month, month, day of the week, such as "
            "0 6 * * 1 for Mondays at six",
        )
    time: int | None = now
    for _ in range(_GAPS_LOOKED_AT):
        assert time is not None
        previous, time = time, next_after(expression, time, zone)
        if time is None:
            raise InvalidInput.of("cron", f"{expression!r} never comes")
        if previous != now and time - previous < minutes_min * MINUTE:
            raise InvalidInput.of("cron", f"a report is made every {minutes_min} minutes at most")


def next_after(expression: str, time: int, zone: tzinfo) -> int | None:
    """The first moment after `time` that the expression names; None where none comes.

    Times of day that the zone skips come right after the gap, and those that it has twice come
    once (Debian's cron, as CronSim documents it).
    """
    return _first(expression, time, zone, reverse=False)


def latest_until(expression: str, time: int, zone: tzinfo) -> int | None:
    """The last moment at or before `time` that the expression names."""
    return _first(expression, time + MINUTE - time % MINUTE, zone, reverse=True)


def _first(expression: str, time: int, zone: tzinfo, *, reverse: bool) -> int | None:
    try:
        found: datetime | None = next(
            CronSim(expression, to_datetime(time, zone), reverse=reverse), None
        )
    except CronSimError as error:
        raise InvalidInput.of("cron", f"{expression!r}: {error}") from None
    except OverflowError:  # beyond the years that can be written
        return None
    return None if found is None else from_datetime(found.astimezone(UTC))
