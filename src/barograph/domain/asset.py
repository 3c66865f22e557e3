"""The inventory: what devices are fitted to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Asset:
    """A car, a room, a machine. `name` is unique per `kind`; the inventory is shared."""

    id: int
    kind: str
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_time: int = 0
