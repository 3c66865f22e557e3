"""Looking again and again at what takes its time on a server, which has no way of telling its end."""

import time

_PAUSE_SECONDS_FIRST = 0.1
_PAUSE_SECONDS_MAX = 2.0
_GROWTH = 1.5


class Looks:
    """How long to pause before each further look."""

    def __init__(self, seconds_max: float | None) -> None:
        """It takes `seconds_max` in all; None: as long as it takes."""
        self._seconds_max = seconds_max
        self._began = time.monotonic()
        self._pause = _PAUSE_SECONDS_FIRST

    def pause(self, found: str) -> float:
        """Seconds; raises `TimeoutError`, which tells what was `found`, once the time is over."""
        most = self._seconds_max
        if most is not None and time.monotonic() > self._began + most:
            raise TimeoutError(f"{found} after {most} seconds")
        pause, self._pause = self._pause, min(self._pause * _GROWTH, _PAUSE_SECONDS_MAX)
        return pause
