"""Reading rows back: scans in order of (time, series), the newest before a time, extents.

A scan walks the segments in order of time, and each in windows of time that hold about as many
readings as fit in memory well, so it needs no sort of the whole.
"""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch
from barograph.stores.readings.duckdb.connection import Answer
from barograph.stores.readings.duckdb.layout import BEGINNING, Segment, touched
from barograph.stores.readings.duckdb.snapshot import Snapshot

BATCH_READINGS_MAX = 65_536
_WINDOW_READINGS_MAX = 262_144
_SLOTS = 1_024

Place = tuple[int, int]
"""(time, series)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings: of `series`, `start <= time < stop`, behind `after` in the order asked for."""

    series: NDArray[np.int64]
    start: int
    stop: int
    descending: bool = False
    after: Place | None = None
    numbers: bool = True
    texts: bool = True
    """Whether to look at the texts."""

    def behind(self, after: Place) -> "Wanted":
        """Only those behind `after`."""
        if self.descending:
            return replace(self, after=after, stop=min(self.stop, after[0] + 1))
        return replace(self, after=after, start=max(self.start, after[0]))

    def within(self, start: int, stop: int) -> "Wanted":
        """Only those of `[start, stop)`."""
        return replace(self, start=max(start, self.start), stop=min(stop, self.stop))

    def rows(self, hot: Place, segment: Segment, *, places: bool = False) -> str:
        """SQL for the wanted rows of the hot table, which has `hot`, the segment and the texts."""
        which = "series = $3" if len(self.series) == 1 else "series IN (SELECT series FROM chosen)"
        which += " AND time >= $1 AND time < $2"
        if self.after is not None:
            order = "<" if self.descending else ">"
            which += f" AND (time {order} $4 OR (time = $4 AND series {order} $5))"
        sources = []
        if self.numbers:
            value = "" if places else ", value, NULL AS text" if self.texts else ", value"
            if hot[0] < self.stop and self.start < hot[1]:
                sources.append(f"SELECT series, time{value} FROM hot WHERE {which}")
            if len(segment.holdings.of_series(self.series).series):
                sources.append(f"SELECT series, time{value} FROM {segment.table} WHERE {which}")
        if self.texts:
            value = "" if places else ", 'NaN'::DOUBLE AS value, text"
            sources.append(f"SELECT series, time{value} FROM texts WHERE {which}")
        return " UNION ALL ".join(sources)

    def ask(self, snapshot: Snapshot, sql: str) -> Answer:
        """The answer to SQL made of `rows`."""
        parameters = [self.start, self.stop]
        tables = {}
        if len(self.series) == 1:
            parameters.append(int(self.series[0]))
        else:
            tables["chosen"] = {"series": self.series}
            if self.after is not None:
                sql = sql.replace("$4", "$3").replace("$5", "$4")
        if self.after is not None:
            parameters += self.after
        return snapshot.ask(sql, parameters, **tables)


def scan(
    begin: Callable[[], tuple[Snapshot, bool]],
    end: Callable[[Snapshot], None],
    wanted: Wanted,
    limit: int | None,
) -> Iterator[Batch]:
    """The wanted readings in order.

    `begin` gives a snapshot, and whether there are texts to look for. It is called again when the
    snapshot was ended because the reader was slow; the scan then goes on behind what it has given.
    """
    finished = False
    while not finished:
        snapshot, texts = begin()
        finished = True
        try:
            for batch in _of_snapshot(snapshot, replace(wanted, texts=texts), limit):
                if limit is not None:
                    limit -= len(batch)
                wanted = wanted.behind((int(batch.times[-1]), int(batch.series[-1])))
                yield batch
                if snapshot.ended:
                    finished = limit == 0
                    break
        finally:
            end(snapshot)


def _of_snapshot(snapshot: Snapshot, wanted: Wanted, limit: int | None) -> Iterator[Batch]:
    segments = list(touched(snapshot.layout, wanted.start, wanted.stop))
    for segment in reversed(segments) if wanted.descending else segments:
        here = wanted.within(segment.start, segment.stop)
        if limit is not None and limit <= BATCH_READINGS_MAX:
            windows = [here]
        else:
            windows = _windows(snapshot, segment, here)
            if wanted.descending:
                windows.reverse()
        for window in windows:
            for batch in _rows(snapshot, segment, window, limit):
                yield batch
                if limit is not None:
                    limit -= len(batch)
                    if limit <= 0:
                        return


def _windows(snapshot: Snapshot, segment: Segment, wanted: Wanted) -> list[Wanted]:
    """The wanted part of the segment, ascending, in windows of not too many readings.

    Where more readings than that share one microsecond, they stay in one window.
    """
    rows = wanted.rows(snapshot.hot, segment, places=True)
    if not rows:
        return []
    found = wanted.ask(
        snapshot, f"SELECT count(*) AS n, min(time) AS first, max(time) AS last FROM ({rows})"
    )
    if found["n"][0] <= _WINDOW_READINGS_MAX or found["first"][0] == found["last"][0]:
        return [wanted]
    first, last = int(found["first"][0]), int(found["last"][0])
    width = (last - first) // _SLOTS + 1
    counted = wanted.ask(
        snapshot,
        f"SELECT (time - {first}) // {width} AS slot, count(*) AS n FROM ({rows})"
        " GROUP BY slot ORDER BY slot",
    )
    windows: list[Wanted] = []
    start, many = first, 0
    for slot, n in zip(counted["slot"].tolist(), counted["n"].tolist(), strict=True):
        edge = first + slot * width
        if many and many + n > _WINDOW_READINGS_MAX:
            windows.append(wanted.within(start, edge))
            start, many = edge, 0
        if n > _WINDOW_READINGS_MAX:
            windows += _windows(snapshot, segment, wanted.within(edge, edge + width))
            start, many = edge + width, 0
        else:
            many += n
    if many:
        windows.append(wanted.within(start, last + 1))
    return windows


def _rows(
    snapshot: Snapshot, segment: Segment, wanted: Wanted, limit: int | None
) -> Iterator[Batch]:
    rows = wanted.rows(snapshot.hot, segment)
    if not rows:
        return
    order = "DESC" if wanted.descending else "ASC"
    cut = "" if limit is None else f" LIMIT {int(limit)}"
    found = wanted.ask(
        snapshot, f"SELECT * FROM ({rows}) ORDER BY time {order}, series {order}{cut}"
    )
    for at in range(0, len(found["time"]), BATCH_READINGS_MAX):
        yield _batch({name: column[at : at + BATCH_READINGS_MAX] for name, column in found.items()})


def _batch(columns: Answer) -> Batch:
    texts = {}
    if "text" in columns:
        text = columns["text"]
        there = np.flatnonzero(~np.ma.getmaskarray(text))
        texts = {int(i): text[i] for i in there}
    return Batch(columns["series"], columns["time"], np.ma.getdata(columns["value"]), texts)


def newest_before(
    snapshot: Snapshot, series: NDArray[np.int64], before: int, *, texts: bool
) -> Batch:
    """The newest reading earlier than `before` of each series that has one, in order of series.

    Walks the segments backwards until every series has its reading.
    """
    found: dict[int, tuple[int, float, str | None]] = {}
    chosen = {"series": series}
    newest = "series, max(time) AS time, arg_max(value, time) AS value"
    where = "WHERE series IN (SELECT series FROM chosen) AND time < $1 GROUP BY series"
    hot = snapshot.ask(f"SELECT {newest} FROM hot {where}", [before], chosen=chosen)
    _keep_newest(found, hot)
    if texts:
        told = "series, max(time) AS time, 'NaN'::DOUBLE AS value, arg_max(text, time) AS text"
        _keep_newest(
            found, snapshot.ask(f"SELECT {told} FROM texts {where}", [before], chosen=chosen)
        )
    missing = series
    for segment in reversed(list(touched(snapshot.layout, BEGINNING, before))):
        held = segment.holdings.of_series(missing).series
        if not len(held):
            continue
        here = snapshot.ask(
            f"SELECT {newest} FROM {segment.table} {where}", [before], chosen={"series": held}
        )
        _keep_newest(found, here)
        missing = np.setdiff1d(missing, here["series"], assume_unique=True)
    ids = sorted(found)
    return Batch(
        np.array(ids, np.int64),
        np.array([found[id][0] for id in ids], np.int64),
        np.array([found[id][1] for id in ids], np.float64),
        {i: text for i, id in enumerate(ids) if (text := found[id][2]) is not None},
    )


def _keep_newest(found: dict[int, tuple[int, float, str | None]], answer: Answer) -> None:
    texts = answer["text"].tolist() if "text" in answer else [None] * len(answer["series"])
    for id, time, value, text in zip(
        answer["series"].tolist(),
        answer["time"].tolist(),
        np.ma.getdata(answer["value"]).tolist(),
        texts,
        strict=True,
    ):
        if id not in found or time > found[id][0]:
            found[id] = (time, value, text)


def extent(snapshot: Snapshot, wanted: Wanted) -> Place | None:
    """The times of the first and the last wanted reading.

    Segments that lie in the period wholly are not read: what they hold of a series is known.
    """
    times: list[int] = []
    for segment in touched(snapshot.layout, wanted.start, wanted.stop):
        held = segment.holdings.of_series(wanted.series)
        inside = (held.first >= wanted.start) & (held.last < wanted.stop)
        times += held.first[inside].tolist() + held.last[inside].tolist()
        across = held.series[~inside & (held.first < wanted.stop) & (held.last >= wanted.start)]
        if len(across):
            times += _ends(snapshot, segment.table, across, wanted)
    if wanted.numbers:
        times += _ends(snapshot, "hot", wanted.series, wanted)
    if wanted.texts:
        times += _ends(snapshot, "texts", wanted.series, wanted)
    return (min(times), max(times)) if times else None


def _ends(snapshot: Snapshot, table: str, series: NDArray[np.int64], wanted: Wanted) -> list[int]:
    found = snapshot.ask(
        "SELECT count(*) AS n, min(time) AS first, max(time) AS last"
        f" FROM {table} JOIN chosen USING (series) WHERE time >= $1 AND time < $2",
        [wanted.start, wanted.stop],
        chosen={"series": series},
    )
    return [int(found["first"][0]), int(found["last"][0])] if found["n"][0] else []
