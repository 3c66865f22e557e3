"""What devices sent that could not be read: the last of each, for whoever looks for the mistake.

Little is kept of each, for anybody can send nonsense: the newest in memory until `write`, which the
housekeeping calls, puts them into the catalog. So they are there after a restart and at every process;
`kill -9` loses those of the last moment.
"""

from collections import deque
from threading import Lock

from barograph.domain.errors import Unavailable
from barograph.domain.refusal import Refusal
from barograph.ports.catalog import RefusedMessages
from barograph.ports.clock import Clock

DEVICE_REFUSALS_MAX = 20
"""Kept of one device, the newest."""
DEVICES_MAX = 1_000
"""Of which anything is kept between two writes, those refused last."""
EXCERPT_BYTES_MAX = 256
TOPIC_CHARS_MAX = 256
MESSAGE_CHARS_MAX = 1_000


class Refusals:
    """The last refused messages by device."""

    def __init__(self, clock: Clock, stored: RefusedMessages) -> None:
        self._clock = clock
        self._stored = stored
        self._lock = Lock()
        self._writing = Lock()
        self._kept: dict[int, deque[Refusal]] = {}

    def keep(self, device_id: int, topic: str, payload: bytes, message: str) -> None:
        """Remember one."""
        one = Refusal(
            device_id,
            self._clock(),
            _storable(topic, TOPIC_CHARS_MAX),
            _storable(message, MESSAGE_CHARS_MAX),
            bytes(payload[:EXCERPT_BYTES_MAX]),
            len(payload),
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
        """Those of the device, the newest first; raises `Unavailable`."""
        with self._writing:  # or one would be in neither place for a moment, or in both
            with self._lock:
                kept = list(reversed(self._kept.get(device_id, ())))
            stored = self._stored.of(device_id, DEVICE_REFUSALS_MAX)
        return [*kept, *stored][:DEVICE_REFUSALS_MAX]

    def write(self) -> bool:
        """Put what came into the catalog; False: that was all. Raises `Unavailable`."""
        with self._writing:
            with self._lock:
                kept, self._kept = self._kept, {}
            if not kept:
                return False
            try:
                self._stored.keep([one for of in kept.values() for one in of], DEVICE_REFUSALS_MAX)
            except Unavailable:
                with self._lock:
                    for device_id, newer in self._kept.items():
                        older = kept.pop(device_id, ())
                        kept[device_id] = deque([*older, *newer], DEVICE_REFUSALS_MAX)
                    self._kept = kept
                raise
        return False


def _storable(text: str, chars_max: int) -> str:
    """The beginning of the text, as every database takes it."""
    return text[:chars_max].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
