"""When messages came lately, so that one that the broker sends again keeps its time.

A value without a time gets that of its arrival. If Barograph is killed, the broker sends again what
it knows no acknowledgement of, and with a new time a value that was stored would count twice. So
arrivals are noted before they are stored, where `kill -9` does not reach: in a file that is mapped
into memory. (A power cut does; such a value may count twice then.)

    slot of a packet identifier:  digest of topic and payload, 7 bytes
                                  turn, 1 byte: which connection noted it
                                  arrival, 8 bytes, microseconds; negative once it was acknowledged
    slot 0, which is no packet identifier's:  the present turn

Nothing new may be taken for a repetition, or a reading would be lost. So a message came before only if
- the broker says so (DUP), and the last connection noted the same topic and payload;
- with the same packet identifier, as 4.4 of both standards has it, where that note is among the last
  `_RECENT`: identifiers come round only after 65,535 messages;
- or, for brokers that number anew with each connection (RabbitMQ: their first message is number 1),
  with any identifier, but only what we did not acknowledge: that is sure to come again.
Each note serves once. What the broker has forgotten with its session is forgotten here.
"""

import mmap
from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Final

from barograph.mqtt import DUP, Published

_SLOT: Final = Struct("<7sBq")
_SLOTS: Final = 65_536
_BYTES: Final = _SLOTS * _SLOT.size
_TURNS: Final = 256
_RECENT: Final = 16_384


def _digest(one: Published) -> bytes:
    return blake2b(one[1], digest_size=7, key=one[0][:64]).digest()


class Arrivals:
    """One file for one session with a broker."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_BYTES)
            self._slots = mmap.mmap(file.fileno(), _BYTES)
        self._turn = 0
        self._first: int | None = None
        """The packet identifier of the connection's first message."""
        self._former: dict[int, tuple[bytes, int]] = {}
        """By packet identifier, digest and arrival of what may come again."""
        self._open: dict[bytes, deque[int]] = {}
        """By digest, packet identifiers of what was not acknowledged, the oldest first."""

    def resume(self, *, present: bool) -> None:
        """There is a new connection; `present`: the broker still has the session."""
        _, turn, _ = _SLOT.unpack_from(self._slots, 0)
        every = [
            (abs(arrival), packet_id, digest, noted_in, arrival < 0)
            for packet_id, (digest, noted_in, arrival) in enumerate(
                _SLOT.iter_unpack(self._slots[:])
            )
            if packet_id and arrival
        ]
        last = [note for note in every if note[3] == turn] if present else []
        if present and not last:
            # Nothing came on the last connection: what was to come again still is.
            last = [note for note in every if note[3] == (turn - 1) % _TURNS]
        self._former.clear()
        self._open.clear()
        self._slots[:] = bytes(_BYTES)
        for arrival, packet_id, digest, _, acknowledged in sorted(last)[-_RECENT:]:
            self._former[packet_id] = (digest, arrival)
            if not acknowledged:
                self._open.setdefault(digest, deque()).append(packet_id)
            self._write(packet_id, digest, turn, -arrival if acknowledged else arrival)
        self._first = None
        self._turn = (turn + 1) % _TURNS
        self._write(0, b"", self._turn, 0)

    def of(self, one: Published) -> int | None:
        """When the message first came, if it came before. To be asked in their order."""
        packet_id = one[3]
        if self._first is None and packet_id:
            self._first = packet_id
        if not one[2] & DUP:
            return None
        digest = _digest(one)
        waiting = self._open.get(digest, ())
        if self._first == 1:
            if not waiting:
                return None
            packet_id = waiting[0]
        elif self._former.get(packet_id, (b"",))[0] != digest:
            return None
        if packet_id in waiting:
            self._open[digest].remove(packet_id)
        return self._former.pop(packet_id)[1]

    def note(self, publishes: Sequence[Published], arrivals: Iterable[int]) -> None:
        """The messages came then (microseconds) and are about to be stored."""
        for one, arrival in zip(publishes, arrivals, strict=True):
            packet_id = one[3]
            if packet_id:
                if self._first is None:
                    self._first = packet_id
                self._write(packet_id, _digest(one), self._turn, arrival)

    def acknowledged(self, publishes: Iterable[Published]) -> None:
        """The broker is told of the messages now, on the connection that brought them."""
        for one in publishes:
            if one[3]:
                digest, turn, arrival = _SLOT.unpack_from(self._slots, one[3] * _SLOT.size)
                self._write(one[3], digest, turn, -abs(arrival))

    def close(self) -> None:
        """Release the file."""
        self._slots.close()

    def _write(self, packet_id: int, digest: bytes, turn: int, arrival: int) -> None:
        _SLOT.pack_into(self._slots, packet_id * _SLOT.size, digest, turn, arrival)
