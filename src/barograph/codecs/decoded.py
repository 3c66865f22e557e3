"""What every dialect gives and needs: the result, the conditions, and the rules for one entry.

An *entry* is one object of a message: an optional time and some values, one per metric. A
*reading* is one of its values that is not null.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import NamedTuple

from barograph.domain.batch import MetricBatch
from barograph.domain.errors import InvalidInput, Problem, TooLarge
from barograph.domain.limits import Limits
from barograph.domain.time import HOUR, format_time, from_any

PROBLEMS_MAX = 100
"""Problems described in one answer; the others are only counted."""

VALUES_PER_READING = 20
"""Values, nulls included, that a message may hold for each reading that it may hold."""

_SHOWN_CHARS_MAX = 64


class Decoded(NamedTuple):
    """What a message says.

    `problems` and `wrong` stay empty unless the good part of a partly wrong message was asked for:
    then they describe at most `PROBLEMS_MAX` of the wrong places, and count them all.
    """

    batch: MetricBatch
    problems: tuple[Problem, ...] = ()
    wrong: int = 0


class Context(NamedTuple):
    """The conditions under which a message is read."""

    now: int
    """The time of entries that name none."""
    zone: tzinfo
    """The zone of times without an offset."""
    limits: Limits
    partial: bool
    """Whether the good part of a partly wrong message is wanted."""

    @property
    def latest(self) -> int:
        """The latest time that a reading may have."""
        return self.now + int(self.limits.future_hours_max * HOUR)


def shown(name: str) -> str:
    """`name` short enough to repeat in an answer, whatever it contains."""
    short = name if len(name) <= _SHOWN_CHARS_MAX else name[: _SHOWN_CHARS_MAX - 1] + "…"
    return short if short.isprintable() else repr(short)[1:-1]


def time_of(value: object, context: Context) -> int:
    """The time in microseconds that an entry gives as `value`.

    Raises `ValueError`, whose message says what is right.
    """
    if type(value) not in {str, int, float}:
        raise ValueError(f"a time is RFC 3339 text or a number since 1970, not {kind_of(value)}")
    time = from_any(value, context.zone)
    if time > context.latest:
        raise ValueError(
            f"{format_time(time)} is more than {context.limits.future_hours_max:g} hours ahead of "
            f"the server's clock, which says {format_time(context.now)}"
        )
    return time


def text_problem(text: str, limits: Limits) -> str | None:
    """Why `text` cannot be a value, or None."""
    # A character takes at most four bytes: most texts need not be encoded to be measured.
    if len(text) * 4 > limits.text_bytes_max and len(text.encode()) > limits.text_bytes_max:
        return f"a text value is at most {limits.text_bytes_max} bytes of UTF-8"
    if "\0" in text:
        return "a text value cannot contain the character U+0000"
    return None


def integer_problem(value: int) -> str | None:
    """Why an integer cannot be a value, or None."""
    try:
        float(value)
    except OverflowError:
        return "the number is not a finite 64-bit number"
    return None


def value_problem(value: object, limits: Limits) -> str | None:
    """Why `value`, as it stands in JSON, cannot be a value, or None."""
    if value is None or isinstance(value, bool | float):
        return None
    if isinstance(value, str):
        return text_problem(value, limits)
    if isinstance(value, int):
        return integer_problem(value)
    if isinstance(value, dict) and NOT_FINITE in value:
        return f"{kind_of(value)} is not a finite 64-bit number"
    return f"a value is a number, a boolean, a text or null, not {kind_of(value)}"


def kind_of(value: object) -> str:
    """What `value` is, in the words of JSON, for an error message."""
    if isinstance(value, dict) and isinstance(value.get(NOT_FINITE), str):
        return shown(value[NOT_FINITE])
    return _KINDS.get(type(value), "a number")


NOT_FINITE = "\0not finite"
"""The key of the object that stands for a number that is not finite, whose text is its value."""

_KINDS: Mapping[type, str] = {
    bool: "a boolean",
    str: "a text",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def finish(batch: MetricBatch, problems: list[Problem], wrong: int, context: Context) -> Decoded:
    """The result, or the error that it makes.

    Raises `TooLarge` for too many readings, and `InvalidInput` where something is wrong and the
    good part was not asked for.
    """
    check_count(len(batch), context.limits)
    if wrong and not context.partial:
        raise InvalidInput(problems)
    return Decoded(batch, tuple(problems), wrong)


def check_count(readings: int, limits: Limits) -> None:
    """Raises `TooLarge` for more readings than one message may hold."""
    if readings > limits.request_readings_max:
        raise TooLarge(
            f"{readings} readings are more than the {limits.request_readings_max} that one request "
            "may hold: send them in several"
        )
