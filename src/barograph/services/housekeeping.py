"""Background work that nobody asks for: store maintenance, retention, old jobs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

from barograph.domain.errors import BarographError

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.02
"""Between two slices of work of which more is waiting, so that others get their turn."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every `seconds`; `work` does one bounded slice and says if more waits."""

    name: str
    work: Callable[[], bool]
    seconds: float
    everywhere: bool = False
    """Whether each process does it for itself."""


class Housekeeping:
    """One thread that does the chores, each in its turn."""

    def __init__(self, chores: Sequence[Chore], my_turn: Callable[[], bool] = lambda: True) -> None:
        """Of several processes that share the stores, the one whose turn it is does the chores."""
        self._chores = tuple(chores)
        self._my_turn = my_turn
        self._stop = Event()
        self._thread = Thread(target=self._run, name="barograph-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round follows after each chore's first interval."""
        self._thread.start()

    def close(self) -> None:
        """Finish the slice under way and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        due = [monotonic() + chore.seconds for chore in self._chores]
        while not self._stop.wait(max(_PAUSE_SECONDS, min(due) - monotonic())):
            for i, chore in enumerate(self._chores):
                if due[i] <= monotonic() and not self._stop.is_set():
                    more = self._slice(chore)
                    due[i] = monotonic() + (_PAUSE_SECONDS if more else chore.seconds)

    def _slice(self, chore: Chore) -> bool:
        try:
            return (chore.everywhere or self._my_turn()) and chore.work()
        except BarographError as error:
            logger.warning("%s: %s; it will be tried again", chore.name, error)
        except Exception:
            # One defective chore must not end the others.
            logger.exception("%s failed; it will be tried again", chore.name)
        return False
