"""What devices sent that could not be read: the last of each, for whoever looks for the mistake.

In memory only, and little of each, for anybody can send nonsense.
"""

from collections import deque
from dataclasses import dataclass
from threading import Lock

from barograph.ports.clock import Clock

DEVICE_REFUSALS_MAX = 20
"""Kept of one device, the newest."""
DEVICES_MAX = 1_000
"""Of which anything is kept, those refused last."""
EXCERPT_BYTES_MAX = 256


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was refused."""

    time: int
    """Microseconds."""
    topic: str
    message: str
    """What was wrong with it."""
    payload: bytes
    """How it begins."""
    size: int
    """Bytes of the whole payload."""


class Refusals:
    """The last refused messages by device."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[int, deque[Refusal]] = {}

    def keep(self, device_id: int, topic: str, payload: bytes, message: str) -> None:
        """Remember one."""
        one = Refusal(
            self._clock(), topic, message, bytes(payload[:EXCERPT_BYTES_MAX]), len(payload)
        )
        with self._lock:
            kept = self._kept.pop(device_id, None)
            if kept is None:
                kept = deque(maxlen=DEVICE_REFUSALS_MAX)
                while len(self._kept) >= DEVICES_MAX:
                    del self._kept[next(iter(self._kept))]
            kept.append(one)
            self._kept[device_id] = kept

    def of(self, device_id: int) -> list[Refusal]:
        """Those of the device, the newest first."""
        with self._lock:
            return list(reversed(self._kept.get(device_id, ())))
