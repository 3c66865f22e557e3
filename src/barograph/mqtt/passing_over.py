"""Passing over a PUBLISH that is larger than we take, without keeping it.

5.0 servers are told our limit. 3.1.1 knows none, and its server would only send the message again: so
it is acknowledged unread.
"""

from dataclasses import dataclass

from barograph.mqtt.errors import malformed
from barograph.mqtt.wire import Reader, text_of


@dataclass(slots=True)
class PassedOver:
    """A PUBLISH that is being passed over."""

    topic: str
    qos: int
    packet_id: int
    size: int
    """Bytes of the packet."""
    left: int
    """Bytes of it that are still to come."""

    def rest_of(self, data: bytes) -> bytes:
        """What of `data` lies behind the packet; `left` is 0 once all of it came."""
        rest = data[self.left :]
        self.left -= len(data) - len(rest)
        return rest


def begin_to_pass_over(data: bytes, pos: int) -> PassedOver | None:
    """Read the head of the PUBLISH at `pos`; None while it is not all there.

    PeerError when the head is malformed.
    """
    reader = Reader(data, pos + 1)
    length = reader.varint()
    size = reader.pos - pos + length
    qos = data[pos] >> 1 & 3
    if len(data) - reader.pos < 2:
        return None
    topic_length = reader.u16()
    further = topic_length + (2 if qos else 0)
    if 2 + further > length:
        raise malformed("a PUBLISH ends within its topic")
    if len(data) - reader.pos < further:
        return None
    topic = text_of(reader.take(topic_length))
    packet_id = reader.u16() if qos else 0
    if qos and not packet_id:
        raise malformed("a packet identifier is 0")
    return PassedOver(topic, qos, packet_id, size, size)
