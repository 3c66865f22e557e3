"""Whose turn it is to do what only one of several processes does at a time."""

import os
import secrets
from contextlib import suppress

from barograph.domain.errors import Unavailable
from barograph.domain.time import SECOND
from barograph.ports.clock import Clock
from barograph.ports.processes import Turns

LENGTH = 30 * SECOND
"""How long a turn outlives a process that died."""
_AGAIN = 5 * SECOND


class Turn:
    """Says whether it is this process's turn, and keeps it as long as it is asked now and then."""

    def __init__(self, turns: Turns, name: str, clock: Clock) -> None:
        self._turns = turns
        self._name = name
        self._clock = clock
        self._owner = f"{os.getpid()}:{secrets.token_hex(8)}"
        self._mine = False
        self._ask_at = 0

    def __call__(self) -> bool:
        """Whether it is; raises `Unavailable`."""
        now = self._clock()
        if now >= self._ask_at:
            # Asked anew long before the turn ends: the work that is begun now may take its time.
            self._mine = False
            self._mine = self._turns.take(self._name, self._owner, now, now + LENGTH)
            self._ask_at = now + _AGAIN
        return self._mine

    def end(self) -> None:
        """Let another process have it at once."""
        if self._mine:
            self._mine = False
            now = self._clock()
            with suppress(Unavailable):  # then it ends by itself
                self._turns.take(self._name, self._owner, now, now)
