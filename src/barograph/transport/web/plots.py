"""A chart of several lines or of bars: as SVG for every browser, and as data for the script.

The script (`static/plots.js`) draws lines anew, so that they can be read with a pointer; bars stay
as they are here.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from barograph.domain.span import middle, share_of, with_room
from barograph.domain.time import DAY, SECOND
from barograph.transport.web.chart import Course
from barograph.transport.web.drawing import runs
from barograph.transport.web.language import Language

WIDTH, HEIGHT = 1000, 240
_BAR_SHARE = 0.82
_LABELS = 3
_BARS_FEW = 4
"""So many bars are wide enough for a label below each."""
_PARTS = 4
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30)
"""Lengths of a part of the upright axis, in powers of ten."""
_PART_MIN, _PART_MAX = 1e-12, 1e12


@dataclass(frozen=True, slots=True)
class Line:
    """What one line, or one colour of bars, shows."""

    label: str
    unit: str
    pen: int
    course: Course


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in the box of the plot, and what it says."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One line, or one colour of bars, as SVG."""

    label: str
    unit: str
    pen: int
    line: str = ""
    band: str = ""
    bars: Sequence[Bar] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """The chart over `[start, end)`."""

    start: int
    end: int
    drawn: Sequence[Drawn]
    values: Sequence[str] = ()
    """The labels of the upright axis, from the top."""
    times: Sequence[tuple[str, float]] = ()
    """The labels of time and how far right they are, in percent."""
    data: str = ""
    """JSON for the script, seconds since 1970; empty for bars."""
    width: int = WIDTH
    height: int = HEIGHT
    units: Sequence[str] = field(default_factory=tuple)
    spread: bool = True
    """Whether the first and the last of `times` are those of the ends."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not self.values


def draw_lines(
    lines: Sequence[Line],
    start: int,
    end: int,
    language: Language,
    zone: tzinfo,
    *,
    zero: bool = False,
) -> Plot:
    """The lines in one box, each in the band between its least and greatest.

    `zero` has the upright axis begin at zero, for what is an amount.
    """
    bounds = _bounds([line.course for line in lines], zero=zero)
    if bounds is None:
        return Plot(start, end, [Drawn(line.label, line.unit, line.pen) for line in lines])
    bottom, top = bounds
    across = WIDTH / max(1, end - start)

    def point(time: int, value: float) -> str:
        return f"{(time - start) * across:.1f},{_down(value, bottom, top):.1f}"

    drawn = []
    for line in lines:
        strokes, bands = [], []
        for run in runs(line.course):
            points = [point(time, mean) for time, _, mean, _ in run]
            strokes.append("M" + "L".join(points if len(points) > 1 else points * 2))
            if line.course.gathered and len(lines) <= _LABELS:
                there = [point(time, high) for time, _, _, high in run]
                back = [point(time, low) for time, low, _, _ in reversed(run)]
                bands.append("M" + "L".join(there + back) + "Z")
        drawn.append(Drawn(line.label, line.unit, line.pen, "".join(strokes), "".join(bands)))
    return Plot(
        start,
        end,
        drawn,
        [language.value(value) for value in (top, middle(bottom, top), bottom)],
        time_labels(start, end, language, zone),
        json.dumps(_data(lines, start, end, zero=zero), separators=(",", ":")),
        units=tuple(dict.fromkeys(line.unit for line in lines if line.unit)),
    )


def draw_bars(
    lines: Sequence[Line],
    edges: Mapping[int, int],
    start: int,
    end: int,
    language: Language,
    zone: tzinfo,
) -> Plot:
    """The values of buckets (start to end) as bars from zero, those of one bucket side by side."""
    courses = [line.course for line in lines]
    bounds = _bounds(courses, zero=True)
    if bounds is None:
        return Plot(start, end, [Drawn(line.label, line.unit, line.pen) for line in lines])
    bottom, top = bounds
    start, end = min([start, *edges]), max([end, *edges.values()])
    across = WIDTH / max(1, end - start)
    drawn = []
    for place, line in enumerate(lines):
        bars = []
        for time, value in zip(line.course.times, line.course.mean, strict=True):
            if value is None or time not in edges:
                continue
            whole = (edges[time] - time) * across
            width = whole * _BAR_SHARE / len(lines)
            left = (time - start) * across + whole * (1 - _BAR_SHARE) / 2 + place * width
            y, zero = (_down(one, bottom, top) for one in (max(value, 0.0), min(value, 0.0)))
            when = language.moment(time, zone).removesuffix(":00")
            title = f"{line.label}, {when}: {language.value(value)} {line.unit}".strip()
            bars.append(
                Bar(
                    round(left, 1),
                    round(y, 1),
                    round(width, 1),
                    round(max(zero - y, 0.6), 1),
                    title,
                )
            )
        drawn.append(Drawn(line.label, line.unit, line.pen, bars=bars))
    return Plot(
        start,
        end,
        drawn,
        [language.value(value) for value in (top, middle(bottom, top), bottom)],
        _bar_times(edges, start, end, language, zone),
        spread=False,
        units=tuple(dict.fromkeys(line.unit for line in lines if line.unit)),
    )


def time_labels(start: int, end: int, language: Language, zone: tzinfo) -> list[tuple[str, float]]:
    """The labels of an axis of time, and how far right they are, in percent."""
    step = (end - start) / _LABELS
    write = _writer(start, end, language)
    return [
        (write(round(start + i * step), zone), round(100 * i / _LABELS, 1))
        for i in range(_LABELS + 1)
    ]


def arc(share: float) -> float:
    """How much of a gauge's half circle, whose path is 100 long, is filled."""
    return round(100 * min(1.0, max(0.0, share)), 2)


def _bounds(courses: Sequence[Course], *, zero: bool) -> tuple[float, float] | None:
    values = [
        value
        for course in courses
        for column in ((course.mean,) if zero else (course.low, course.high))
        for value in column
        if value is not None and math.isfinite(value)
    ]
    if not values:
        return None
    least, greatest = min(values), max(values)
    if zero:
        least, greatest = min(0.0, least), max(0.0, greatest)
    round_ends = _round_ends(least, greatest)
    if round_ends is not None:
        return round_ends
    bottom, top = with_room(least, greatest, 0.06)
    return (
        least if zero and least == 0 else bottom,
        greatest if zero and greatest == 0 and least < 0 else top,
    )


def _round_ends(least: float, greatest: float) -> tuple[float, float] | None:
    """The ends of an axis whose four parts are as long as people count; None where floats end."""
    part = greatest / _PARTS - least / _PARTS
    if not _PART_MIN < part < _PART_MAX or part < max(abs(least), abs(greatest)) * 1e-9:
        return None
    power = 10.0 ** math.floor(math.log10(part))
    # Where the ends are rounded outwards, a part may have to be longer than a fourth.
    for step in (factor * power for factor in _ROUND):
        first = math.floor(least / step + 1e-9)
        if first + _PARTS >= greatest / step - 1e-9:
            return float(f"{first * step:.12g}"), float(f"{(first + _PARTS) * step:.12g}")
    return None


def _down(value: float, bottom: float, top: float) -> float:
    """How far below the upper edge of the chart a value is drawn."""
    return (1 - share_of(value, bottom, top)) * HEIGHT


def _bar_times(
    edges: Mapping[int, int], start: int, end: int, language: Language, zone: tzinfo
) -> list[tuple[str, float]]:
    """When some of the bars begin, each below its bar."""
    starts = sorted(edges)
    apart = -(-len(starts) // _BARS_FEW)
    write = _writer(start, end, language)
    return [
        (write(one, zone), round(100 * ((one + edges[one]) / 2 - start) / (end - start), 1))
        for one in starts[::apart]
    ]


def _writer(start: int, end: int, language: Language) -> Callable[[int, tzinfo], str]:
    return language.day if end - start > 3 * DAY else language.short_moment


def _data(lines: Sequence[Line], start: int, end: int, *, zero: bool) -> dict[str, object]:
    return {
        "start": start / SECOND,
        "end": end / SECOND,
        "zero": zero,
        "lines": [
            {
                "label": line.label,
                "unit": line.unit,
                "pen": line.pen,
                "times": [time / SECOND for time in line.course.times],
                "mean": _short(line.course.mean),
                **(
                    {"low": _short(line.course.low), "high": _short(line.course.high)}
                    if line.course.gathered and len(lines) <= _LABELS
                    else {}
                ),
            }
            for line in lines
        ],
    }


def _short(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]
