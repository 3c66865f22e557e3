"""Readings per second of each form that a body may take, decoded on one core; no I/O, no store.

Run: python bench/codecs.py [seconds per form, default 1]
"""

import json
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC

from barograph.codecs import decode_value, decoder_for, encode_csv, encode_json, encode_ndjson
from barograph.domain.batch import Batch
from barograph.domain.limits import Limits
from barograph.domain.time import MILLISECOND, format_time

NOW = 1_780_000_000_000_000
READINGS = 5_000
NDJSON = b"application/x-ndjson"
CSV = b"text/csv"


def best_seconds(call: Callable[[], object], seconds: float) -> float:
    """The quickest of as many runs as fit: the machine's other work is not the codec's."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def times(count: int) -> list[int]:
    return [NOW // MILLISECOND - count * 1000 + i * 1000 for i in range(count)]


def entries(metrics: list[str], make_time: Callable[[int], object]) -> list[dict[str, object]]:
    random.seed(1)
    return [
        {"ts": make_time(ms), **{metric: round(random.uniform(-40, 40), 2) for metric in metrics}}
        for ms in times(-(-READINGS // len(metrics)))
    ]


def bodies() -> dict[str, tuple[bytes, bytes]]:
    """Content type and body of each form."""
    one = entries(["temperature"], int)
    three = entries(["x", "y", "z"], int)
    iso = entries(["temperature"], lambda ms: format_time(ms * MILLISECOND + 1))
    sparse = [row | {"state": "on" if i % 2 else None} for i, row in enumerate(one)]
    mixed = [row if i % 2 else {"ts": row["ts"], "humidity": 5} for i, row in enumerate(one)]

    def columns(rows: list[dict[str, object]]) -> bytes:
        return json.dumps({key: [row[key] for row in rows] for key in rows[0]}).encode()

    def lines(rows: list[dict[str, object]]) -> bytes:
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    def table(rows: list[dict[str, object]]) -> bytes:
        cells = [list(rows[0]), *(row.values() for row in rows)]
        return "".join(",".join(map(str, row)) + "\n" for row in cells).encode()

    return {
        "array, 1 metric": (b"", json.dumps(one).encode()),
        "array, 3 metrics": (b"", json.dumps(three).encode()),
        "array, RFC 3339 times": (b"", json.dumps(iso).encode()),
        "array, nulls and texts": (b"", json.dumps(sparse).encode()),
        "array, entries of two shapes": (b"", json.dumps(mixed).encode()),
        "columns, 1 metric": (b"", columns(one)),
        "columns, 3 metrics": (b"", columns(three)),
        "NDJSON, 1 metric": (NDJSON, lines(one)),
        "NDJSON, 3 metrics": (NDJSON, lines(three)),
        "CSV, 1 metric": (CSV, table(one)),
        "CSV, RFC 3339 times": (CSV, table(iso)),
        "one object, 3 metrics": (b"", b'{"x": 1.0, "y": 2.0, "z": 3.0}'),
        "one object with time": (b"", b'{"ts": 1714564800000, "temperature": 21.5}'),
        "one object, number and text": (b"", b'{"temperature": 21, "state": "on"}'),
    }


def report(form: str, readings: int, seconds: float) -> None:
    rate = readings / seconds / 1e6
    print(f"{form:32} {readings:6} readings {seconds * 1e6:9.1f} us {rate:7.2f} million/s")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    limits = Limits()
    for form, (content_type, body) in bodies().items():
        decode = decoder_for(content_type)

        def once(decode=decode, body=body) -> int:
            return len(decode(body, now=NOW, zone=UTC, limits=limits).batch)

        report(form, once(), best_seconds(once, seconds))
    for payload in (b"21.5", b"on", b'{"value": 21.5, "ts": 1714564800000}'):
        taken = best_seconds(
            lambda payload=payload: decode_value(payload, now=NOW, zone=UTC, limits=limits), seconds
        )
        report(f"value {payload.decode()[:24]}", 1, taken)
    moments = [ms * MILLISECOND for ms in times(READINGS)]
    batch = Batch([1] * READINGS, moments, [random.uniform(-40, 40) for _ in moments])
    for encode in (encode_json, encode_ndjson, encode_csv):
        taken = best_seconds(
            lambda encode=encode: sum(map(len, encode([batch], {1: "temperature"}))), seconds
        )
        report(encode.__name__, READINGS, taken)


if __name__ == "__main__":
    main()
