"""Waiting that ends when something happens."""

import asyncio
import contextlib
import time
from collections.abc import Callable


class Waiting:
    """For one task, which others wake."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._woken = asyncio.Event()

    def ended(self) -> bool:
        """Whether it is time to end."""
        return self._ended.is_set()

    def end(self) -> None:
        """It is time to end."""
        self._ended.set()
        self._woken.set()

    def wake(self) -> None:
        """Something happened that the waiting task must look at."""
        self._woken.set()

    async def pause(self, seconds: float) -> None:
        """Wait so long; only `end` cuts it short."""
        until = time.monotonic() + seconds
        while not self.ended() and (left := until - time.monotonic()) > 0:
            await self.sleep(left)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not once something happened."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def until(self, done: Callable[[], bool], seconds_max: float) -> None:
        """Wait until `done`, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while not done():
                    await self.sleep(seconds_max)
