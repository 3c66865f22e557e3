"""How long questions take over HTTP: a summary with its median, the newest value, a whole fleet.

Asked on one kept-open connection of a server whose store holds 3,000 series. With --compare the
same is asked of a second, larger store: what a question about the same hours costs must not depend
on how much else is stored. --directory keeps the stores for the next run.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.connection import Connection, request
from bench.processes import barograph
from bench.stored import END, STEP, build


def times(connection: Connection, path: str, token: str, count: int) -> list[float]:
    """Milliseconds of each of `count` answers, after three for warming up."""
    sent = request("GET", path, token=token)
    taken = []
    for _ in range(count + 3):
        began = time.perf_counter()
        connection.ask(sent)
        taken.append((time.perf_counter() - began) * 1e3)
    return taken[3:]


def ask(directory: Path, period: int, given: argparse.Namespace) -> dict[str, float]:
    """Medians in milliseconds; the period, in microseconds before the last reading."""
    start = f"start_time={(END - period) // 1000}"
    stats = "stats=min,max,count,sum,median"
    one = f"/api/analytics/devices/{given.devices // 2}?metrics=humidity&{stats}"
    fleet = f"/api/analytics/users/1?{stats}"
    found = {}
    with barograph(directory) as server, Connection(server.port) as connection:
        time.sleep(given.settle)
        for what, path, count in (
            (
                "newest values of a device",
                f"/api/devices/{given.devices // 2}/latest",
                given.times * 5,
            ),
            ("summary of one series, the period", f"{one}&{start}", given.times),
            ("summary of one series, all time", one, given.times),
            ("summary of the fleet, the period", f"{fleet}&{start}", max(given.times // 10, 1)),
        ):
            taken = times(connection, path, server.token, count)
            found[what] = statistics.median(taken)
            print(f"  {what:36}{found[what]:>9.2f} ms   at best {min(taken):.2f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--compare", type=int, help="readings of a second, larger store")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--times", type=int, default=100, help="how often a question is asked")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds after the start")
    parser.add_argument("--directory", type=Path, help="keep the stores here")
    given = parser.parse_args()
    period = given.readings // (given.devices * 3) * STEP
    with tempfile.TemporaryDirectory() as scratch:
        found = []
        for readings in filter(None, (given.readings, given.compare)):
            directory = (given.directory or Path(scratch)) / f"{readings}-{given.devices}"
            build(directory, readings, given.devices)
            print(f"{readings:,} readings stored, the last {period / 3.6e9:.2f} hours asked")
            found.append(ask(directory, period, given))
        for what in found[0] if len(found) > 1 else ():
            print(
                f"{what}: {found[1][what] / found[0][what]:.2f} times as long with the larger store"
            )


if __name__ == "__main__":
    main()
