"""One value alone, as in the payload of an MQTT message whose topic names the metric."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Final

import msgspec

from barograph.codecs.decoded import Context, text_problem, time_of, value_problem
from barograph.codecs.json_text import check_depth, parse
from barograph.domain.device import TIME_KEYS
from barograph.domain.errors import InvalidInput, MalformedInput
from barograph.domain.limits import Limits
from barograph.domain.time import from_number

_WORDS: Final[Mapping[bytes, float]] = {b"true": 1.0, b"on": 1.0, b"false": 0.0, b"off": 0.0}
_NOTHING: Final = frozenset({b"", b"null"})


class _Timed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: float
    ts: int


_decode_timed = msgspec.json.Decoder(_Timed).decode
_TIMED_QUOTES: Final = 4
"""Of two names. More may be a name that comes twice, which the exact way is to judge."""


def timed_number(payload: bytes, latest: int) -> tuple[int, float] | None:
    """Time and value of `{"value": 21.5, "ts": 1750000000}`, at a fraction of `decode_value`'s cost.

    None for whatever else it is, also where something is wrong with it, or it is after `latest`.
    """
    if payload.count(b'"') != _TIMED_QUOTES:
        return None
    try:
        found = _decode_timed(payload)
        time = from_number(found.ts)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None
    return None if time > latest else (time, found.value)


def decode_value(
    payload: bytes, *, now: int, zone: tzinfo, limits: Limits
) -> tuple[int | None, float | str]:
    """The time, if the payload names one, and the value.

    Reads a number, `true`, `false`, `on` and `off` in any case, a JSON object with `value` and
    perhaps a time (what else it holds is ignored), a JSON string, or else text; blanks around it
    are ignored. Raises `MalformedInput` or `InvalidInput`.
    """
    try:
        number = float(payload)
    except ValueError:
        return _decode_other(payload.strip(), Context(now, zone, limits, partial=False))
    if b"_" in payload:  # 1_000 is a number in Python's eyes only
        return None, _decode_text(payload.strip(), limits)
    if number - number != 0:
        shown = payload.strip()[:32].decode()
        raise InvalidInput.of("", f"{shown} is not a finite 64-bit number")
    return None, number


def _decode_other(payload: bytes, context: Context) -> tuple[int | None, float | str]:
    lower = payload.lower()
    if lower in _WORDS:
        return None, _WORDS[lower]
    if lower in _NOTHING:
        raise InvalidInput.of("", "there is no value: expected a number, a boolean or a text")
    if payload[:1] == b"{":
        return _decode_object(payload, context)
    return None, _decode_text(payload, context.limits)


def _decode_object(payload: bytes, context: Context) -> tuple[int | None, float | str]:
    entry = parse(payload, context.limits)
    check_depth(entry, context.limits.json_depth_max)
    if entry.get("value") is None:
        raise InvalidInput.of("value", 'there is no value: expected {"value": 21.5}')
    value = entry["value"]
    problem = value_problem(value, context.limits)
    if problem is not None:
        raise InvalidInput.of("value", problem)
    timed = [key for key in TIME_KEYS if entry.get(key) is not None]
    if len(timed) > 1:
        raise InvalidInput.of("", f"the time is given both as {' and as '.join(timed)}")
    try:
        time = time_of(entry[timed[0]], context) if timed else None
    except ValueError as error:
        raise InvalidInput.of(timed[0], str(error)) from None
    return time, value if isinstance(value, str) else float(value)


def _decode_text(payload: bytes, limits: Limits) -> str:
    text = None
    if len(payload) > 1 and payload[:1] == payload[-1:] == b'"':
        try:
            text = parse(payload, limits)
        except MalformedInput:
            text = None  # a text that happens to stand in quotation marks
    if text is None:
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise MalformedInput(f"this is not UTF-8: {error}") from None
    assert isinstance(text, str)
    problem = text_problem(text, limits)
    if problem is not None:
        raise InvalidInput.of("", problem)
    return text
