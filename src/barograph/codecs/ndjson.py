"""Readings in NDJSON: one flat object a line. Blank lines count for nothing."""

from datetime import tzinfo
from typing import Any

import msgspec

from barograph.codecs.decoded import PROBLEMS_MAX, VALUES_PER_READING, Context, Decoded
from barograph.codecs.json_readings import decode_rows
from barograph.codecs.json_text import check_values, parse
from barograph.domain.errors import MalformedInput, Problem, TooLarge
from barograph.domain.limits import Limits

_decode_lines = msgspec.json.Decoder().decode_lines


def decode(
    body: bytes, *, now: int, zone: tzinfo, limits: Limits, partial: bool = False
) -> Decoded:
    """The readings of the lines; arguments and errors as of `json_readings.decode`.

    With `partial` a line that is not JSON is one of the problems.
    """
    context = Context(now, zone, limits, partial)
    check_values(body, limits)
    rows = _at_once(body)
    if rows is not None:
        return decode_rows(rows, lambda i, key: _place(i + 1, key), context)
    rows, numbers, unreadable, wrong = _line_by_line(body, context)
    decoded = decode_rows(rows, lambda i, key: _place(numbers[i], key), context)
    if not wrong:
        return decoded
    problems = (*unreadable, *decoded.problems)[:PROBLEMS_MAX]
    return Decoded(decoded.batch, problems, decoded.wrong + wrong)


def _place(line: int, key: str) -> str:
    return f"line {line}, {key}" if key else f"line {line}"


def _at_once(body: bytes) -> list[Any] | None:
    """The objects of the lines where each line holds exactly one and none is blank, or None."""
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    breaks = body.count(b"\n") - body.endswith(b"\n")
    # A string of JSON holds no line break, so this finds breaks between objects only.
    if body.count(b"}\n{") != breaks:
        return None
    try:
        rows = _decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows if len(rows) == breaks + 1 else None


def _line_by_line(body: bytes, context: Context) -> tuple[list[Any], list[int], list[Problem], int]:
    """The values of the lines, their line numbers, and the problems of lines that are not JSON."""
    entries_max = context.limits.request_readings_max
    if body.count(b"\n") > entries_max * VALUES_PER_READING:
        raise TooLarge(f"there are more than {entries_max * VALUES_PER_READING} lines")
    lines = [(i, line) for i, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > entries_max:
        raise TooLarge(f"{len(lines)} entries are more than {entries_max}: send them in several")
    rows: list[Any] = []
    numbers: list[int] = []
    unreadable: list[Problem] = []
    for i, line in lines:
        try:
            rows.append(parse(line, context.limits))
            numbers.append(i)
        except MalformedInput as error:
            if not context.partial:
                raise MalformedInput(f"line {i}: {error}") from None
            unreadable.append(Problem(f"line {i}", str(error)))
    return rows, numbers, unreadable[:PROBLEMS_MAX], len(unreadable)
