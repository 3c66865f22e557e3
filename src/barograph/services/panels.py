"""What a panel is: the one place that reads one, from the API, from a form or from a file.

A panel is a JSON object: `kind`, `title`, its `width` (3 to 12 of 12 columns) and `height` (1 to 4
rows), and by kind a `text`, or a `question` with the parameters of analytics and `devices`; for a
gauge also where it begins and ends, `low` and `high`. The defaults are written in, so that what is
stored needs no reading twice.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from barograph.domain.dashboard import PanelKind
from barograph.domain.device import Device
from barograph.domain.errors import InvalidInput, Problem
from barograph.domain.statistic import Statistic
from barograph.services.names import NAME_CHARS_MAX, check_name

PANELS_MAX = 60
TEXT_CHARS_MAX = 4_000
DEVICES_MAX = 24
METRICS_MAX = 24
COLUMNS = 12

KINDS: tuple[PanelKind, ...] = get_args(PanelKind)
WIDTHS = (3, 4, 6, 8, 12)
HEIGHTS = (1, 2, 3, 4)

_QUESTION_KEYS = frozenset(
    {"devices", "metrics", "stats", "start_time", "end_time", "interval", "tz"}
)
_KEYS = frozenset({"kind", "title", "width", "height", "question", "text", "low", "high"})
_USUAL_SIZE: Mapping[PanelKind, tuple[int, int]] = {
    "line": (6, 2),
    "bar": (6, 2),
    "stat": (3, 1),
    "gauge": (3, 2),
    "table": (6, 2),
    "states": (6, 1),
    "text": (6, 1),
}
_USUAL_STATISTIC: Mapping[PanelKind, str] = {
    "line": "mean",
    "bar": "mean",
    "stat": "last",
    "gauge": "last",
    "table": "min,mean,max,last",
    "states": "last",
}

FindDevice = Callable[[int | str], Device]
"""The device with this id or key; raises where there is none for who asks."""

CheckQuestion = Callable[[Mapping[str, object]], object]
"""Raises `InvalidInput` where the parameters make no question."""


def read_panels(given: object, find: FindDevice, check: CheckQuestion) -> list[dict[str, Any]]:
    """The panels in the form in which they are kept; raises `InvalidInput`, `NotFound`."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InvalidInput.of("panels", "this must be a list of panels")
    if len(given) > PANELS_MAX:
        raise InvalidInput.of("panels", f"a dashboard has at most {PANELS_MAX} panels")
    found = []
    for i, panel in enumerate(given):
        try:
            found.append(read_panel(panel, find, check))
        except InvalidInput as error:
            at = f"panels[{i}]"
            problems = [
                Problem(f"{at}.{one.at}" if one.at else at, one.message) for one in error.problems
            ]
            raise InvalidInput(problems) from None
    return found


def read_panel(given: object, find: FindDevice, check: CheckQuestion) -> dict[str, Any]:
    """One panel in the form in which it is kept; raises `InvalidInput`, `NotFound`."""
    if not isinstance(given, Mapping):
        raise InvalidInput.of("", "a panel is a JSON object")
    for key in given:
        if key not in _KEYS:
            raise InvalidInput.of(
                str(key)[:64], f"there is no such field: use {', '.join(sorted(_KEYS))}"
            )
    kind = given.get("kind")
    if kind not in KINDS:
        raise InvalidInput.of("kind", f"use one of {', '.join(KINDS)}")
    width, height = _USUAL_SIZE[kind]
    title = given.get("title") or ""
    if title:
        check_name("title", _text(title, "title"), NAME_CHARS_MAX)
    panel: dict[str, Any] = {
        "kind": kind,
        "title": title,
        "width": _one_of(given, "width", WIDTHS, width),
        "height": _one_of(given, "height", HEIGHTS, height),
    }
    if kind == "text":
        text = _text(given.get("text") or "", "text")
        if len(text) > TEXT_CHARS_MAX:
            raise InvalidInput.of("text", f"at most {TEXT_CHARS_MAX} characters")
        return {**panel, "text": text}
    panel["question"] = _question(given.get("question"), kind, find, check)
    if kind == "gauge":
        low, high = _number(given, "low", 0.0), _number(given, "high", 100.0)
        if low >= high:
            raise InvalidInput.of("low", "a gauge begins below where it ends")
        panel |= {"low": low, "high": high}
    return panel


def _question(
    given: object, kind: PanelKind, find: FindDevice, check: CheckQuestion
) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInput.of("question", "this panel needs a question: an object with devices")
    for key in given:
        if key not in _QUESTION_KEYS:
            names = ", ".join(sorted(_QUESTION_KEYS))
            raise InvalidInput.of(
                f"question.{str(key)[:64]}", f"there is no such parameter: use {names}"
            )
    asked = {key: value for key, value in given.items() if value not in (None, "", [])}
    asked.setdefault("stats", _USUAL_STATISTIC[kind].split(","))
    asked.setdefault("start_time", "-24h")
    try:
        check(asked)
    except InvalidInput as error:
        raise InvalidInput(
            [Problem(f"question.{one.at}", one.message) for one in error.problems]
        ) from None
    devices = _list(asked.get("devices"))
    if not 1 <= len(devices) <= DEVICES_MAX:
        raise InvalidInput.of("question.devices", f"name 1 to {DEVICES_MAX} devices")
    asked["devices"] = list(dict.fromkeys(find(device).id for device in map(_ref, devices)))
    for name, most in (("metrics", METRICS_MAX), ("stats", METRICS_MAX)):
        asked[name] = [str(one).strip() for one in _list(asked.get(name))]
        if len(asked[name]) > most:
            raise InvalidInput.of(f"question.{name}", f"at most {most}")
    for statistic in asked["stats"]:
        Statistic.parse(statistic)
    return asked


def _list(value: object) -> list[Any]:
    if isinstance(value, str):
        return [part for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _ref(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidInput.of("question.devices", "a device is an id or a key")
    return value


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput.of(at, "this must be text")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput.of(at, "has neither the character NUL nor half of a surrogate pair")
    return value


def _one_of(given: Mapping[str, Any], name: str, allowed: Sequence[int], usual: int) -> int:
    value = given.get(name, usual)
    if isinstance(value, bool) or value not in allowed:
        raise InvalidInput.of(name, f"use one of {', '.join(map(str, allowed))}")
    return int(value)


def _number(given: Mapping[str, Any], name: str, usual: float) -> float:
    value = given.get(name, usual)
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput.of(name, "this must be a finite number")
    return number
