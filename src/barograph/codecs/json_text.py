"""JSON texts as Python values, strictly and within bounds."""

import codecs
import math
import re
from typing import Any

import msgspec

from barograph.codecs.decoded import NOT_FINITE, VALUES_PER_READING
from barograph.domain.errors import MalformedInput, TooLarge
from barograph.domain.limits import MIB, Limits

_decode = msgspec.json.Decoder().decode

# A string of JSON; one that never ends goes to the end, so that no byte is looked at twice.
_STRING = rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)'
# What Python and JavaScript write for numbers that JSON does not have, and numbers so long that
# they may be beyond the range of a float.
_NOT_FINITE = re.compile(
    _STRING
    + rb"|-?\b(?:NaN|Infinity)\b|-?\b\d++(?:\.\d++)?[eE]\+?\d{3,}+|-?\b\d{309,}+(?:\.\d++)?",
    re.DOTALL,
)
_QUOTE = ord('"')
_NUMBER_SHOWN_CHARS_MAX = 32
_MARKED_BYTES_MAX = 2 * MIB
"""Longer bodies are not searched for such numbers: that takes a second for ten megabytes."""


def parse(body: bytes, limits: Limits) -> Any:
    """The JSON text as Python values, where numbers that are not finite stand as objects.

    Raises `MalformedInput` or `TooLarge`.
    """
    check_values(body, limits)
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _parse_again(body, error)


def _parse_again(body: bytes, error: Exception) -> Any:
    """Read what only a byte order mark or numbers that are not finite keep from being JSON."""
    again = body.removeprefix(codecs.BOM_UTF8)
    if len(again) <= _MARKED_BYTES_MAX and (
        isinstance(error, msgspec.ValidationError) or b"NaN" in again or b"Infinity" in again
    ):
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


def check_values(body: bytes, limits: Limits) -> None:
    """Bound the memory that reading `body` takes, before it is taken; raises `TooLarge`.

    Values are counted by their commas and brackets, those within texts included.
    """
    values_max = limits.request_readings_max * VALUES_PER_READING
    if len(body) <= 2 * values_max:  # too few bytes for so many values
        return
    if body.count(b",") + body.count(b"{") + body.count(b"[") > values_max:
        raise TooLarge(f"the body holds more than {values_max} values: send it in several requests")


def check_depth(value: Any, depth_max: int) -> None:
    """Raises `MalformedInput` where `value` nests deeper than `depth_max`."""
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
