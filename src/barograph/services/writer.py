"""The one thread that writes readings, in groups.

While one commit runs, arriving readings form the next group, so throughput grows with load instead
of falling. What is accepted but not yet committed is bounded; beyond that `submit` refuses and the
sender is told to wait.

Many senders wait for their answer and then send again. Half of them would send while the others'
readings are committed, and each would wait for two commits. Where a commit is dear, the next one
therefore waits a moment for those who were answered just now, at most as long as the last one took.
"""

import logging
from collections.abc import Callable, Hashable, Sequence
from threading import Condition, Event, RLock, Thread
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from barograph.domain.batch import Batch
from barograph.domain.errors import BarographError, Overloaded, Unavailable
from barograph.ports.reading_store import ReadingStore
from barograph.services.telemetry import Telemetry

logger = logging.getLogger(__name__)


class Receipts(Hashable, Protocol):
    """Takes back the tags of what was committed, or was not."""

    def __call__(self, tags: list[Any], error: BarographError | None, /) -> None:
        """Called once per group on the writer's thread; must neither block nor raise.

        With an error nothing is known to be stored and the sender should send again.
        """


class _Group:
    __slots__ = ("batches", "count", "requests", "tags")

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.tags: dict[Receipts, list[Any]] = {}
        self.count = 0
        self.requests = 0


class Writer:
    """Group commit in front of a store."""

    def __init__(
        self,
        store: ReadingStore,
        *,
        backlog_readings_max: int,
        on_commit: Sequence[Callable[[Batch], None]] = (),
        telemetry: Telemetry | None = None,
        gather_seconds_max: float = 0.0,
    ) -> None:
        """`on_commit` is told every committed batch on the writer's thread, in order.

        `gather_seconds_max` bounds how long a commit waits for those who were answered just now.
        """
        self._store = store
        self._backlog_max = backlog_readings_max
        self._on_commit = tuple(on_commit)
        self._telemetry = telemetry or Telemetry()
        lock = RLock()
        self._changed = Condition(lock)
        """For the thread alone, which is notified."""
        self._told = Condition(lock)
        self._open = _Group()
        self._committing = 0
        self._begun = 0
        self._ended = 0
        """How many commits began, and how many of them are told to all who are to know."""
        self._woken = False
        self._closing = False
        self._gather_max = gather_seconds_max
        self._expected = 0
        """How many requests the writer waits for."""
        self._thread = Thread(target=self._run, name="barograph-writer", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Readings that are accepted but not committed."""
        return self._open.count + self._committing

    def submit(self, batch: Batch, receipts: Receipts, tag: Any, *, wake: bool = True) -> None:
        """Take the readings into the next group; `receipts` gets `tag` back after its commit.

        Returns at once. A caller with more to come passes `wake=False` and calls `wake` after the
        last, so that they make one group; without that they may wait for ever. Raises `Overloaded`
        when too much is waiting, `Unavailable` at shutdown.
        """
        count = len(batch)
        with self._changed:
            if self._closing:
                raise Unavailable("the server is shutting down: send again later")
            group = self._open
            backlog = group.count + self._committing
            if backlog and backlog + count > self._backlog_max:
                self._telemetry.writes_overloaded += 1
                raise Overloaded("more is arriving than can be stored: send again after a pause")
            group.batches.append(batch)
            group.count += count
            group.requests += 1
            tags = group.tags.get(receipts)
            if tags is None:
                group.tags[receipts] = [tag]
            else:
                tags.append(tag)
            if wake:
                self._wake()

    def wake(self) -> None:
        """Commit what was submitted, unless a commit is under way: then it is next."""
        with self._changed:
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        if self._open.requests >= self._expected:
            self._changed.notify()

    def write(self, batch: Batch) -> None:
        """Store the readings; returns after the commit, raises what `ReadingStore.append` does."""
        receipt = _Blocking()
        self.submit(batch, receipt, None)
        receipt.wait()

    def settle(self) -> None:
        """Return once the commit that is under way, if any, is told to all who are to know.

        So who removed readings can then be sure to be told of none that were committed before.
        """
        with self._changed:
            begun = self._begun
            self._told.wait_for(lambda: self._ended >= begun)

    def close(self) -> None:
        """Commit what was accepted and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        answered, took = 0, 0.0
        while True:
            with self._changed:
                self._committing = 0
                self._ended = self._begun
                self._told.notify_all()
                expected = answered + self._open.requests
                while not (self._woken and self._open.tags) and not self._closing:
                    self._changed.wait()
                if not self._open.tags:
                    return
                self._gather(expected, min(took, self._gather_max))
                self._woken = False
                group, self._open = self._open, _Group()
                self._committing = group.count
                self._begun += 1
            began = perf_counter()
            error = self._commit(group)
            answered, took = group.requests, perf_counter() - began
            for receipts, tags in group.tags.items():
                receipts(tags, error)

    def _gather(self, requests: int, seconds: float) -> None:
        """Wait until there are so many, for a moment at most."""
        if seconds:
            self._expected = requests
            self._changed.wait_for(
                lambda: self._open.requests >= requests or self._closing, seconds
            )
            self._expected = 0

    def _commit(self, group: _Group) -> BarographError | None:
        telemetry = self._telemetry
        began = perf_counter()
        try:
            batch = concatenate(group.batches)
            if len(batch):
                self._store.append(batch)
        except BarographError as error:
            telemetry.commits_failed += 1
            logger.warning("%d readings could not be stored: %s", group.count, error)
            return error
        except Exception:
            # The thread must outlive any defect; the senders are told that nothing is certain.
            telemetry.commits_failed += 1
            logger.exception("%d readings could not be stored", group.count)
            return Unavailable("the readings could not be stored: send them again")
        telemetry.committed(group.count, perf_counter() - began)
        for tell in self._on_commit:
            try:
                tell(batch)
            except Exception:
                logger.exception("a listener failed on a committed batch")
        return None


class _Blocking:
    """A receipt to wait for."""

    def __init__(self) -> None:
        self._done = Event()
        self._error: BarographError | None = None

    def __call__(self, tags: list[Any], error: BarographError | None, /) -> None:
        del tags
        self._error = error
        self._done.set()

    def wait(self) -> None:
        self._done.wait()
        if self._error is not None:
            raise self._error


def concatenate(batches: Sequence[Batch]) -> Batch:
    """One batch of all, in order. Neighbouring small ones are joined as lists, then as arrays."""
    if len(batches) == 1:
        return batches[0]
    series: list[int] = []
    times: list[int] = []
    values: list[float] = []
    texts: dict[int, str] = {}
    parts: list[Batch] = []
    done = 0

    def flush() -> None:
        nonlocal series, times, values, done
        if series:
            parts.append(Batch(series, times, values))
            done += len(series)
            series, times, values = [], [], []

    for batch in batches:
        if batch.texts:
            at = done + len(series)
            texts.update((at + i, text) for i, text in batch.texts.items())
        if isinstance(batch.times, list):
            series += batch.series
            times += batch.times
            values += batch.values
        else:
            flush()
            parts.append(batch)
            done += len(batch)
    flush()
    if not parts:
        return Batch([], [], [])
    if len(parts) == 1:
        only = parts[0]
        return Batch(only.series, only.times, only.values, texts) if texts else only
    return Batch(
        np.concatenate([np.asarray(part.series, np.int64) for part in parts]),
        np.concatenate([np.asarray(part.times, np.int64) for part in parts]),
        np.concatenate([np.asarray(part.values, np.float64) for part in parts]),
        texts,
    )
