"""An application message on its way from a publisher to subscribers (5.0, section 3.3).

Rules:
- What a publisher said goes to every subscriber unaltered: payload, payload format, content type,
  response topic, correlation data, user properties in their order (3.3.2.3). They are kept as the
  bytes in which they will leave; 3.1.1 subscribers do not see them.
- Topic alias and subscription identifiers belong to one connection and are not part of it.
- The expiry interval is kept as the moment at which it ends; what is sent is what then remains
  ([MQTT-3.3.2-6]).
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from barograph.mqtt.properties import FORWARDED, Properties, encode_some

Published: TypeAlias = tuple[bytes, bytes, int, int, Properties | None]
"""One PUBLISH as the host sees it: topic, payload, flags, packet identifier, properties.

The topic is well-formed UTF-8 and a permitted topic name. `flags` are the low four bits of the
packet's first byte: `DUP`, twice the QoS, `RETAIN`. The packet identifier is 0 at QoS 0. The
properties are None when there are none.
"""

RETAIN = 0x01  # 3.3.1.3
DUP = 0x08  # 3.3.1.1


@dataclass(slots=True)
class Message:
    """A message as it is stored and forwarded."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    """As published; what a subscriber sees is the subscription's matter (3.3.1.3)."""
    properties: bytes = b""
    """The forwarded properties, encoded, without a length before them."""
    expires_at: float | None = None
    """Seconds, on the host's clock."""
    receipt: int = 0
    """What the host wants to hear of when a client has it (`Effects.received`); 0: nothing."""
    frames: dict[tuple[int, bool], bytes] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The packets of QoS 0 by version and RETAIN, built once for all plain subscribers."""

    @classmethod
    def of(cls, published: Published, now: float, receipt: int = 0) -> "Message":
        """The message of a PUBLISH that came in at `now`."""
        topic, payload, flags, _, properties = published
        if properties is None:
            return cls(topic, payload, flags >> 1 & 3, bool(flags & RETAIN), receipt=receipt)
        expiry = properties.message_expiry
        return cls(
            topic,
            payload,
            flags >> 1 & 3,
            bool(flags & RETAIN),
            encode_some(properties, FORWARDED),
            None if expiry is None else now + expiry,
            receipt,
        )

    @property
    def size(self) -> int:
        """Bytes, as the queue limits count them."""
        return len(self.topic) + len(self.payload) + len(self.properties)

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at
