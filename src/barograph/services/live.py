"""The live bus of one process: tells each committed batch to whoever listens.

The last readings are kept so that a listener that lost its connection can catch up. With nobody
listening a commit costs one append to a deque.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from barograph.domain.batch import Batch
from barograph.ports.live_bus import Listener


class InProcessLiveBus:
    """`ports.live_bus.LiveBus` within one process."""

    def __init__(self, readings_max: int, first_number: int | None = None) -> None:
        """Keep at least the last batch and at most `readings_max` readings of more."""
        self.first_number = first_number
        """The number of the first reading, where numbers grow over restarts; None where they begin
        with 0 each time."""
        self._readings_max = readings_max
        self._lock = Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._kept: deque[tuple[int, Batch]] = deque()
        self._kept_readings = 0
        self._sequence = first_number or 0

    @property
    def sequence(self) -> int:
        """The number that the next reading gets."""
        return self._sequence

    def publish(self, batch: Batch) -> None:
        """Number the batch, keep it and tell every listener."""
        if not len(batch):
            return  # kept, these would add up without ever filling the room that there is
        with self._lock:
            sequence = self._sequence
            self._sequence += len(batch)
            self._kept.append((sequence, batch))
            self._kept_readings += len(batch)
            while self._kept_readings > self._readings_max and len(self._kept) > 1:
                self._kept_readings -= len(self._kept.popleft()[1])
            listeners = self._listeners
        for listener in listeners:
            listener(sequence, batch)

    def skip_to(self, sequence: int) -> None:
        """Pass over numbers whose readings are not told; what came before is not kept either."""
        with self._lock:
            self._kept.clear()
            self._kept_readings = 0
            self._sequence = sequence

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` every batch from now on, until the returned call."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return end

    def since(self, sequence: int) -> list[tuple[int, Batch]]:
        """The kept batches that hold readings from `sequence` on."""
        with self._lock:
            return [(first, batch) for first, batch in self._kept if first + len(batch) > sequence]

    def reach(self, number: int) -> Future[None]:
        """Done once the readings before `number` are here, or nothing more is known of them."""
        del number
        found = Future[None]()
        found.set_result(None)
        return found
