"""The quick path: entries of one shape, or of a few, turned into columns and converted by the column.

Everything here returns None for what it does not understand or what may be wrong; the caller then
takes the exact path of `entries`, which gives the same readings or names what is wrong.
"""

import math
import struct
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate, chain
from operator import itemgetter, methodcaller
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barograph.codecs.decoded import (
    Context,
    integer_problem,
    text_problem,
    time_of,
)
from barograph.codecs.times import Int64s, times_of
from barograph.domain.batch import MetricBatch
from barograph.domain.device import TIME_KEYS, metric_problem
from barograph.domain.limits import Limits

_NUMBERS: Final = frozenset({int, float, bool})
_VALUES: Final = _NUMBERS | {str, type(None)}
_NO_TEXTS: Final[Mapping[int, str]] = MappingProxyType({})
_LAYOUT_KEYS_MAX = 64
_SPARSE_MAX: Final = 8
"""Cells of the columns per value in them, beyond which entries are taken one by one."""


def _read_layout(keys: tuple[str, ...], metric_bytes_max: int) -> tuple[tuple[str, ...], int]:
    """The metrics of an entry with these keys and the position of its time (-1: none).

    Raises `ValueError` where these cannot be.
    """
    timed = [key for key in TIME_KEYS if key in keys]
    metrics = tuple(key for key in keys if key not in timed)
    if len(timed) > 1 or any(metric_problem(metric, metric_bytes_max) for metric in metrics):
        raise ValueError
    return metrics, keys.index(timed[0]) if timed else -1


# Devices send the same keys over and over. Errors are not remembered and neither is what is wide,
# so this memory stays within a few megabytes.
_remembered_layout = lru_cache(maxsize=512)(_read_layout)


def _layout(entry: dict[str, Any], limits: Limits) -> tuple[tuple[str, ...], int] | None:
    read = _remembered_layout if len(entry) <= _LAYOUT_KEYS_MAX else _read_layout
    try:
        return read(tuple(entry), limits.metric_bytes_max)
    except ValueError:
        return None


def from_object(entry: dict[str, Any], context: Context) -> MetricBatch | None:
    """The readings of one flat object, in lists, or None."""
    layout = _layout(entry, context.limits)
    if layout is None:
        return None
    metrics, timed = layout
    values = list(entry.values())
    time = context.now
    if timed >= 0:
        stated = values.pop(timed)
        if stated is not None:
            try:
                time = time_of(stated, context)
            except ValueError:
                return None
    for value in values:
        if type(value) is not float:
            return _from_mixed(metrics, values, time, context.limits)
    count = len(values)
    return MetricBatch(metrics, list(range(count)), [time] * count, values, _NO_TEXTS)


def _from_mixed(
    metrics: tuple[str, ...], values: list[Any], time: int, limits: Limits
) -> MetricBatch | None:
    found: list[str] = []
    numbers: list[float] = []
    texts: dict[int, str] = {}
    for metric, value in zip(metrics, values, strict=True):
        kind = type(value)
        if kind is float:
            numbers.append(value)
        elif kind is str:
            if text_problem(value, limits):
                return None
            texts[len(numbers)] = value
            numbers.append(math.nan)
        elif kind in _NUMBERS and not integer_problem(value):
            numbers.append(float(value))
        elif value is None:
            continue
        else:
            return None
        found.append(metric)
    count = len(numbers)
    return MetricBatch(found, list(range(count)), [time] * count, numbers, texts)


def from_objects(rows: list[Any], context: Context) -> MetricBatch | None:
    """The readings of many flat objects, or None."""
    if set(map(type, rows)) != {dict}:
        return None
    columns = _same_columns(rows) or _all_columns(rows)
    layout = None if columns is None else _layout(columns, context.limits)
    if columns is None or layout is None:
        return None
    times = columns.pop(list(columns)[layout[1]]) if layout[1] >= 0 else None
    return _assemble(times, columns, len(rows), context)


def _same_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]] | None:
    """The columns of objects that all have the keys of the first one, or None."""
    keys = rows[0]
    if set(map(len, rows)) != {len(keys)}:
        return None
    try:
        return {key: list(map(itemgetter(key), rows)) for key in keys}
    except KeyError:
        return None


def _all_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]] | None:
    """The columns of objects of a few shapes, null where an object has no such key, or None."""
    keys = dict.fromkeys(chain.from_iterable(rows))
    if len(keys) * len(rows) > _SPARSE_MAX * sum(map(len, rows)):
        return None
    return {key: list(map(methodcaller("get", key), rows)) for key in keys}


def from_columns(
    times: list[Any] | None, columns: Mapping[str, list[Any]], count: int, context: Context
) -> MetricBatch | None:
    """The readings of columns of `count` values each, metric after metric, or None."""
    if any(metric_problem(metric, context.limits.metric_bytes_max) for metric in columns):
        return None
    return _assemble(times, columns, count, context)


def _assemble(
    column: list[Any] | None, columns: Mapping[str, list[Any]], count: int, context: Context
) -> MetricBatch | None:
    times = _times(column, count, context)
    if times is None:
        return None
    parts = []
    for metric, values in columns.items():
        part = _part(values, times, context.limits)
        if part is None:
            return None
        if len(part.values):
            parts.append((metric, part))
    return _join(parts)


def _times(column: list[Any] | None, count: int, context: Context) -> Int64s | None:
    """The times of `count` entries, or None; without a column as `Entries` gives them."""
    if column is None:
        return np.arange(context.now + 1 - count, context.now + 1, dtype=np.int64)
    times = times_of(column, context.zone)
    if times is None or int(times.max()) > context.latest:
        return None
    return times


class _Part(NamedTuple):
    """The readings of one metric; `texts` as in `Batch`."""

    times: Int64s
    values: NDArray[np.float64]
    texts: Mapping[int, str]


def _part(column: list[Any], times: Int64s, limits: Limits) -> _Part | None:
    try:
        # A third of what NumPy takes; JSON has no other values that pass for a number.
        return _Part(times, np.frombuffer(struct.pack(f"{len(column)}d", *column)), _NO_TEXTS)
    except struct.error:
        return _mixed_part(column, times, limits)
    except OverflowError:
        return None


def _mixed_part(column: list[Any], times: Int64s, limits: Limits) -> _Part | None:
    kinds = set(map(type, column))
    if not kinds <= _VALUES:
        return None
    if type(None) in kinds:
        kept = [i for i, value in enumerate(column) if value is not None]
        column, times = [column[i] for i in kept], times[kept]
    texts = _NO_TEXTS
    if str in kinds:
        texts = {i: value for i, value in enumerate(column) if type(value) is str}
        if any(text_problem(text, limits) for text in texts.values()):
            return None
        column = [math.nan if type(value) is str else value for value in column]
    try:
        return _Part(times, np.fromiter(column, np.float64, len(column)), texts)
    except OverflowError:
        return None


def _join(parts: list[tuple[str, _Part]]) -> MetricBatch:
    if not parts:
        return MetricBatch([], [], [], [])
    metrics = [metric for metric, _ in parts]
    lengths = [len(part.values) for _, part in parts]
    starts = accumulate(lengths, initial=0)
    return MetricBatch(
        metrics,
        np.repeat(np.arange(len(parts)), lengths),
        np.concatenate([part.times for _, part in parts]),
        np.concatenate([part.values for _, part in parts]),
        {
            start + i: text
            for start, (_, part) in zip(starts, parts, strict=False)
            for i, text in part.texts.items()
        },
    )
