"""Where a chart's lines and marks lie, for whoever draws them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from sys import float_info

from barograph.domain.span import share_of, with_room
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, parse_zone, to_datetime
from barograph.services.report_document import Course, Document
from barograph.transport.reports.words import Words

Point = tuple[float, float]

_LINES = 4
_FLAT = 1e-300
_MARKS = 6
_MARK_STEPS = (
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 365)),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart in a box of `width` x `height`, whose upper left corner is (0, 0)."""

    width: float
    height: float
    lines: tuple[tuple[Point, ...], ...]
    """The course of the mean; each piece between two gaps is a line of its own."""
    bands: tuple[tuple[Point, ...], ...]
    """From least to greatest, as closed shapes."""
    rules: tuple[tuple[float, str], ...]
    """Height and text of the horizontal rules."""
    marks: tuple[tuple[float, str], ...]
    """Place and text of the times below."""


def plot(
    course: Course, document: Document, words: Words, width: float, height: float
) -> Plot | None:
    """The chart of a course, or None where it has no values."""
    lows = [value for value in course.low if value is not None]
    highs = [value for value in course.high if value is not None]
    if not lows:
        return None
    rules = _rules(min(lows), max(highs))
    bottom, top = rules[0], rules[-1]
    across = width / len(course.mean)

    def up(value: float) -> float:
        return round((1 - share_of(value, bottom, top)) * height, 1)

    lines, bands = [], []
    for run in _runs(course):
        places = [round((i + 0.5) * across, 1) for i, *_ in run]
        middle = [(x, up(mean)) for x, (_, _, mean, _) in zip(places, run, strict=True)]
        # A single point is a stroke of no length, which a round cap makes a dot.
        lines.append(tuple(middle if len(middle) > 1 else middle * 2))
        there = [(x, up(high)) for x, (_, _, _, high) in zip(places, run, strict=True)]
        back = [(x, up(low)) for x, (_, low, _, _) in zip(places, run, strict=True)]
        if len(run) > 1 and there != back:
            bands.append(tuple(there + back[::-1]))
    marks = _marks(course, document, width)
    named = tuple((up(value), words.value(value)) for value in rules)
    return Plot(width, height, tuple(lines), tuple(bands), named, marks)


def _runs(course: Course) -> Iterator[list[tuple[int, float, float, float]]]:
    run: list[tuple[int, float, float, float]] = []
    for i, (low, mean, high) in enumerate(zip(course.low, course.mean, course.high, strict=True)):
        if low is None or mean is None or high is None:
            # A device that sends more rarely than the steps follow has one gap after another:
            # only a pause that is long beside the chart breaks the line.
            if run and i - run[-1][0] > max(3, len(course.mean) // 20):
                yield run
                run = []
        else:
            run.append((i, low, mean, high))
    if run:
        yield run


def _rules(low: float, high: float) -> list[float]:
    """Round values that hold `low` and `high` between them."""
    if high / 2 - low / 2 <= max(abs(high) * 1e-9, _FLAT):
        low, high = with_room(low, high, 0.0)
    raw = high / _LINES - low / _LINES
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(n * size for n in (1, 2, 2.5, 5, 10) if n * size >= raw * (1 - 1e-9))
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [max(-float_info.max, min(i * step, float_info.max)) for i in range(first, last + 1)]


def _marks(course: Course, document: Document, width: float) -> tuple[tuple[float, str], ...]:
    zone = parse_zone(document.tz)
    length = course.step * len(course.mean)
    step = next((one for one in _MARK_STEPS if length / one <= _MARKS), length // _MARKS)
    offset = to_datetime(course.start, zone).utcoffset()
    ahead = 0 if offset is None else int(offset.total_seconds()) * SECOND
    time = course.start + (-(course.start + ahead)) % step
    found = []
    while time <= course.start + length:
        moment = to_datetime(time, zone)
        text = moment.strftime("%H:%M" if step < DAY else "%Y-%m-%d")
        if step < DAY < length and not moment.hour and not moment.minute:
            text = moment.strftime("%m-%d")
        found.append((round((time - course.start) / length * width, 1), text))
        time += step
    return tuple(found)
