"""A course as SVG paths, for pages without JavaScript and for the small curves of the overview."""

from collections.abc import Iterator
from dataclasses import dataclass

from barograph.domain.span import share_of, with_room
from barograph.transport.web.chart import Course


@dataclass(frozen=True, slots=True)
class Drawing:
    """The `d` of two paths in a box of `width` x `height`, and the values of its lower, upper rim."""

    line: str
    band: str
    width: int
    height: int
    bottom: float
    top: float


def draw(course: Course, start: int, end: int, width: int, height: int) -> Drawing | None:
    """The course over `[start, end)`, or None where it has no values."""
    lows = [value for value in course.low if value is not None]
    highs = [value for value in course.high if value is not None]
    if not lows:
        return None
    bottom, top = min(lows), max(highs)
    bottom, top = with_room(bottom, top, 0.06)
    across = width / max(1, end - start)

    def x(time: int) -> str:
        return f"{(time - start) * across:.1f}"

    def y(value: float) -> str:
        return f"{(1 - share_of(value, bottom, top)) * height:.1f}"

    line, band = [], []
    for run in runs(course):
        points = [f"{x(time)},{y(mean)}" for time, _, mean, _ in run]
        # A run of a single point is a stroke of no length, which a round line cap makes a dot.
        line.append("M" + "L".join(points if len(points) > 1 else points * 2))
        if course.gathered:
            there = [f"{x(time)},{y(high)}" for time, _, _, high in run]
            back = [f"{x(time)},{y(low)}" for time, low, _, _ in reversed(run)]
            band.append("M" + "L".join(there + back) + "Z")
    return Drawing("".join(line), "".join(band), width, height, bottom, top)


def runs(course: Course) -> Iterator[list[tuple[int, float, float, float]]]:
    """The pieces between the gaps."""
    run: list[tuple[int, float, float, float]] = []
    for time, low, mean, high in zip(
        course.times, course.low, course.mean, course.high, strict=True
    ):
        if low is None or mean is None or high is None:
            yield run
            run = []
        else:
            run.append((time, low, mean, high))
    if run:
        yield run
