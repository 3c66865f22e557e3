"""Durable bulk writes over one HTTP connection: readings per second of each form, and of InfluxDB.

Each body holds 5,000 readings with times of their own; it is encoded before the clock starts, sent
over one kept-open connection, and the next one waits for the answer, which comes when the readings
are synced. InfluxDB 1.x (Debian's `influxdb`) gets the same readings as line protocol from the same
client, synced as well (`wal-fsync-delay = "0s"`, its default). The forms take turns.
"""

import argparse
import contextlib
import itertools
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.connection import Connection, request
from bench.processes import Server, barograph, free_port, running

READINGS = 5_000
T0 = 1_750_000_000_000
ONE = ("temperature",)
THREE = ("x", "y", "z")

Rows = list[tuple[int, tuple[float, ...]]]


def rows(number: int, metrics: int) -> Rows:
    """The readings of body `number`: milliseconds, and a value of each metric."""
    count = -(-READINGS // metrics)
    first = T0 + number * count * 1000
    return [
        (first + i * 1000, tuple((number * 31 + i * 7 + m) % 6000 / 100 for m in range(metrics)))
        for i in range(count)
    ]


def objects(given: Rows, metrics: tuple[str, ...]) -> bytes:
    return json.dumps(
        [{"ts": ms, **dict(zip(metrics, values, strict=True))} for ms, values in given]
    ).encode()


def ndjson(given: Rows, metrics: tuple[str, ...]) -> bytes:
    return b"".join(
        json.dumps({"ts": ms, **dict(zip(metrics, values, strict=True))}).encode() + b"\n"
        for ms, values in given
    )


def columns(given: Rows, metrics: tuple[str, ...]) -> bytes:
    made: dict[str, list[float]] = {"ts": [ms for ms, _ in given]}
    for i, metric in enumerate(metrics):
        made[metric] = [values[i] for _, values in given]
    return json.dumps(made).encode()


def lines(given: Rows, metrics: tuple[str, ...]) -> bytes:
    return "\n".join(
        "readings,device=1 "
        + ",".join(f"{m}={v}" for m, v in zip(metrics, values, strict=True))
        + f" {ms}"
        for ms, values in given
    ).encode()


Form = tuple[str, Callable[[Rows, tuple[str, ...]], bytes], tuple[str, ...], str]
FORMS: list[Form] = [
    ("JSON objects", objects, ONE, "application/json"),
    ("NDJSON", ndjson, ONE, "application/x-ndjson"),
    ("columns, 5,000 x 1 metric", columns, ONE, "application/json"),
    ("columns, 1,667 x 3 metrics", columns, THREE, "application/json"),
]
INFLUX: list[Form] = [
    ("InfluxDB, 5,000 x 1 field", lines, ONE, ""),
    ("InfluxDB, 1,667 x 3 fields", lines, THREE, ""),
]


@contextlib.contextmanager
def influx(directory: Path) -> Iterator[Server]:
    """InfluxDB with its defaults, but for places, reports and the log of requests."""
    port = free_port()
    settings = directory / "influxdb.conf"
    settings.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\n dir = "{directory}/meta"\n'
        f'[data]\n dir = "{directory}/data"\n wal-dir = "{directory}/wal"\n'
        ' wal-fsync-delay = "0s"\n query-log-enabled = false\n'
        "[monitor]\n store-enabled = false\n"
        f'[http]\n bind-address = "127.0.0.1:{port}"\n log-enabled = false\n'
        '[logging]\n level = "error"\n suppress-logo = true\n'
    )
    command = ["influxd", "-config", str(settings)]
    with running(command, lambda: Server(0, port), "/ping") as server:
        with Connection(port) as connection:
            connection.ask(request("POST", "/query?q=CREATE+DATABASE+bench"))
        yield server


def measure(connection: Connection, bodies: list[bytes]) -> float:
    """Bodies per second."""
    began = time.perf_counter()
    for body in bodies:
        connection.ask(body)
    return len(bodies) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bodies", type=int, default=60, help="of each form in a round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as opened:
        ours = opened.enter_context(barograph(Path(scratch) / "data"))
        with Connection(ours.port) as setup:
            device = setup.call("POST", "/api/devices", {"name": "bench"}, ours.token)
        path, token = f"/api/devices/{device['id']}/data", device["token"]
        sides = [(form, opened.enter_context(Connection(ours.port)), path) for form in FORMS]
        if shutil.which("influxd"):
            theirs = opened.enter_context(influx(Path(scratch)))
            where = "/write?db=bench&precision=ms"
            sides += [
                (form, opened.enter_context(Connection(theirs.port)), where) for form in INFLUX
            ]
        else:
            print("skipped: InfluxDB is not installed (Debian's package influxdb)")
        numbers = itertools.count()
        rates: dict[str, list[float]] = {form[0]: [] for form, _, _ in sides}
        for round_ in range(given.rounds + 1):
            for (name, encode, metrics, kind), connection, to in sides:
                bodies = [
                    request(
                        "POST", to, encode(rows(next(numbers), len(metrics)), metrics), token, kind
                    )
                    for _ in range(given.bodies)
                ]
                rate = measure(connection, bodies) * len(rows(0, len(metrics))) * len(metrics)
                if round_:  # the first is for warming up
                    rates[name].append(rate)
    tell(rates)


def tell(rates: dict[str, list[float]]) -> None:
    """Medians, the best round, and how many times each form is as fast as InfluxDB."""
    print(f"{'':28}{'median':>12}{'best':>12}   readings/s, durable, one connection")
    for name, found in rates.items():
        print(f"{name:28}{statistics.median(found):>12,.0f}{max(found):>12,.0f}")
    for reference, _, metrics, _ in INFLUX:
        for name, _, own, _ in FORMS:
            if reference in rates and own == metrics:
                ratio = statistics.median(
                    a / b for a, b in zip(rates[name], rates[reference], strict=True)
                )
                print(f"{name} : {reference} = {ratio:.2f}")


if __name__ == "__main__":
    main()
