"""How commands print: tables for people, whole lines for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_UNBOUNDED_COLUMNS = 10_000


def console(*, stderr: bool = False) -> Console:
    """The terminal; what goes elsewhere is not wrapped."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED_COLUMNS
    return Console(stderr=stderr, width=width, highlight=False)


def say(text: str) -> None:
    """One line about what was done."""
    console().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """One line that is not part of the command's answer."""
    console(stderr=True).print(text, markup=False, soft_wrap=True)


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """A table. Numbers stand to the right; None is left empty."""
    lines = [[cell(value) for value in row] for row in rows]
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for place, heading in enumerate(headings):
        numeric = all(_is_number(line[place]) for line in lines)
        table.add_column(heading, justify="right" if numeric and lines else "left")
    for line in lines:
        table.add_row(*(escape(text) for text in line))
    console().print(table)


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {cell(inner)}" for name, inner in value.items())
    return str(value)


def moment(value: datetime) -> str:
    """A time in the zone that it is in, to the second."""
    text = value.isoformat(" ", "seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
