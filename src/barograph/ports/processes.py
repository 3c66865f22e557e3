"""What several processes on one catalog tell each other.

All are thread-safe, and raise `Unavailable` while what they stand on is away.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from barograph.domain.presence import Presence
from barograph.domain.tries import Allowance


@dataclass(frozen=True, slots=True)
class Change:
    """That a user (with its tokens) or a device (with its tokens, series and shares) changed.

    Made, changed or removed: who hears of it reads it anew. `number`s follow each other without a
    gap, in the order of the commits.
    """

    number: int
    kind: Literal["user", "device"]
    id: int


class Changes(Protocol):
    """The changes of the catalog, noted in the transactions that make them."""

    def number(self) -> int:
        """That of the last change; 0 before the first."""

    def since(self, number: int, limit: int) -> Sequence[Change]:
        """The changes after `number`, oldest first; the first ones may be kept no longer."""

    def expire(self, keep: int) -> None:
        """Forget all but the last `keep`."""


class PresenceFeed(Protocol):
    """Which devices are connected, as the processes tell each other."""

    def tell(self, server: str, found: Mapping[int, Presence]) -> None:
        """By device what a process of `server` found; nothing is told of a device that is gone."""

    def lost(self, server: str, time: int, why: str) -> None:
        """All devices that were connected to `server` are offline."""

    def since(self, number: int) -> tuple[Mapping[int, Presence], int]:
        """By device what was told after `number` (0: everything), and the number of the last."""


class Turns(Protocol):
    """Who does what only one process may do at a time."""

    def take(self, name: str, owner: str, now: int, until: int) -> bool:
        """Whether it is the owner's turn, from now until `until` (microseconds)."""

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Keeps every other thread of every process out meanwhile. For a short work."""


class Tries(Protocol):
    """Counts tries; see `domain.tries`."""

    def take(self, key: str, allowance: Allowance, now: int) -> float:
        """Use up a try: 0. Or the microseconds until there is another; nothing is used up then."""

    def give_back(self, key: str, allowance: Allowance, now: int) -> None:
        """Return a try that did not count after all."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """Some committed readings: numbers `first` … `first + count - 1` of all that were relayed.

    An empty `payload` says that they are not told: there were too many.
    """

    first: int
    count: int
    payload: bytes


class Relay(Protocol):
    """Brings what each process has committed to all of them, in one order for all.

    For those who watch live: what is relayed is kept for a short time only, and may be lost.
    """

    def send(self, parts: Sequence[tuple[int, bytes]]) -> None:
        """Number and pass on (count of readings, payload) each, the payloads at most 64 KB."""

    def next_number(self) -> int:
        """The number that the next reading gets. Grows over restarts too."""

    def receive(self, number: int) -> Sequence[Relayed]:
        """Some of what is kept from `number` on, in order; may wait a moment for it."""
