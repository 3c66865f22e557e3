"""Whether a device holds a connection."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a device is there."""

    status: Literal["online", "offline"]
    since: int
    """Microseconds."""
    detail: str = ""
    """Why it is offline."""
