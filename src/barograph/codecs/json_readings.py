"""Readings in JSON: one flat object, an array of them, or an object of columns.

The rules stand in `docs/codecs.md`. Numbers are 64-bit floats: an integer beyond 2**53 becomes the
nearest of them.
"""

from datetime import tzinfo
from typing import Any

from barograph.codecs import uniform
from barograph.codecs.decoded import Context, Decoded, check_count, kind_of, shown
from barograph.codecs.entries import Entries, Place
from barograph.codecs.json_text import check_depth, parse
from barograph.domain.device import TIME_KEYS
from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits


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
    check_depth(rows, context.limits.json_depth_max)
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
    check_depth(value, context.limits.json_depth_max)
    for i in range(count):
        entry = {key: column[i] for key, column in columns.items()}
        entries.add(i, entry if times is None else {lead: times[i], **entry})
    return entries.finish()
