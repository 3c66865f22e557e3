"""Gathers readings and writes them many at a time."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from barograph.client.moments import Moment, microseconds, now
from barograph.client.writes import columns_of

_WAITING_FACTOR = 20
"""How many times `rows_max` may wait for a slow server before `add` waits too."""


class Gathered:
    """Rows that wait to be written, each with its time."""

    def __init__(self, rows_max: int) -> None:
        self.rows_max = rows_max
        self.rows: list[Mapping[str, Any]] = []
        self._stamp = 0

    def put(self, reading: Mapping[str, Any] | None, ts: Moment | None, more: Any) -> None:
        """Add one, stamped with the time now where it has none; raises `ValueError`."""
        row = {**(reading or {}), **more}
        if ts is not None:
            row["ts"] = microseconds(ts)
        elif not row.keys() & {"ts", "time", "timestamp"}:
            # Two readings of the same microsecond would be one.
            self._stamp = row["ts"] = max(now(), self._stamp + 1)
        columns_of(row)
        self.rows.append(row)

    def take(self) -> Sequence[Mapping[str, Any]]:
        """Some of the oldest, which stay until they are `written`."""
        return self.rows[: self.rows_max]

    def written(self, count: int) -> None:
        """Forget the oldest ones."""
        del self.rows[:count]

    @property
    def due(self) -> bool:
        """Whether there are enough for a body."""
        return len(self.rows) >= self.rows_max

    @property
    def full(self) -> bool:
        """Whether no more should be added for now."""
        return len(self.rows) >= self.rows_max * _WAITING_FACTOR


class Writer:
    """Writes what was added once there are `rows_max` rows, or `seconds` after the first of them.

    A thread of its own does so. What it cannot write, after all attempts, ends it: the error is
    raised by the next `add` or `flush`, or at the end of the `with`, and `unwritten` has the rows.
    Leaving the `with` writes the rest. Thread-safe.
    """

    def __init__(
        self, write: Callable[[Sequence[Mapping[str, Any]]], int], *, rows_max: int, seconds: float
    ) -> None:
        self.accepted = 0
        """Readings that are stored."""
        self._write = write
        self._seconds = seconds
        self._gathered = Gathered(rows_max)
        self._changed = threading.Condition()
        self._flushing = self._closing = self._ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="barograph-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if kind is None:
            self._check()

    @property
    def unwritten(self) -> Sequence[Mapping[str, Any]]:
        """Rows that were added and are not known to be stored, with their times."""
        with self._changed:
            return tuple(self._gathered.rows)

    def add(
        self,
        reading: Mapping[str, Any] | None = None,
        /,
        *,
        ts: Moment | None = None,
        **values: Any,
    ) -> None:
        """Add one reading, as a mapping or as keywords; without a time it is of now.

        Waits while too many wait for the server. Raises the error that ended the writer, and
        `ValueError` for what cannot be a reading.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._gathered.full or self._ended)
            self._check()
            self._gathered.put(reading, ts, values)
            if len(self._gathered.rows) == 1 or self._gathered.due:
                self._changed.notify_all()

    def flush(self) -> None:
        """Return when everything that was added is stored; raises the error that prevents it."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._gathered.rows or self._ended)
            self._flushing = False
            self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._ended and (self._gathered.rows or not self._closing):
            raise RuntimeError("the writer has ended: what was added is in `unwritten`")

    def _work(self) -> None:
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001  # raised where somebody waits for it
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._gathered.rows or self._closing)
                until = time.monotonic() + self._seconds
                while not (self._gathered.due or self._flushing or self._closing):
                    if not self._changed.wait(max(0.0, until - time.monotonic())):
                        break
                rows = self._gathered.take()
                if not rows:
                    return
            accepted = self._write(rows)
            with self._changed:
                self.accepted += accepted
                self._gathered.written(len(rows))
                self._changed.notify_all()
