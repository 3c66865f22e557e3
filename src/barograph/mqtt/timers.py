"""Deadlines by key, the next one first.

Rules:
- A key has one deadline at most. Moving it later costs nothing: the old entry, when it comes up,
  is put back where it now belongs. So a keep-alive that every packet moves stays cheap.
- Entries that no longer count are swept when they outnumber the live ones.
"""

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """A set of deadlines, in seconds on the host's clock."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._entry: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._tie = count()

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: K, when: float) -> None:
        self._due[key] = when
        entry = self._entry.get(key)
        if entry is None or when < entry:
            self._push(key, when)

    def cancel(self, key: K) -> None:
        self._due.pop(key, None)

    def next(self) -> float | None:
        """No deadline is earlier than this; None when there is none at all."""
        return self._heap[0][0] if self._due else None

    def pop(self, now: float) -> Iterator[K]:
        """The keys whose deadline has come, earliest first; each is forgotten."""
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heappop(self._heap)
            if self._entry.get(key) != when:
                continue  # superseded by an earlier entry
            del self._entry[key]
            due = self._due.get(key)
            if due is None:
                continue
            if due > now:
                self._push(key, due)
                continue
            del self._due[key]
            yield key

    def _push(self, key: K, when: float) -> None:
        if len(self._heap) > 2 * len(self._due) + 64:
            self._entry = dict(self._due)
            self._heap = [(due, next(self._tie), other) for other, due in self._due.items()]
            heapify(self._heap)
            return
        self._entry[key] = when
        heappush(self._heap, (when, next(self._tie), key))
