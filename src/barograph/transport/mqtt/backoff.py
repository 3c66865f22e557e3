"""How long to wait before the next attempt."""

import random
from collections.abc import Callable

_random = random.SystemRandom().random


class Backoff:
    """Pauses that double with each failure in a row, up to a limit.

    Each is shortened by up to a half at random, so that many clients of one server that failed do
    not all come back at the same moment.
    """

    def __init__(
        self,
        first_seconds: float,
        seconds_max: float,
        chance: Callable[[], float] = _random,
    ) -> None:
        """`chance` gives numbers from 0 up to, not including, 1."""
        self._first = first_seconds
        self._max = seconds_max
        self._chance = chance
        self._next = first_seconds

    def pause(self) -> float:
        """Seconds to wait after one more failure."""
        whole, self._next = self._next, min(2 * self._next, self._max)
        return whole * (1 - self._chance() / 2)

    def reset(self) -> None:
        """It went well: the next failure is the first."""
        self._next = self._first
