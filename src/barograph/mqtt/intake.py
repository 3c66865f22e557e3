"""Incoming PUBLISH packets: the hot path, and answering them in order (5.0, sections 3.3, 4.3, 4.6).

Rules:
- One socket read makes one batch. The host stores it and then calls `Connection.acknowledge`;
  nothing of it is routed or answered before ([MQTT-4.3.2-4], [MQTT-4.3.3-8]: having accepted
  ownership).
- Batches are answered in the order in which they came, and within a batch each PUBACK and PUBREC in
  the order of its PUBLISH ([MQTT-4.6.0-2], [MQTT-4.6.0-3]), whatever order the host finishes them in.
- `scan` reads the plain case, a QoS 0 or 1 PUBLISH to a topic already permitted, without an object
  beyond the tuple that the host gets; whatever else it meets it leaves to `connection.py`.
"""

import sys
from array import array
from collections.abc import Callable, Container, Mapping
from typing import Final

from barograph.mqtt.message import Published
from barograph.mqtt.packets import PUBACK, PUBREC
from barograph.mqtt.reason import Reason

SCAN_PACKET_BYTES_MAX: Final = 1 + 2 + 16_383
"""The largest packet that `scan` reads: its remaining length has two bytes at most (1.5.5)."""

# An answer with reason 0 is four bytes in both versions (3.4.2.1, 3.5.2.1), here as one integer:
# type, remaining length 2, packet identifier.
PUBACK_WORD: Final = PUBACK << 28 | 2 << 16
PUBREC_WORD: Final = PUBREC << 28 | 2 << 16

NO_REFUSALS: Final[Mapping[int, Reason]] = {}

_WORD: Final = next(code for code in "IL" if array(code).itemsize == 4)
_SWAP: Final = sys.byteorder == "little"


class Batch:
    """The messages of one socket read, for the host to take in."""

    __slots__ = ("decided", "mixed", "publishes", "refused", "settled", "words")

    def __init__(self) -> None:
        self.publishes: list[Published] = []
        """The messages in order; see `message.Published`."""
        self.words: list[int] = []
        """The answers owed, in order, as if all were to succeed."""
        self.decided: dict[int, Reason] = {}
        """By position in `words`, the answers that do not depend on the host: SUCCESS where a QoS 2
        message came again, a failure where it was not permitted."""
        self.refused: Mapping[int, Reason] = NO_REFUSALS
        """By position in `publishes`, what the host did not take."""
        self.mixed = False
        """Whether there is any QoS 2 in it."""
        self.settled = False
        """Whether the host has answered."""

    def owe(self, word: int, packet_id: int, decided: Reason | None = None) -> None:
        """Owe an answer; `decided` if it is known already, and the host gets no message for it."""
        if decided is not None:
            self.decided[len(self.words)] = decided
        self.words.append(word | packet_id)

    def accepted(self) -> list[Published]:
        """The messages that the host took."""
        if not self.refused:
            return self.publishes
        return [one for i, one in enumerate(self.publishes) if i not in self.refused]

    def refusals(self) -> dict[int, Reason]:
        """What the host refused, by position in `words`."""
        if not self.refused:
            return {}
        theirs = (i for i in range(len(self.words)) if i not in self.decided)
        answered = (i for i, one in enumerate(self.publishes) if one[3])
        return {
            position: self.refused[i]
            for i, position in zip(answered, theirs, strict=True)
            if i in self.refused
        }


def pack(words: list[int]) -> bytes:
    """The bytes of answers that all succeed."""
    packed = array(_WORD, words)
    if _SWAP:
        packed.byteswap()
    return packed.tobytes()


def scan(
    data: bytes,
    pos: int,
    permitted: Container[bytes],
    batch: Batch,
    *,
    with_properties: bool,
) -> int:
    """Read plain PUBLISH packets from `pos` on into `batch`; returns where the first other begins.

    `permitted` holds the topics that need no further check. This is the one place where speed
    decides the shape of the code: every step counts once per message.
    """
    end = len(data)
    add: Callable[[Published], None] = batch.publishes.append
    owe = batch.words.append
    try:
        while True:
            kind = data[pos] & 0xFE  # RETAIN aside
            if kind not in {0x30, 0x32}:
                return pos
            length = data[pos + 1]
            start = pos + 4
            if length > 0x7F:
                high = data[pos + 2]
                if not 0 < high < 0x80:
                    return pos
                length = length & 0x7F | high << 7
                start = pos + 5
            after = start + length - 2
            if after > end:
                return pos
            stop = start + (data[start - 2] << 8 | data[start - 1])
            topic = data[start:stop]
            if topic not in permitted:
                return pos
            if kind == 0x30:
                if with_properties:
                    if data[stop]:
                        return pos
                    stop += 1
                if stop > after:
                    return pos
                add((topic, data[stop:after], data[pos] & 1, 0, None))
            else:
                packet_id = data[stop] << 8 | data[stop + 1]
                stop += 2
                if with_properties:
                    if data[stop]:
                        return pos
                    stop += 1
                if stop > after or not packet_id:
                    return pos
                add((topic, data[stop:after], data[pos] & 3, packet_id, None))
                owe(PUBACK_WORD | packet_id)
            pos = after
    except IndexError:
        # The data ends within a header. Nothing of that packet was added.
        return pos
