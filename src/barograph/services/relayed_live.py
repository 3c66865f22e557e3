"""The live bus of several processes: each tells what any of them has committed.

Every process's commits go out by a relay (`ports.processes.Relay`), which numbers them, and come
back from there to all, their own process included. So readings are told in the same order and under
the same numbers everywhere, and who was cut off from one process goes on at another. What the relay
cannot carry is not told live, and those who listen learn by the numbers that something is missing.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Event, Thread

import msgspec
import numpy as np

from barograph.domain.batch import Batch
from barograph.domain.errors import BarographError
from barograph.ports.processes import Relay, Relayed
from barograph.services.live import InProcessLiveBus
from barograph.services.writer import concatenate

logger = logging.getLogger(__name__)

_SEND_SECONDS = 0.1
"""How long committed readings are gathered, so that many small commits are relayed at once."""
_LOOK_SECONDS = 0.2
_MANY = 16
"""So many parts at once are probably not all there are."""
_RETRY_SECONDS = 1.0
_PART_READINGS = 2_500
_PAYLOAD_BYTES_MAX = 64_000
_NUMBERS = 3 * 8

_packed = msgspec.msgpack.Encoder().encode
_unpacked = msgspec.msgpack.Decoder(dict[int, str]).decode


class RelayedLiveBus(InProcessLiveBus):
    """`ports.live_bus.LiveBus` over all processes."""

    def __init__(self, relay: Relay, readings_max: int, catch_up: Callable[[], None]) -> None:
        """`catch_up` is called before others' readings are told, for their series may be new here.

        Raises `Unavailable` where the relay cannot be asked.
        """
        super().__init__(readings_max, relay.next_number())
        self._relay = relay
        self._catch_up = catch_up
        self._most = readings_max
        self._changed = Condition()
        self._waiting: deque[Batch] = deque()
        self._waiting_readings = 0
        self._lost = 0
        self._ending = Event()
        self._look = Event()
        self._sought: list[tuple[int, Future[None]]] = []
        """Who waits for the readings before a number. Under `_changed`."""
        self._threads = [
            Thread(target=target, name=f"live-{name}", daemon=True)
            for name, target in (("sender", self._send), ("receiver", self._receive))
        ]

    def start(self) -> None:
        """Begin to relay."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Send what is waiting, if that works, and end."""
        with self._changed:
            self._ending.set()
            self._changed.notify()
        self._look.set()
        for thread in self._threads:
            thread.join()

    def publish(self, batch: Batch) -> None:
        """Have the batch relayed; where too much is waiting already, only its size."""
        if not len(batch):
            return
        with self._changed:
            if self._waiting and self._waiting_readings + len(batch) > self._most:
                self._lost += len(batch)
            else:
                self._waiting.append(batch)
                self._waiting_readings += len(batch)
            self._changed.notify()

    def reach(self, number: int) -> Future[None]:
        """Done once the readings before `number` are here, or the relay is known not to have them.

        The relay is looked at now: what another process has told came from there. While it is away
        nobody knows, so who waits sets a bound.
        """
        found = Future[None]()
        with self._changed:
            self._sought.append((number, found))
        self._look.set()
        return found

    def _send(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._lost and not self._ending.is_set():
                    self._changed.wait()
                ending = self._ending.is_set()
            self._ending.wait(_SEND_SECONDS)
            with self._changed:
                waiting, self._waiting = self._waiting, deque()
                lost, self._lost = self._lost, 0
                self._waiting_readings = 0
            if waiting or lost:
                self._send_all(list(waiting), lost)
            if ending:
                return

    def _send_all(self, batches: Sequence[Batch], lost: int) -> None:
        batch = concatenate(batches)
        if len(batch) > self._most:
            lost, batch = lost + len(batch), concatenate([])
        parts = list(encode(batch))
        if lost:
            parts.append((lost, b""))
        try:
            self._relay.send(parts)
        except BarographError as error:
            logger.warning("Committed readings are not told live: %s", error)
            with self._changed:
                self._lost += lost + len(batch)
            self._ending.wait(_RETRY_SECONDS)

    def _receive(self) -> None:
        failing = False
        while not self._ending.is_set():
            self._look.clear()
            with self._changed:
                sought, self._sought = self._sought, []
            try:
                found = self._relay.receive(self.sequence)
                if found:
                    self._catch_up()
            except BarographError as error:
                if not failing:
                    logger.warning("Other processes' readings are not told live: %s", error)
                failing = True
                self._seek_on(sought)
                self._ending.wait(_RETRY_SECONDS)
                continue
            failing = False
            for one in found:
                try:
                    self._arrived(one)
                except Exception:
                    # Such as a part that a newer program packed: what follows is told all the same.
                    logger.exception("relayed readings cannot be told live")
                    self.skip_to(one.first + one.count)
            if found:
                self._seek_on(sought)
            else:
                _settle(sought)
            if len(found) < _MANY:
                self._look.wait(_LOOK_SECONDS)
        _settle(self._sought)

    def _seek_on(self, sought: Sequence[tuple[int, Future[None]]]) -> None:
        """Answer those whose readings came; the others, if they still wait, need another look."""
        _settle([one for one in sought if one[0] <= self.sequence])
        waiting = [one for one in sought if one[0] > self.sequence and not one[1].cancelled()]
        if waiting:
            with self._changed:
                self._sought += waiting
            self._look.set()

    def _arrived(self, one: Relayed) -> None:
        if one.first > self.sequence:
            self.skip_to(one.first)
        if one.payload:
            super().publish(decode(one.payload))
        else:
            self.skip_to(one.first + one.count)


def _settle(sought: Sequence[tuple[int, Future[None]]]) -> None:
    for _, found in sought:
        if found.set_running_or_notify_cancel():
            found.set_result(None)


def encode(batch: Batch) -> list[tuple[int, bytes]]:
    """The batch as parts of bounded size, each with its number of readings."""
    parts: list[tuple[int, bytes]] = []
    series, times = np.asarray(batch.series, np.int64), np.asarray(batch.times, np.int64)
    values = np.asarray(batch.values, np.float64)
    places: list[tuple[int, int]] = [
        (begin, min(begin + _PART_READINGS, len(batch)))
        for begin in range(0, len(batch), _PART_READINGS)
    ]
    places.reverse()
    while places:
        begin, end = places.pop()
        texts = {i - begin: text for i, text in batch.texts.items() if begin <= i < end}
        payload = b"".join(
            (
                (end - begin).to_bytes(4, "little"),
                series[begin:end].tobytes(),
                times[begin:end].tobytes(),
                values[begin:end].tobytes(),
                _packed(texts),
            )
        )
        if len(payload) > _PAYLOAD_BYTES_MAX and end - begin > 1:
            middle = (begin + end) // 2
            places += [(middle, end), (begin, middle)]
        else:
            parts.append((end - begin, payload))
    return parts


def decode(payload: bytes) -> Batch:
    """The batch of one part."""
    count = int.from_bytes(payload[:4], "little")
    whole = np.frombuffer(payload, np.int64, 2 * count, 4)
    values = np.frombuffer(payload, np.float64, count, 4 + 16 * count)
    texts = _unpacked(payload[4 + _NUMBERS * count :])
    return Batch(whole[:count].tolist(), whole[count:].tolist(), values.tolist(), texts)
