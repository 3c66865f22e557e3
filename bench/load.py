"""Locust's load of the device monitoring API: how long each kind of request takes under a mix of them.

Prints a table as Markdown, and fails if any request did.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.processes import barograph

LOCUSTFILE = Path(__file__).parents[1] / "load_tests" / "locustfile.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, default=100, help="each with five devices")
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, barograph(Path(scratch)) as server:
        told = run(f"http://127.0.0.1:{server.port}", given.households, given.seconds)
    print(table(told))
    failed = sum(one["num_failures"] for one in told)
    if failed:
        sys.exit(f"{failed} requests failed")


def run(url: str, households: int, seconds: int) -> list[dict]:
    """What locust counted, one entry for each kind of request."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url),
            *("--headless", "--users", str(households), "--spawn-rate", str(households)),
            *("--run-time", f"{seconds}s", "--stop-timeout", "10", "--json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"locust failed:\n{done.stderr}")


def table(told: list[dict]) -> str:
    """The figures as Markdown, the most frequent requests first."""
    lines = [
        "| request | requests | failed | per second | median | 95 % | 99 % |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in sorted(told, key=lambda entry: -entry["num_requests"]):
        seconds = max(one["last_request_timestamp"] - one["start_time"], 1e-9)
        median, p95, p99 = (quantile(one, share) for share in (0.5, 0.95, 0.99))
        lines.append(
            f"| {one['name']} | {one['num_requests']} | {one['num_failures']} "
            f"| {one['num_requests'] / seconds:.1f} | {median:g} ms | {p95:g} ms | {p99:g} ms |"
        )
    return "\n".join(lines)


def quantile(one: dict, share: float) -> float:
    """The response time (ms, as locust rounds it) that `share` of the requests do not exceed."""
    left = share * one["num_requests"]
    for time, count in sorted((float(time), n) for time, n in one["response_times"].items()):
        left -= count
        if left <= 0:
            return time
    return float("nan")


if __name__ == "__main__":
    main()
