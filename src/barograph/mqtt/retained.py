"""Retained messages (5.0 and 3.1.1, section 3.3.1.3).

Rules:
- One per topic; a new one replaces it ([MQTT-3.3.1-5]); an empty payload removes it and is not
  itself stored ([MQTT-3.3.1-6], [MQTT-3.3.1-7]).
- They belong to no session and outlive all of them (4.1).
- One whose expiry interval is over is gone (3.3.2.3.3).
- Beyond the limits a new topic is not stored, which is counted in `refused`.
"""

from collections.abc import Callable, Iterator

from barograph.mqtt.journal import Change, RetainedRemoved, RetainedSaved
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Message
from barograph.mqtt.topics import NameTree


class Retained:
    """The retained messages."""

    def __init__(self, limits: MqttLimits, record: Callable[[Change], None]) -> None:
        self.refused = 0
        """Messages that were not stored because the limits were reached."""
        self._limits = limits
        self._record = record
        self._tree: NameTree[Message] = NameTree()
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def get(self, name: str, now: float) -> Message | None:
        message = self._tree.get(name)
        return None if message is None or message.expired(now) else message

    def set(self, message: Message) -> bool:
        """Keep `message`, or remove what its topic has. False when the limits are reached."""
        name = message.topic.decode()
        known = self._tree.get(name)
        if not message.payload:
            if known is not None:
                self.remove(name)
            return True
        held = 0 if known is None else known.size
        if (
            self._count + (known is None) > self._limits.retained_messages_max
            or self._bytes - held + message.size > self._limits.retained_bytes_max
        ):
            if known is not None:
                self.remove(name)  # the old one must not pass for the last one
            self.refused += 1
            return False
        self._put(name, message)
        self._record(RetainedSaved(message))
        return True

    def restore(self, message: Message) -> None:
        """Take up a message that was stored."""
        self._put(message.topic.decode(), message)

    def remove(self, name: str) -> None:
        message = self._tree.remove(name)
        if message is not None:
            self._count -= 1
            self._bytes -= message.size
            self._record(RetainedRemoved(message.topic))

    def match(self, pattern: str, now: float) -> Iterator[str]:
        """The topics that the filter matches."""
        for message in self._tree.match(pattern):
            if not message.expired(now):
                yield message.topic.decode()

    def _put(self, name: str, message: Message) -> None:
        known = self._tree.get(name)
        if known is None:
            self._count += 1
        else:
            self._bytes -= known.size
        self._bytes += message.size
        self._tree.set(name, message)
