"""What a cell of CSV means, and how a value is written into one.

CSV has texts only, and spreadsheets run texts that look like formulas. So a text that would be
read as something else (a number, a boolean, nothing, a formula) is written with an apostrophe
before it, as spreadsheets do it, and reading takes that apostrophe away again: what is written is
read back unchanged.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from barograph.codecs.decoded import NOT_FINITE

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?\Z", re.ASCII)
_NOT_A_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)\Z", re.ASCII | re.IGNORECASE)
_TO_QUOTE = re.compile(r'[",;\t\r\n]')
_WORDS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_APOSTROPHE: Final = "'"
_SHOWN_CHARS_MAX = 32

CellValue = float | bool | str | dict[str, str] | None


def read_cell(cell: str, *, decimal_comma: bool = False) -> CellValue:
    """The value of a cell, as it would stand in JSON; None for an empty cell.

    With `decimal_comma`, 21,5 is a number too.
    """
    stripped = cell.strip()
    if not stripped:
        return None
    if decimal_comma and _COMMA_NUMBER.match(stripped):
        stripped = stripped.replace(",", ".")
    if NUMBER.match(stripped):
        number = float(stripped)
        if not math.isfinite(number):
            return {NOT_FINITE: stripped[:_SHOWN_CHARS_MAX]}
        return number
    lower = stripped.lower()
    if lower in _WORDS:
        return _WORDS[lower]
    if _NOT_A_NUMBER.match(stripped):
        return {NOT_FINITE: stripped}
    return read_text(cell)


def read_text(cell: str) -> str:
    """The text of a cell that holds text."""
    if cell[:1] == _APOSTROPHE and _is_ambiguous(cell[1:]):
        return cell[1:]
    return cell.strip()


def write_text(text: str) -> str:
    """The cell, quoted where need be, that `read_cell` reads as `text`."""
    cell = _APOSTROPHE + text if _is_ambiguous(text) else text
    if _TO_QUOTE.search(cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _is_ambiguous(text: str) -> bool:
    bare = text.lstrip(_APOSTROPHE)
    return (
        not bare
        or bare[0] in _FORMULA
        or bare != bare.strip()
        or bare.lower() in _WORDS
        or any(kind.match(bare) for kind in (NUMBER, _COMMA_NUMBER, _NOT_A_NUMBER))
    )
