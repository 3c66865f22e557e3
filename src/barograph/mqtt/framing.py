"""Cutting a stream of bytes into packets (5.0 and 3.1.1, section 2.1 and 2.2 there).

Rules:
- A packet is a first byte, its remaining length in one to four bytes, and that many bytes (2.1.4).
- What is not whole yet is kept until it is, and looked at again only then: many small pieces of a
  large packet cost no more than the packet.
- A packet above the limit is refused as soon as its length is known.
"""

from barograph.mqtt.errors import PeerError, malformed
from barograph.mqtt.reason import Reason


class Framing:
    """Keeps the bytes of an unfinished packet."""

    __slots__ = ("_kept", "_needed")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._needed = 0

    def __len__(self) -> int:
        """Bytes kept."""
        return len(self._kept)

    def join(self, data: bytes) -> bytes:
        """What is kept and `data`; nothing while that cannot hold a whole packet."""
        if not self._kept:
            return data
        self._kept += data
        if len(self._kept) < self._needed:
            return b""
        return self.take()

    def keep(self, data: bytes) -> None:
        self._kept += data

    def take(self) -> bytes:
        """What is kept, which then is not any more."""
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def find(self, data: bytes, pos: int, packet_bytes_max: int) -> tuple[int, int]:
        """Where the body of the packet at `pos` begins and ends; (0, 0) when it is not all there.

        PeerError when its length is malformed or above the limit.
        """
        length = shift = 0
        at = pos + 1
        while True:
            if at >= len(data):
                self._needed = at - pos + 1
                return 0, 0
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise malformed("a packet's length has more than four bytes")
        if shift and not byte:
            raise malformed("a packet's length uses more bytes than it needs")
        size = at - pos + length
        if size > packet_bytes_max:
            raise PeerError(
                Reason.PACKET_TOO_LARGE,
                f"a packet has {size} bytes; at most {packet_bytes_max} are taken",
            )
        if pos + size > len(data):
            self._needed = size
            return 0, 0
        return at, pos + size
