"""Reads the parameters of a question, wherever they come from.

A query string gives text, a JSON body gives text, numbers, booleans or lists; both mean the same.
Everything that is wrong is gathered, so that the sender hears of it at once.
"""

import math
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import TypeVar

from barograph.domain.errors import InvalidInput, Problem
from barograph.domain.limits import Limits
from barograph.domain.time import from_any, parse_moment

T = TypeVar("T")

NAMES_MAX = 1_000
"""Names in one list."""

_TRUTHS = {"true": True, "1": True, "yes": True, "on": True}
_TRUTHS |= {"false": False, "0": False, "no": False, "off": False}


class Parameters:
    """Parameters by name. What is absent, null or empty has its default."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given
        self._problems: list[Problem] = []

    def read(self, name: str, parse: Callable[[object], T], default: T) -> T:
        """`parse` of the parameter; its `ValueError` or `InvalidInput` becomes a problem there."""
        value = self._given.get(name)
        if value is None or value in ("", []):
            return default
        try:
            return parse(value)
        except InvalidInput as error:
            self._problems += [Problem(name, problem.message) for problem in error.problems]
        except ValueError as error:
            self._problems.append(Problem(name, str(error)))
        return default

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Note every parameter that has no meaning here, where ignoring it would do harm."""
        self._problems += [
            Problem(name[:64], f"there is no such parameter: use {', '.join(sorted(known))}")
            for name in self._given
            if name not in known
        ]

    def refuse_empty(self) -> None:
        """Note every parameter that says nothing, where its default would do harm.

        A script whose variable is not set writes `metric=`, and does not mean every metric.
        """
        self._problems += [
            Problem(name[:64], "this is empty: leave it out or give a value")
            for name, value in self._given.items()
            if (value.strip(" ,") if isinstance(value, str) else value) in ("", [])
        ]

    def check(self) -> None:
        """Raise `InvalidInput` with every problem found so far, if there is one."""
        if self._problems:
            raise InvalidInput(self._problems)


def text(value: object) -> str:
    """Text, or a number written as text; raises `ValueError`."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("this must be text")


def moment(now: int, zone: tzinfo) -> Callable[[object], int]:
    """The reader of a time: RFC 3339, epoch, or relative to `now`; without offset in `zone`."""

    def read(value: object) -> int:
        if isinstance(value, str):
            return parse_moment(value.strip(), now, zone)
        return from_any(value, zone)

    return read


def names(limits: Limits) -> Callable[[object], tuple[str, ...]]:
    """The reader of a list of names: text with commas, or a list of texts, without repeats."""

    def read(value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list | tuple) else text(value).split(",")
        found = dict.fromkeys(name for item in items if (name := text(item).strip()))
        if len(found) > NAMES_MAX:
            raise ValueError(f"at most {NAMES_MAX} names")
        for name in found:
            if len(name.encode("utf-8", "surrogatepass")) > limits.metric_bytes_max:
                raise ValueError(f"a name is at most {limits.metric_bytes_max} bytes of UTF-8")
        return tuple(found)

    return read


def truth(value: object) -> bool:
    """True or false, also as text; raises `ValueError`."""
    if isinstance(value, bool):
        return value
    found = _TRUTHS.get(text(value).lower())
    if found is None:
        raise ValueError("this must be true or false")
    return found


def number(value: object) -> float:
    """A finite number, also as text; raises `ValueError`."""
    found = float(text(value))
    if not math.isfinite(found):
        raise ValueError("this must be a finite number")
    return found
