"""Outgoing PUBLISH packets for one connection (5.0 and 3.1.1, section 3.3).

Rules:
- No packet above the client's Maximum Packet Size ([MQTT-3.1.2-24]); the caller treats such a
  message as delivered ([MQTT-3.1.2-25]).
- No topic alias above the client's Topic Alias Maximum, none when that is absent or 0
  ([MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-11]); aliases end with the connection
  ([MQTT-3.3.2-7]).
- The expiry interval is what remains of it ([MQTT-3.3.2-6]).
"""

from math import ceil
from typing import Final

from barograph.mqtt.encode import frame
from barograph.mqtt.message import Message
from barograph.mqtt.packets import PUBLISH, V5
from barograph.mqtt.wire import varint

# Property identifiers, table 2-4.
_EXPIRY: Final = b"\x02"
_SUBSCRIPTION_IDENTIFIER: Final = b"\x0b"
_TOPIC_ALIAS: Final = b"\x23"

ALIAS_PAYS_BYTES: Final = 3
"""An alias costs this much; shorter topics are sent as they are."""


class PublishWriter:
    """Writes PUBLISH packets; knows the aliases in use."""

    __slots__ = ("_aliases", "_aliases_max", "_packet_bytes_max", "_version")

    def __init__(self, version: int, packet_bytes_max: int | None, aliases_max: int) -> None:
        self._version = version
        self._packet_bytes_max = packet_bytes_max
        self._aliases_max = aliases_max
        self._aliases: dict[bytes, int] = {}

    def plain(self, message: Message, *, retain: bool) -> bytes | None:
        """The packet at QoS 0 without identifiers, alias and expiry, shared by all its receivers.

        None when this message to this client needs a packet of its own, or is too large.
        """
        if self._aliases_max or message.expires_at is not None:
            return None
        key = (self._version, retain)
        data = message.frames.get(key)
        if data is None:
            properties = b""
            if self._version == V5:
                properties = varint(len(message.properties)) + message.properties
            data = message.frames[key] = frame(
                PUBLISH << 4 | retain,
                len(message.topic).to_bytes(2, "big"),
                message.topic,
                properties,
                message.payload,
            )
        return data if self.fits(data) else None

    def fits(self, data: bytes) -> bool:
        return self._packet_bytes_max is None or len(data) <= self._packet_bytes_max

    def packet(
        self,
        message: Message,
        qos: int,
        now: float,
        *,
        retain: bool,
        dup: bool,
        packet_id: int,
        identifiers: tuple[int, ...],
    ) -> bytes | None:
        """The packet, or None when it is too large for the client."""
        topic = message.topic
        properties = b""
        fresh_alias = 0
        if self._version == V5:
            parts = [message.properties]
            if message.expires_at is not None:
                left = max(0, ceil(message.expires_at - now))
                parts.append(_EXPIRY + left.to_bytes(4, "big"))
            parts.extend(_SUBSCRIPTION_IDENTIFIER + varint(one) for one in identifiers)
            alias = self._aliases.get(topic, 0)
            if alias:
                topic = b""
            elif len(self._aliases) < self._aliases_max and len(topic) > ALIAS_PAYS_BYTES:
                alias = fresh_alias = len(self._aliases) + 1
            if alias:
                parts.append(_TOPIC_ALIAS + alias.to_bytes(2, "big"))
            inner = b"".join(parts)
            properties = varint(len(inner)) + inner
        data = frame(
            PUBLISH << 4 | dup << 3 | qos << 1 | retain,
            len(topic).to_bytes(2, "big"),
            topic,
            packet_id.to_bytes(2, "big") if qos else b"",
            properties,
            message.payload,
        )
        if not self.fits(data):
            return None
        if fresh_alias:
            self._aliases[topic] = fresh_alias
        return data
