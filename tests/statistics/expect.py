"""What the statistics should be, computed by pandas and NumPy, without the program's own code.

`python -m tests.statistics.expect` writes the expected rows of every script anew. Sums are exact
here (fractions), because NumPy's are not.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from tests.statistics.script import Eval, Row, Script, read_scripts, rewrite

FREQUENCIES = {"d": "D", "w": "W-MON", "mo": "MS", "q": "QS-JAN", "y": "YS"}
FIXED = {"ms": "ms", "s": "s", "m": "min", "h": "h"}

Value = float | int | None


def frame_of(readings: Sequence[tuple[int, int, float | str]]) -> pd.DataFrame:
    """The numbers among (series, microseconds, value), the last write of each place only."""
    frame = pd.DataFrame(readings, columns=["series", "time", "value"])
    frame = frame.drop_duplicates(["series", "time"], keep="last")
    frame = frame[frame["value"].map(lambda value: not isinstance(value, str))]
    return frame.astype({"series": "int64", "time": "int64", "value": "float64"}).sort_values(
        ["time", "series"], ignore_index=True
    )


def exact_sum(values: pd.Series) -> Fraction:
    return sum(map(Fraction, values.tolist()), Fraction())


def in_range(exact: Fraction) -> float | None:
    """The nearest float, or None beyond the range of floats."""
    try:
        return float(exact)
    except OverflowError:
        return None


def finite(number: float) -> float | None:
    return float(number) if math.isfinite(float(number)) else None


def increase(course: pd.DataFrame) -> Fraction:
    values = pd.Series([Fraction(value) for value in course["value"]], dtype=object)
    step = values - values.shift(fill_value=Fraction())
    return sum(step.where(step >= 0, values).iloc[1:], Fraction())


def elapsed(course: pd.DataFrame) -> int:
    return int(course["time"].max() - course["time"].min())


def statistic(name: str, frame: pd.DataFrame) -> Value:
    """One statistic of one group of readings, which may be empty."""
    values = frame["value"]
    long = values.to_numpy(np.longdouble)  # so that no step on the way overflows
    courses = [course for _, course in frame.groupby("series")]
    if frame.empty:
        return {"count": 0, "distinct": 0, "sum": 0.0}.get(name)
    with np.errstate(all="ignore"):
        if name.startswith("p"):
            return finite(np.percentile(long, float(name[1:])))
        match name:
            case "count":
                return len(frame)
            case "sum":
                return in_range(exact_sum(values))
            case "min":
                return finite(values.min())
            case "max":
                return finite(values.max())
            case "range":
                return finite(np.ptp(long))
            case "mean":
                return in_range(exact_sum(values) / len(frame))
            case "median":
                return finite(np.median(long))
            case "stddev":
                return finite(np.std(long, ddof=1)) if len(frame) > 1 else None
            case "mode":
                return finite(values.mode().iloc[0])
            case "distinct":
                return int(values.nunique())
            case "first":
                return finite(values.iloc[0])
            case "last":
                return finite(values.iloc[-1])
            case "increase":
                return in_range(sum(map(increase, courses), Fraction()))
            case "rate":
                rates = [increase(c) * 1_000_000 / elapsed(c) for c in courses if len(c) > 1]
                return in_range(sum(rates, Fraction())) if rates else None
            case "integral":
                hours = (frame["time"] - frame["time"].min()) / 3.6e9
                return finite(sum(np.trapezoid(c["value"], hours.loc[c.index]) for c in courses))
            case "time_weighted_mean":
                return time_weighted_mean(courses)
    raise AssertionError(f"no expectation for {name}")


def agrees(name: str, actual: object, expected: Value, frame: pd.DataFrame) -> bool:
    """Whether `actual` is `expected` to 1e-9 relative.

    Where terms cancel, no float algorithm can promise that; what is allowed on top is the error of
    a compensated sum, and for percentiles and those of the course of time one rounding of the largest
    term.
    """
    if expected is None or actual is None:
        return actual is expected
    if name in {"count", "distinct"}:
        return isinstance(actual, int) and actual == expected
    values = frame["value"].abs()
    if name in {"sum", "mean"}:
        slack = float(exact_sum(values) * len(values) / 2**104)
    elif name == "integral":
        slack = 2.0**-50 * len(values) * float(values.max()) * elapsed(frame) / 3.6e9
    elif name in {"increase", "rate", "time_weighted_mean"}:
        slack = 2.0**-51 * float(values.max())
    elif name == "stddev":
        # Of equal values whose mean is rounded; of others the deviations are known to all digits.
        slack = 2.0**-70 * float(values.max())
    elif name.startswith("p"):
        # The position is a float too: q of 0.99999999 lies some 1e-17 beside it.
        slack = 2.0**-52 * len(values) * float(values.max())
    else:
        slack = 0.0
    return (
        isinstance(actual, float)
        and abs(actual - expected) <= 1e-9 * abs(expected) + slack + 5e-324
    )


def time_weighted_mean(courses: Sequence[pd.DataFrame]) -> float | None:
    values = np.concatenate([course["value"].to_numpy()[:-1] for course in courses])
    weights = np.concatenate([np.diff(course["time"].to_numpy()) for course in courses])
    if not weights.sum():
        return finite(np.mean([course["value"].iloc[0] for course in courses]))
    return finite(np.average(values, weights=weights))


def bucket_edges(interval: str, first: int, last: int, zone: str) -> list[int]:
    """The edges of the buckets that hold the instants `first` to `last`, both included."""
    count = int(interval.rstrip("abcdefghijklmnopqrstuvwxyz"))
    unit = interval.lstrip("0123456789")
    begin, end = (pd.Timestamp(time, unit="us", tz="UTC") for time in (first, last))
    if unit in FIXED:
        step = pd.Timedelta(count, FIXED[unit])
        floor = begin.floor(step)
        edges = pd.date_range(floor, end + step, freq=step)
    else:
        # Calendar buckets are counted from the first of their kind in 1970.
        local_end = end.tz_convert(zone).tz_localize(None) + pd.DateOffset(years=2 * count)
        days = pd.date_range("1969-12-01", local_end, freq=FREQUENCIES[unit])
        days = days[days >= "1970-01-01"][::count]
        edges = days.tz_localize(zone, nonexistent="shift_forward", ambiguous=[True] * len(days))
        edges = edges.tz_convert("UTC").unique()
    at_or_before = edges[edges <= begin][-1]
    after = edges[edges > end][0]
    chosen = edges[(edges >= at_or_before) & (edges <= after)]
    return [int(edge.value) // 1000 for edge in chosen.as_unit("ns")]


def rows(script: Script, question: Eval) -> list[Row]:
    """The rows that the question should be answered with."""
    frame = frame_of(script.readings[: question.readings])
    frame = frame[frame["series"].isin(question.series)]
    if question.start is not None:
        frame = frame[frame["time"] >= question.start]
    if question.end is not None:
        frame = frame[frame["time"] < question.end]
    frame = frame.reset_index(drop=True)
    if question.interval is None:
        return [Row(None, {name: statistic(name, frame) for name in question.stats})]
    if frame.empty:
        return []
    edges = bucket_edges(question.interval, frame["time"].min(), frame["time"].max(), question.zone)
    bucket = np.searchsorted(edges, frame["time"], side="right") - 1
    return [
        Row(edges[index], {name: statistic(name, cell) for name in question.stats})
        for index, cell in frame.groupby(bucket)
    ]


if __name__ == "__main__":
    # The last part first: an answer moves the lines below it.
    for script in reversed(read_scripts(Path(__file__).parent)):
        rewrite(script, [rows(script, question) for question in script.evals])
