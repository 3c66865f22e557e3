"""Readings in CSV (RFC 4180) with a header row: one column a metric, one row a time."""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from barograph.codecs import uniform
from barograph.codecs.csv_cells import read_cell, read_text
from barograph.codecs.decoded import (
    PROBLEMS_MAX,
    VALUES_PER_READING,
    Context,
    Decoded,
    check_count,
    shown,
)
from barograph.codecs.entries import Entries
from barograph.domain.device import TIME_KEYS, metric_problem
from barograph.domain.errors import InvalidInput, MalformedInput, Problem, TooLarge
from barograph.domain.limits import Limits

_DELIMITERS: Final = ",;\t"
_QUOTED = re.compile(r'"[^"]*"')
_PLAIN_NUMBERS = re.compile(r"[0-9.eE+-]*\Z")
_INTEGER_CHARS_MAX = 18
_HEADER_CHARS_MAX: Final = 1 << 20


class _Header(NamedTuple):
    """The columns' names; that of the time, which is also its key in an entry, is lower case."""

    names: list[str]
    time_key: str | None


def decode(
    body: bytes, *, now: int, zone: tzinfo, limits: Limits, partial: bool = False
) -> Decoded:
    """The readings of the rows; arguments and errors as of `json_readings.decode`."""
    context = Context(now, zone, limits, partial)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"this is not UTF-8: {error}") from None
    delimiter = _delimiter(text)
    _check_cells(text, delimiter, limits)
    header: _Header | None = None
    rows = []
    lines = []
    for line, row in _rows(text, delimiter):
        if header is None:
            header = _read_header(row, line, limits)
        else:
            rows.append(row)
            lines.append(line)
    if header is None:
        raise MalformedInput("there is no header row: expected one such as ts,temperature")
    decimal_comma = delimiter == ";"
    batch = _at_once(header, rows, context, decimal_comma=decimal_comma)
    if batch is not None:
        return batch
    return _row_by_row(header, rows, lines, context, decimal_comma=decimal_comma)


def _delimiter(text: str) -> str:
    """The one of the delimiters that the header row has most of, the comma if it has none."""
    header = _QUOTED.sub("", text.lstrip()[:_HEADER_CHARS_MAX].partition("\n")[0])
    return max(_DELIMITERS, key=header.count)


def _check_cells(text: str, delimiter: str, limits: Limits) -> None:
    """Bound the memory that the cells take, before it is taken."""
    cells_max = limits.request_readings_max * VALUES_PER_READING
    if len(text) > cells_max:
        cells = text.count(delimiter) + text.count("\n") + text.count("\r")
        if cells > cells_max:
            raise TooLarge(f"there are more than {cells_max} cells: send them in several requests")


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise MalformedInput(f"line {line}: this is not CSV: {error}") from None


def _read_header(row: Sequence[str], line: int, limits: Limits) -> _Header:
    names = [read_text(cell) for cell in row]
    timed = [i for i, name in enumerate(names) if name.lower() in TIME_KEYS]
    problems = []
    if len(timed) > 1:
        given = " and as ".join(shown(names[i]) for i in timed[:3])
        problems.append(Problem(f"line {line}", f"the time is given both as {given}: give it once"))
    seen = set()
    for i, name in enumerate(names):
        problem = "the column is there twice" if name in seen else None
        seen.add(name)
        if name.lower() in TIME_KEYS:
            continue
        problem = problem or metric_problem(name, limits.metric_bytes_max)
        if problem is not None:
            problems.append(Problem(f"line {line}, column {i + 1} ({shown(name)})", problem))
        if len(problems) == PROBLEMS_MAX:
            break
    if problems:
        raise InvalidInput(problems)
    if not timed:
        return _Header(names, None)
    names[timed[0]] = names[timed[0]].lower()
    return _Header(names, names[timed[0]])


def _at_once(
    header: _Header, rows: list[list[str]], context: Context, *, decimal_comma: bool
) -> Decoded | None:
    """The readings column by column, where all cells are as they should be, or None."""
    if not rows or set(map(len, rows)) != {len(header.names)}:
        return None
    times: list[Any] | None = None
    columns: dict[str, list[Any]] = {}
    for name, cells in zip(header.names, zip(*rows, strict=True), strict=True):
        if name == header.time_key:
            times = _read_times(cells)
        else:
            columns[name] = _read_column(cells, decimal_comma=decimal_comma)
    batch = uniform.from_columns(times, columns, len(rows), context)
    if batch is None:
        return None
    check_count(len(batch), context.limits)
    return Decoded(batch)


def _read_times(cells: Sequence[str]) -> list[Any]:
    """The times as they would stand in JSON; whole numbers become integers, which are quicker."""
    joined = "".join(cells)
    if joined.isascii() and joined.isdigit() and max(map(len, cells)) <= _INTEGER_CHARS_MAX:
        try:
            return list(map(int, cells))
        except ValueError:  # some are empty
            pass
    return [cell.strip() or None for cell in cells]


def _read_column(cells: Sequence[str], *, decimal_comma: bool) -> list[Any]:
    if _PLAIN_NUMBERS.match("".join(cells)):
        try:
            numbers = list(map(float, cells))
        except ValueError:  # some are empty, or dates, or the like
            pass
        else:
            if math.inf not in numbers and -math.inf not in numbers:
                return numbers
    return [read_cell(cell, decimal_comma=decimal_comma) for cell in cells]


def _row_by_row(
    header: _Header,
    rows: list[list[str]],
    lines: list[int],
    context: Context,
    *,
    decimal_comma: bool,
) -> Decoded:
    def place(i: int, key: str) -> str:
        return f"line {lines[i]}, {key}" if key else f"line {lines[i]}"

    entries = Entries(place, context)
    width = len(header.names)
    for i, row in enumerate(rows):
        if len(row) != width:
            message = f"there are {len(row)} cells where the header has {width}"
            entries.problem(place(i, ""), message)
            continue
        entry = {
            name: cell.strip() or None
            if name == header.time_key
            else read_cell(cell, decimal_comma=decimal_comma)
            for name, cell in zip(header.names, row, strict=True)
        }
        entries.add(i, entry)
    return entries.finish()
