"""Metrics that are a place together: latitude and longitude, or x, y and z.

They are drawn as a track on the ground or a path in space, sampled so that any period is at most
so many points.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from barograph.domain.period import Period
from barograph.domain.span import middle
from barograph.domain.statistic import Statistic
from barograph.ports.reading_store import Aggregation, ReadingStore
from barograph.transport.web.chart import step_for

POINTS_MAX = 1_500

Point = tuple[int, tuple[float, ...]]
"""A time (microseconds) and the value of each metric."""

_LATITUDE = re.compile(r"(?:(.*)[._/-])?lat(?:itude)?\Z", re.IGNORECASE)
_LONGITUDE = re.compile(r"(?:(.*)[._/-])?(?:lon|lng|long|longitude)\Z", re.IGNORECASE)
_AXIS = re.compile(r"(?:(.*)[._/-])?([xyz])\Z", re.IGNORECASE)
_KM_PER_DEGREE = 111.32
_MARGIN = 0.06
_STILL = 1e-300
"""Less than this is no way, and too little to be divided by."""


def places(metrics: Iterable[str]) -> tuple[str, str] | None:
    """The latitude and the longitude among the metrics."""
    names = list(metrics)
    longitudes = {match[1]: name for name in names if (match := _LONGITUDE.match(name))}
    for name in names:
        match = _LATITUDE.match(name)
        if match and match[1] in longitudes:
            return name, longitudes[match[1]]
    return None


def axes(metrics: Iterable[str]) -> tuple[str, str, str] | None:
    """The x, y and z among the metrics."""
    found: dict[str | None, dict[str, str]] = {}
    for name in metrics:
        match = _AXIS.match(name)
        if match:
            of_prefix = found.setdefault(match[1], {})
            of_prefix[match[2].lower()] = name
            if len(of_prefix) == 3:
                return of_prefix["x"], of_prefix["y"], of_prefix["z"]
    return None


def sample(
    store: ReadingStore, series: Sequence[int], start: int, end: int, points: int = POINTS_MAX
) -> list[Point]:
    """Where it was over `[start, end)`, at the moments at which every series has a value.

    These are the readings where they are few, else the first of each of `points` buckets.
    """
    period = Period(start, end)
    rows: dict[int, dict[int, float]] = {}
    limit = 2 * points * len(series)
    for batch in store.scan(series, period, limit=limit + 1):
        for one, time, value in batch.readings():
            if not isinstance(value, str):
                rows.setdefault(time, {})[one] = value
    if sum(map(len, rows.values())) > limit:
        rows = _buckets(store, series, period, start, end, points)
    return [
        (time, tuple(values[one] for one in series))
        for time, values in sorted(rows.items())
        if len(values) == len(series)
    ]


def _buckets(
    store: ReadingStore, series: Sequence[int], period: Period, start: int, end: int, points: int
) -> dict[int, dict[int, float]]:
    step = step_for(start, end, points)
    edges = range(start - start % step, end + step, step)
    question = Aggregation([[one] for one in series], [Statistic("first", "first")], period, edges)
    rows: dict[int, dict[int, float]] = {}
    for cell in store.summarize(question):
        value = cell.summary["first"]
        if isinstance(value, int | float):
            rows.setdefault(edges[cell.bucket], {})[series[cell.group]] = float(value)
    return rows


@dataclass(frozen=True, slots=True)
class Track:
    """A way over the ground in a box of `width` x `height`, north up, the same scale both ways."""

    path: str
    width: int
    height: int
    points: str
    """`time,x,y` (seconds since 1970) of each point, with blanks between."""
    first: tuple[float, float]
    last: tuple[float, float]
    bar: float
    """The length of the scale bar in the box."""
    bar_km: float
    """The length of what it stands for."""
    km: float
    """How long the way was."""


def track(places: Sequence[Point], width: int, height: int) -> Track | None:
    """The way through the places (latitude, longitude); None without any."""
    valid = [(time, lat, lon) for time, (lat, lon) in places if abs(lat) <= 90 and abs(lon) <= 360]
    if not valid:
        return None
    whole = _unwrapped(valid)
    middle = (min(lat for _, lat, _ in whole) + max(lat for _, lat, _ in whole)) / 2
    narrow = max(0.01, math.cos(math.radians(middle)))
    flat = [
        (time, lon * narrow * _KM_PER_DEGREE, -lat * _KM_PER_DEGREE) for time, lat, lon in whole
    ]
    left, top = min(x for _, x, _ in flat), min(y for _, _, y in flat)
    across = max(x for _, x, _ in flat) - left
    down = max(y for _, _, y in flat) - top
    room = 1 - 2 * _MARGIN
    # What stands still is shown in a box of a hundred metres.
    scale = min(width * room / max(across, 0.1), height * room / max(down, 0.1))
    shift_x, shift_y = (width - across * scale) / 2, (height - down * scale) / 2
    drawn = [
        (time, round((x - left) * scale + shift_x, 1), round((y - top) * scale + shift_y, 1))
        for time, x, y in flat
    ]
    bar_km = _round_below(width / 4 / scale)
    return Track(
        path=_path([(x, y) for _, x, y in drawn]),
        width=width,
        height=height,
        points=" ".join(f"{time // 1_000_000},{x:g},{y:g}" for time, x, y in drawn),
        first=drawn[0][1:],
        last=drawn[-1][1:],
        bar=bar_km * scale,
        bar_km=bar_km,
        km=sum(math.hypot(b[1] - a[1], b[2] - a[2]) for a, b in itertools.pairwise(flat)),
    )


def _unwrapped(places: Sequence[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    """The places with longitudes that do not jump at the date line."""
    found: list[tuple[int, float, float]] = []
    for time, lat, lon in places:
        near = lon
        if found:
            near = lon + 360 * round((found[-1][2] - lon) / 360)
        found.append((time, lat, near))
    return found


def _path(points: Sequence[tuple[float, float]]) -> str:
    # A single point is a stroke of no length, which a round line cap makes a dot.
    shown = points if len(points) > 1 else [*points, *points]
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in shown)


def _round_below(length: float) -> float:
    """The longest of 1, 2, 5, 10 … that is not longer."""
    power: float = 10.0 ** math.floor(math.log10(length))
    return next(n * power for n in (5, 2, 1) if n * power <= length or n == 1)


@dataclass(frozen=True, slots=True)
class Space:
    """A path in space, seen from above and the side, in a box of `size` x `size`."""

    path: str
    frame: str
    """The edges of the box that holds the path."""
    size: int
    points: str
    """`x,y,z` of each point from -1 to 1, with blanks between, for a page that turns it."""
    labels: Sequence[tuple[str, float, float]]
    """The letters at the ends of the axes."""


_CORNERS = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]


def space(points: Sequence[Point], size: int) -> Space | None:
    """The path through the points (x, y, z); None without any."""
    if not points:
        return None
    lows = [min(values[i] for _, values in points) for i in range(3)]
    highs = [max(values[i] for _, values in points) for i in range(3)]
    # One scale for the three, so that directions are true.
    half = max(high / 2 - low / 2 for low, high in zip(lows, highs, strict=True))
    if half < _STILL:
        half = 1.0
    centres = [middle(low, high) for low, high in zip(lows, highs, strict=True)]
    unit = [
        tuple(
            (value / 2 - centre / 2) / (half / 2)
            for value, centre in zip(values, centres, strict=True)
        )
        for _, values in points
    ]
    return Space(
        path=_path([_seen(one, size) for one in unit]),
        frame="".join(_edges(size)),
        size=size,
        points=" ".join(",".join(f"{value:.3g}" for value in one) for one in unit),
        labels=[
            (letter, *_seen(end, size))
            for letter, end in (("x", (1.2, -1, -1)), ("y", (-1, 1.2, -1)), ("z", (-1, -1, 1.2)))
        ],
    )


def _seen(point: Sequence[float], size: int) -> tuple[float, float]:
    """Where a point from -1 to 1 is in the picture; twin of `seen` in `static/space.js`."""
    turn, tilt = -0.6, 0.45
    x, y, z = point
    right = x * math.cos(turn) - y * math.sin(turn)
    away = x * math.sin(turn) + y * math.cos(turn)
    up = z * math.cos(tilt) + away * math.sin(tilt)
    return round(size / 2 + right * size * 0.28, 1), round(size / 2 - up * size * 0.28, 1)


def _edges(size: int) -> Iterator[str]:
    for a in _CORNERS:
        for b in _CORNERS:
            if a < b and sum(i != j for i, j in zip(a, b, strict=True)) == 1:
                yield _path([_seen(a, size), _seen(b, size)])


def default_metrics(metrics: Mapping[str, float | str], numbers: int, texts: int) -> list[str]:
    """Those of newest values that a chart shows unasked; a place is drawn as a track instead."""
    hidden = set(places(metrics) or ())
    shown = [name for name, value in metrics.items() if not isinstance(value, str)]
    shown = [name for name in shown if name not in hidden][:numbers] or shown[:numbers]
    return shown + [name for name, value in metrics.items() if isinstance(value, str)][:texts]
