"""What a device is told to do."""

from dataclasses import dataclass
from typing import Any, Literal

CommandStatus = Literal["queued", "delivered", "answered", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a device is told, and what it answered.

    `command` and `reply` are any JSON values. Times are microseconds.
    """

    id: int
    device_id: int
    command: Any
    created_time: int
    expires_time: int
    """From then on it is not delivered any more."""
    delivered_time: int | None = None
    """When the device acknowledged it."""
    answered_time: int | None = None
    reply: Any = None
    cancelled_time: int | None = None
    """When it was called off; it may have been on its way then, and delivered all the same."""

    def status(self, now: int) -> CommandStatus:
        """How far it came by `now`."""
        if self.answered_time is not None:
            return "answered"
        if self.delivered_time is not None:
            return "delivered"
        if self.cancelled_time is not None:
            return "cancelled"
        return "queued" if now < self.expires_time else "expired"
