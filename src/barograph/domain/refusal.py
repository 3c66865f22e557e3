"""What a device sent that could not be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was refused."""

    device_id: int
    time: int
    """Microseconds."""
    topic: str
    message: str
    """What was wrong with it."""
    payload: bytes
    """How it begins."""
    size: int
    """Bytes of the whole payload."""
