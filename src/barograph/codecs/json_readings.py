"""Readings in JSON: one flat object, an array of them, or an object of columns.

The rules stand in `docs/codecs.md`. Numbers are 64-bit floats: an integer beyond 2**53 becomes the
nearest of them.
"""

import codecs
import math
import re
from datetime import tzinfo
from typing import Any

import msgspec

from barograph.codecs import uniform
from barograph.codecs.decoded import (
    NOT_FINITE,
    TIME_KEYS,
    VALUES_PER_READING,
    Context,
    Decoded,
    check_count,
    kind_of,
    shown,
)
from barograph.codecs.entries import Entries, Place
from barograph.domain.errors import InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import Limits

_decode = msgspec.json.Decoder().decode

# A string of JSON; one that never ends goes to the end, so that no byte is looked at twice.
_STRING = rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
# What Python and JavaScript write for numbers that JSON does not have, and numbers so long that
# they may be beyond the range of a float.
_NOT_FINITE = re.compile(
    _STRING
    + rb"|-?\b(?:NaN|Infinity)\b|-?\b\d++(?:\.\d++)?[eE]\+?\d{3,}+|-?\b\d{309,}+(?:\.\d++)?",
    re.DOTALL,
)
_QUOTE = ord('"')
_NUMBER_SHOWN_CHARS_MAX = 32


def decode(
    body: bytes, *, now: int, zone: tzinfo, limits: Limits, partial: bool = False
) -> Decoded:
    """The readings of one JSON text.

    `now` is the time of entries that name none, `zone` that of times without an offset. With
    `partial` the good readings are returned beside the problems; without, anything wrong raises.
    Raises `MalformedInput`, `InvalidInput` or `TooLarge`.
    """
    context = Context(now, zone, limits, partial)
    value = parse(body, limits)
    if type(value) is dict:
        return _decode_object(value, context)
    if type(value) is list:
        return decode_rows(value, _in_array, context)
    raise InvalidInput.of(
        "", f"readings come as an object or an array of objects, not as {kind_of(value)}"
    )


def decode_rows(rows: list[Any], place: Place, context: Context) -> Decoded:
    """The readings of a list of entries, whose places in the message `place` names."""
    batch = uniform.from_objects(rows, context)
    if batch is None:
        return _one_by_one(rows, place, context)
    check_count(len(batch), context.limits)
    return Decoded(batch)


def _one_by_one(rows: list[Any], place: Place, context: Context) -> Decoded:
    _check_depth(rows, context.limits.json_depth_max)
    entries = Entries(place, context)
    for i, row in enumerate(rows):
        entries.add(i, row)
    return entries.finish()


def _in_array(i: int, key: str) -> str:
    return f"[{i}].{key}" if key else f"[{i}]"


def _in_object(_: int, key: str) -> str:
    return key


def _in_columns(i: int, key: str) -> str:
    return f"{key}[{i}]"


def _decode_object(value: dict[str, Any], context: Context) -> Decoded:
    batch = uniform.from_object(value, context)
    if batch is not None:
        check_count(len(batch), context.limits)
        return Decoded(batch)
    timed = [key for key in TIME_KEYS if value.get(key) is not None]
    # Columns have an array for their time or, without a time, nothing but arrays.
    if len(timed) < 2 and all(isinstance(value[key], list) for key in timed or value):
        return _decode_columns(value, timed[0] if timed else None, context)
    return _one_by_one([value], _in_object, context)


def _decode_columns(value: dict[str, Any], time_key: str | None, context: Context) -> Decoded:
    """The readings of columns, which must be as long as that of the time, or the first one."""
    lead = time_key or next(iter(value))
    count = len(value[lead])
    entries = Entries(_in_columns, context)
    columns: dict[str, list[Any]] = {}
    for key, column in value.items():
        if key in TIME_KEYS:
            continue
        if not isinstance(column, list):
            entries.problem(shown(key), f"a column is an array, not {kind_of(column)}")
        elif len(column) != count:
            entries.problem(
                shown(key),
                f"there are {len(column)} values where {shown(lead)} has {count}: all columns are "
                "of one length",
            )
        else:
            columns[key] = column
    times = value[time_key] if time_key else None
    batch = None if entries.wrong else uniform.from_columns(times, columns, count, context)
    if batch is not None:
        check_count(len(batch), context.limits)
        return Decoded(batch)
    _check_depth(value, context.limits.json_depth_max)
    for i in range(count):
        entry = {key: column[i] for key, column in columns.items()}
        entries.add(i, entry if times is None else {lead: times[i], **entry})
    return entries.finish()


def parse(body: bytes, limits: Limits) -> Any:
    """The JSON text as Python values, where numbers that are not finite stand as objects.

    Raises `MalformedInput` or `TooLarge`.
    """
    values_max = limits.request_readings_max * VALUES_PER_READING
    if len(body) > 2 * values_max:  # fewer bytes cannot hold so many values
        _check_values(body, values_max)
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _parse_again(body, error)


def _parse_again(body: bytes, error: Exception) -> Any:
    """Read what only a byte order mark or numbers that are not finite keep from being JSON."""
    again = body.removeprefix(codecs.BOM_UTF8)
    if isinstance(error, msgspec.ValidationError) or b"NaN" in again or b"Infinity" in again:
        again = _NOT_FINITE.sub(_mark, again)
    if again != body:
        try:
            return _decode(again)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as still:
            error = still
    if isinstance(error, RecursionError):
        raise _too_deep() from None
    raise MalformedInput(f"this is not JSON: {error}" if body else "the body is empty") from None


def _mark(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token[0] == _QUOTE or (token[-1:].isdigit() and math.isfinite(float(token))):
        return token
    return msgspec.json.encode({NOT_FINITE: token[:_NUMBER_SHOWN_CHARS_MAX].decode()})


def _check_values(body: bytes, values_max: int) -> None:
    """Bound the memory that reading `body` takes, before it is taken."""
    for text in (body, _STRINGS.sub(b"", body)):
        if text.count(b",") + text.count(b"{") + text.count(b"[") <= values_max:
            return
    raise TooLarge(f"the body holds more than {values_max} values: send them in several requests")


def _check_depth(value: Any, depth_max: int) -> None:
    level = [value]
    for _ in range(depth_max):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> MalformedInput:
    return MalformedInput("the JSON is nested too deep: readings are flat objects")
