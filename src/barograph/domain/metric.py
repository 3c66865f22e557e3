"""How people want to see a metric: its name, unit, colour and limits."""

from dataclasses import dataclass

COLOURS = 8
"""The colours are pens, numbered from 1: a page knows each in a light and in a dark form."""

UNIT_CHARS_MAX = 24
LABEL_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """What a device's metric looks like. None is for a page to choose, or for nothing at all.

    A value below `low` or above `high` is out of bounds: charts draw the two as lines.
    """

    label: str | None = None
    """Its name for people, instead of the one that the device sends."""
    unit: str | None = None
    colour: int | None = None
    """A pen, 1 to `COLOURS`."""
    low: float | None = None
    high: float | None = None

    def holds(self, value: float | str) -> bool:
        """Whether the value lies within the limits; a text always does."""
        if isinstance(value, str):
            return True
        return not (
            (self.low is not None and value < self.low)
            or (self.high is not None and value > self.high)
        )


UNSET = MetricSettings()
"""Those of a metric that nobody has set any for."""
