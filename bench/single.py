"""Requests per second that carry one reading, beside the usual service and a bare ASGI application.

`wrk` sends `{"temperature": 21.5}` over 64 and 256 connections. *usual* is
`baselines/usual_service.py` (FastAPI, pydantic, SQLAlchemy, SQLite), *bare* is
`baselines/bare_asgi.py`, which parses and answers and stores nothing, on the same uvicorn.
The three take turns, so that what else the machine does falls on all.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.connection import Connection, request
from bench.processes import Server, asgi, barograph

SCRIPT = """
wrk.method = "POST"
wrk.body = '{"temperature": 21.5}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer TOKEN"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("REQUESTS %d SECONDS %f FAILED %d P99 %f\\n", summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(99) / 1e3))
end
"""


def load(
    server: Server, script: Path, connections: int, seconds: float, device_id: int = 1
) -> tuple[float, ...]:
    """Requests per second, CPU microseconds per request, milliseconds within which 99 % are."""
    before = server.cpu_seconds()
    url = f"http://127.0.0.1:{server.port}/api/devices/{device_id}/data"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REQUESTS (\d+) SECONDS ([\d.]+) FAILED (\d+) P99 ([\d.]+)", said)
    if not found or found[3] != "0":
        raise RuntimeError(said)
    count = int(found[1])
    cpu = (server.cpu_seconds() - before) / count * 1e6
    return count / float(found[2]), cpu, float(found[4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    given = parser.parse_args()
    if not shutil.which("wrk"):
        print("skipped: wrk is not installed (Debian's package wrk)")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        here = Path(scratch)
        ours = opened.enter_context(barograph(here / "data"))
        with Connection(ours.port) as setup:
            device = setup.call("POST", "/api/devices", {"name": "bench"}, ours.token)
            path, body = f"/api/devices/{device['id']}/data", b'{"temperature": 1}'
            setup.ask(request("POST", path, body, device["token"], "application/json"))
        usual = {"USUAL_SERVICE_FILE": str(here / "usual.db")}
        servers = {
            "barograph": (ours, device["token"]),
            "bare": (opened.enter_context(asgi("bench.baselines.bare_asgi:app")), "benchmark"),
            "usual": (
                opened.enter_context(asgi("bench.baselines.usual_service:app", usual)),
                "benchmark",
            ),
        }
        for connections in given.connections:
            runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in servers}
            for _ in range(given.rounds):
                for name, (server, token) in servers.items():
                    script = here / f"{name}.lua"
                    script.write_text(SCRIPT.replace("TOKEN", token))
                    runs[name].append(load(server, script, connections, given.seconds))
            tell(connections, runs)


def tell(connections: int, runs: dict[str, list[tuple[float, ...]]]) -> None:
    """Medians, and the median of the rounds' ratios."""
    print(f"{connections} connections    requests/s   CPU us/request   99 % within ms")
    for name, found in runs.items():
        rate, cpu, p99 = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"  {name:16}{rate:>12,.0f}{cpu:>17.1f}{p99:>17.1f}")
    for other in ("usual", "bare"):
        ratios = [a[0] / b[0] for a, b in zip(runs["barograph"], runs[other], strict=True)]
        costs = [b[1] / a[1] for a, b in zip(runs["barograph"], runs[other], strict=True)]
        print(
            f"  barograph : {other} = {statistics.median(ratios):.2f} in requests/s, "
            f"{statistics.median(costs):.2f} in requests per CPU second",
            flush=True,
        )


if __name__ == "__main__":
    main()
