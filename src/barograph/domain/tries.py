"""How often somebody may do something: a bucket of tries, the arithmetic alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """`burst` tries at once, and another one every `interval` microseconds."""

    burst: float
    interval: float

    def left(self, tries: float, then: int, now: int) -> float:
        """The tries at `now` of who had `tries` left at `then`."""
        # A clock set back must not take tries away.
        return min(self.burst, tries + max(0, now - then) / self.interval)

    def wait(self, left: float) -> float:
        """Microseconds until there is a whole try; 0 where there is one."""
        return max(0.0, (1 - left) * self.interval)
