"""Devices and their series."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from barograph.domain.errors import InvalidInput

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z", re.ASCII)
"""What a device's key looks like: the identifier it calls itself."""

TIME_KEYS = ("ts", "time", "timestamp")
"""The keys that give an entry's time; no metric can have one of these names."""

_NOBODY: Mapping[int, bool] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Device:
    """A thing that sends readings, owned by a user.

    `key` is unique per installation; `name` is for people. `user_id` is None where the local
    operator registered it for nobody. `asset_id` is what it is fitted to. `round_time`
    (microseconds) overrides the installation's rounding of reading times; 0 means none.
    """

    id: int
    key: str
    name: str
    user_id: int | None = None
    asset_id: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    round_time: int | None = None
    created_time: int = 0
    shared: Mapping[int, bool] = field(default_factory=lambda: _NOBODY, compare=False, repr=False)
    """The ids of the users whom its owner lets read it, and whether they may write readings."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one device. Ids are small, dense and never used again."""

    id: int
    device_id: int
    metric: str


def check_key(key: str) -> str:
    """`key` if a device may call itself so; raises `InvalidInput`."""
    if not KEY.match(key):
        raise InvalidInput.of(
            "key",
            "a key begins with a letter or digit and has at most 128 letters, digits and . _ : / -",
        )
    return key


def metric_problem(metric: str, bytes_max: int) -> str | None:
    """Why `metric` cannot name a metric, or None."""
    if not metric or metric != metric.strip():
        return "a metric needs a name without blanks around it"
    if metric in TIME_KEYS:
        return f"{metric!r} names the time of an entry and cannot name a metric"
    if len(metric.encode("utf-8", "surrogatepass")) > bytes_max:
        return f"a metric's name is at most {bytes_max} bytes of UTF-8"
    if not metric.isprintable():
        return "a metric's name has only printable characters"
    return None
