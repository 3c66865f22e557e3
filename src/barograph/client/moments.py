"""Times as callers give them: datetimes, text, numbers."""

import time
from datetime import UTC, datetime

from barograph.domain.time import format_time, from_any, from_datetime

Moment = datetime | str | int | float
"""An aware datetime (one without a zone is UTC), RFC 3339 text, or a number since 1970."""


def microseconds(moment: Moment) -> int:
    """Microseconds since 1970; raises `ValueError`, whose message says what is right."""
    of_numpy = getattr(moment, "item", None)
    if of_numpy is not None:
        moment = of_numpy()
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return from_datetime(moment)
    return from_any(moment)


def text(moment: Moment | None) -> str | None:
    """The moment as a question names it; text such as `-24h` stays as it is."""
    if moment is None or isinstance(moment, str):
        return moment
    return format_time(microseconds(moment))


def now() -> int:
    """Microseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1000
