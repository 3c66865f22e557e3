"""The way out: readings of one device as rows, one per time, in JSON, NDJSON or CSV.

What these write, the decoders of the same formats read back unchanged. Memory stays bounded: a
piece of the answer leaves as soon as it is made.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
import numpy as np

from barograph.codecs.csv_cells import write_text
from barograph.domain.batch import Batch
from barograph.domain.time import MILLISECOND, SECOND

Row = dict[str, float | str]
"""`ts` as RFC 3339 text in UTC, then the values of that time by metric."""

_TIME: Final = "ts"
_PIECE_ROWS: Final = 2_048
_encoder = msgspec.json.Encoder()


def rows(batches: Iterable[Batch], names: Mapping[int, str]) -> Iterator[Row]:
    """The rows of batches that are in order of time, either way; `names` maps series to metric.

    A row may begin in one batch and end in the next.
    """
    row: Row = {}
    row_time: int | None = None
    for batch in batches:
        times = np.asarray(batch.times, np.int64)
        texts = batch.texts
        stamps = format_times(times)
        series = np.asarray(batch.series, np.int64).tolist()
        values = np.asarray(batch.values, np.float64).tolist()
        for i, time in enumerate(times.tolist()):
            if time != row_time:
                if row:
                    yield row
                row, row_time = {_TIME: stamps[i]}, time
            row[names[series[i]]] = texts[i] if i in texts else values[i]
    if row:
        yield row


def format_times(times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    """`domain.time.format_time` of each, in UTC."""
    seconds = np.datetime_as_string((times // SECOND).astype("M8[s]"), unit="s").tolist()
    micros = (times % SECOND).tolist()
    return [
        f"{second}Z"
        if not micro
        else f"{second}.{micro:06d}Z"
        if micro % MILLISECOND
        else f"{second}.{micro // MILLISECOND:03d}Z"
        for second, micro in zip(seconds, micros, strict=True)
    ]


def encode_ndjson(batches: Iterable[Batch], names: Mapping[int, str]) -> Iterator[bytes]:
    """The rows as NDJSON, in pieces of whole lines."""
    for piece in _pieces(rows(batches, names)):
        yield _encoder.encode_lines(piece)


def encode_json(batches: Iterable[Batch], names: Mapping[int, str]) -> Iterator[bytes]:
    """The rows as one JSON array, in pieces."""
    opening = b"["
    for piece in _pieces(rows(batches, names)):
        yield opening + _encoder.encode(piece)[1:-1]
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


def encode_csv(batches: Iterable[Batch], names: Mapping[int, str]) -> Iterator[bytes]:
    """The rows as CSV with a header row, a column for each of `names`, in pieces of whole lines.

    A cell without a reading is empty; see `csv_cells` for texts.
    """
    metrics = list(dict.fromkeys(names.values()))
    yield (",".join([_TIME, *map(write_text, metrics)]) + "\r\n").encode()
    for piece in _pieces(rows(batches, names)):
        lines = [
            ",".join([str(row[_TIME]), *(_cell(row.get(metric)) for metric in metrics)])
            for row in piece
        ]
        yield ("\r\n".join(lines) + "\r\n").encode()


def _cell(value: float | str | None) -> str:
    if value is None:
        return ""
    return write_text(value) if isinstance(value, str) else repr(value)


def _pieces(items: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(islice(items, _PIECE_ROWS)):
        yield piece
