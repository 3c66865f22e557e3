"""The calls that a write makes, and what becomes of their errors."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from barograph.client import bodies
from barograph.client.bodies import Columns, Compression, Row
from barograph.client.call import Call
from barograph.client.devices import device_path
from barograph.client.errors import InvalidInput, Problem, ServerError, TooLarge

Given = Columns | Row | Iterable[Row] | Mapping[str, Sequence[Any]]
"""One reading, rows of readings, or columns of them."""

_PLACE = re.compile(r"\[(\d+)\]\Z", re.ASCII)


class _Accepted(msgspec.Struct):
    accepted: int


def columns_of(readings: Given) -> Columns:
    """The readings by the column, each with its time; raises `ValueError`."""
    if isinstance(readings, Columns):
        return readings
    if not isinstance(readings, Mapping):
        return bodies.of_rows(readings)
    listed = [_is_column(value) for value in readings.values()]
    if listed and all(listed):
        return bodies.of_columns(readings)
    if any(listed):
        raise ValueError("give either one value for each metric, or a column for each and for ts")
    return bodies.of_rows([readings])


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def write_call(device: int | str, columns: Columns, compression: Compression | None) -> Call[int]:
    """Write these rows in one body; how many readings were stored. May be sent again."""
    content, headers = bodies.compressed(columns.encode(), compression)
    path = f"{device_path(device)}/data"
    return Call("POST", path, _accepted, content=content, headers=headers)


class Pending:
    """The bodies of one write that are still to be sent, in order.

    A body that turns out to be too large for the server's limits is halved.
    """

    def __init__(self, columns: Columns, rows_max: int) -> None:
        self._parts: list[Columns] = list(columns.parts(rows_max))[::-1]

    def __iter__(self) -> Iterator[Columns]:
        while self._parts:
            yield self._parts.pop()

    def refused(self, columns: Columns, error: ServerError) -> None:
        """Take note that the server refused these; raises the error where that is final."""
        if isinstance(error, TooLarge) and len(columns) > 1:
            first, second = columns.halves()
            self._parts += [second, first]
            return
        if isinstance(error, InvalidInput) and columns.first:
            raise _in_place(error, columns.first) from None
        raise error


def _in_place(error: InvalidInput, first: int) -> InvalidInput:
    """The error with the places of rows as the caller counts them."""
    problems = [
        Problem(_PLACE.sub(lambda at: f"[{int(at[1]) + first}]", problem.at), problem.message)
        for problem in error.errors
    ]
    detail = error.detail
    if error.errors:
        detail = detail.replace(error.errors[0].at, problems[0].at, 1)
    return InvalidInput(error.status, error.title, detail, problems)


def _accepted(body: bytes) -> int:
    return msgspec.json.decode(body, type=_Accepted).accepted
