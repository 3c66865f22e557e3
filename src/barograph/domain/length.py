"""Lengths of time as people write them: `5m`, `1h`, `30d`."""

import re

from barograph.domain.time import DAY, HOUR, MILLISECOND, MINUTE, SECOND, WEEK

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_NOTHING = frozenset({"", "0", "none"})
_LENGTH = re.compile(r"([1-9]\d{0,8})(ms|s|m|h)|([1-9]\d{0,5})(d|w)", re.ASCII)


def parse_length(text: str) -> int:
    """Microseconds; `0`, `none` and nothing at all are 0. Raises `ValueError`."""
    if text in _NOTHING:
        return 0
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError("use a number and ms, s, m, h, d or w, such as 5m or 30d")
    count, unit = (part for part in match.groups() if part is not None)
    return int(count) * _UNITS[unit]


def length_text(microseconds: int) -> str:
    """The length as `parse_length` reads it: in whole days, else seconds, else milliseconds."""
    if microseconds == 0:
        return "0"
    if microseconds % DAY == 0:
        return f"{microseconds // DAY}d"
    if microseconds % SECOND == 0:
        return f"{microseconds // SECOND}s"
    return f"{microseconds // MILLISECOND}ms"
