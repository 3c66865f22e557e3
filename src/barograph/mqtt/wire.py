"""The data types of MQTT on the wire (5.0, section 1.5; 3.1.1, section 1.5).

Rules:
- Integers are big-endian (1.5.2, 1.5.3).
- A UTF-8 string has a two-byte length, is well-formed, holds no surrogates and no U+0000
  ([MQTT-1.5.4-1], [MQTT-1.5.4-2]; 3.1.1 [MQTT-1.5.3-1], [MQTT-1.5.3-2]). A byte order mark is a
  character like any other and stays ([MQTT-1.5.4-3]).
- A variable byte integer has one to four bytes of seven bits, least significant first, and uses
  the fewest that do ([MQTT-1.5.5-1]).
"""

from typing import Final

from barograph.mqtt.errors import malformed

VARINT_MAX: Final = 268_435_455  # section 1.5.5, table 1-1
FIELD_BYTES_MAX: Final = 65_535  # a two-byte length, sections 1.5.4 and 1.5.6


def varint(value: int) -> bytes:
    """A variable byte integer. ValueError when `value` is negative or above `VARINT_MAX`."""
    if not 0 <= value <= VARINT_MAX:
        raise ValueError(f"{value} does not fit a variable byte integer (0 to {VARINT_MAX})")
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)


def binary(data: bytes) -> bytes:
    """Binary data with its two-byte length (section 1.5.6). ValueError when too long."""
    if len(data) > FIELD_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes do not fit a field of at most {FIELD_BYTES_MAX}")
    return len(data).to_bytes(2, "big") + data


def utf8(text: str) -> bytes:
    """A UTF-8 string with its two-byte length. ValueError for what the standard rules out."""
    if "\0" in text:
        raise ValueError("a string in MQTT cannot hold U+0000")
    return binary(text.encode())


def text_of(data: bytes) -> str:
    """The characters of a UTF-8 string's bytes. PeerError (malformed) when they are not that."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"a string is not well-formed UTF-8: {error}") from None
    if "\0" in text:
        raise malformed("a string holds the character U+0000")
    return text


class Reader:
    """Reads one packet's bytes from front to back; PeerError (malformed) where they end early."""

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end

    def take(self, count: int) -> bytes:
        start = self.pos
        if count > self.end - start:
            raise malformed(f"a packet ends {count - (self.end - start)} bytes before a field does")
        self.pos = start + count
        return self.data[start : self.pos]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise malformed("a variable byte integer uses more bytes than it needs")
                return value
            shift += 7
            if shift > 21:
                raise malformed("a variable byte integer has more than four bytes")

    def binary(self) -> bytes:
        return self.take(self.u16())

    def utf8(self) -> str:
        return text_of(self.binary())

    def rest(self) -> bytes:
        return self.take(self.end - self.pos)

    def more(self) -> bool:
        return self.pos < self.end

    def finish(self) -> None:
        """Nothing may follow the last field."""
        if self.pos != self.end:
            raise malformed(f"{self.end - self.pos} bytes follow the last field of a packet")
