"""What time it is."""

from typing import Protocol


class Clock(Protocol):
    """The wall clock."""

    def __call__(self) -> int:
        """Now, in microseconds since 1970, UTC."""
