"""Gathers readings and writes them many at a time, in an asyncio program."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from barograph.client.moments import Moment
from barograph.client.writer import Gathered


class AsyncWriter:
    """Does what `Writer` does, by a task of its own."""

    def __init__(
        self,
        write: Callable[[Sequence[Mapping[str, Any]]], Awaitable[int]],
        *,
        rows_max: int,
        seconds: float,
    ) -> None:
        self.accepted = 0
        """Readings that are stored."""
        self._write = write
        self._seconds = seconds
        self._gathered = Gathered(rows_max)
        self._hurry = asyncio.Event()
        self._progress = asyncio.Condition()
        self._added = asyncio.Event()
        self._closing = self._ended = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._closing = True
        self._added.set()
        self._hurry.set()
        if kind is None:
            await self._task
        else:
            with suppress(Exception):  # the error on its way says more
                await self._task

    @property
    def unwritten(self) -> Sequence[Mapping[str, Any]]:
        """Rows that were added and are not known to be stored, with their times."""
        return tuple(self._gathered.rows)

    async def add(
        self,
        reading: Mapping[str, Any] | None = None,
        /,
        *,
        ts: Moment | None = None,
        **values: Any,
    ) -> None:
        """Add one reading; waits while too many wait for the server. See `Writer.add`."""
        async with self._progress:
            await self._progress.wait_for(lambda: not self._gathered.full or self._ended)
        await self._check()
        self._gathered.put(reading, ts, values)
        self._added.set()
        if self._gathered.due:
            self._hurry.set()

    async def flush(self) -> None:
        """Return when everything that was added is stored; raises the error that prevents it."""
        self._hurry.set()
        async with self._progress:
            await self._progress.wait_for(lambda: not self._gathered.rows or self._ended)
        await self._check()

    async def _check(self) -> None:
        if self._task is None:
            raise RuntimeError("use the writer in an `async with`")
        if self._ended:
            await self._task
            raise RuntimeError("the writer has ended: what was added is in `unwritten`")

    async def _work(self) -> None:
        try:
            await self._write_all()
        finally:
            self._ended = True
            await self._tell()

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    async def _write_all(self) -> None:
        while True:
            await self._added.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._hurry.wait()
            rows = self._gathered.take()
            if not rows:
                if self._closing:
                    return
                self._added.clear()
                self._hurry.clear()
                continue
            self.accepted += await self._write(rows)
            self._gathered.written(len(rows))
            if not self._gathered.due and not self._closing:
                self._hurry.clear()
            await self._tell()
