"""When to try again, and when to give up."""

from dataclasses import dataclass

_STATUSES = frozenset({429, 503, 507})
"""The server's ways of saying: not now."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Tries again after longer and longer pauses, each shortened at random by up to a half.

    The jitter keeps a thousand clients that a restart turned away from coming back at once. A
    server's `Retry-After` is honoured where it is longer, up to `pause_seconds_max`.
    """

    attempts: int = 6
    """How often to try in all; 1 never tries again."""
    pause_seconds: float = 0.25
    pause_seconds_max: float = 30.0

    def pause(self, attempt: int, chance: float, retry_after: float | None = None) -> float | None:
        """Seconds to wait after the failed `attempt` (1, 2, …); None to give up.

        `chance` is a random number from 0 to 1.
        """
        if attempt >= self.attempts:
            return None
        pause: float = self.pause_seconds * 2 ** (attempt - 1)
        pause = min(pause, self.pause_seconds_max) * (1 - chance / 2)
        return min(max(pause, retry_after or 0), self.pause_seconds_max)

    @staticmethod
    def wants(status: int) -> bool:
        """Whether an answer of this status may be better the next time."""
        return status in _STATUSES


NEVER = Retry(attempts=1)
