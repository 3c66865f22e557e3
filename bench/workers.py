"""Requests per second that carry one reading, from one process and from several, on database servers.

`wrk` sends `{"temperature": 21.5}` over 64 connections to `barograph serve --workers N`, on a database
of the measurement's own in PostgreSQL and MariaDB (BAROGRAPH_TEST_POSTGRES_URL and
BAROGRAPH_TEST_MYSQL_URL, else their usual addresses). One and two processes take turns. The client
and the database use the same cores, so with two cores two processes have little to gain.
"""

import argparse
import os
import secrets
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from barograph.stores.catalog.address import read_url
from bench.connection import Connection, request
from bench.processes import barograph
from bench.single import SCRIPT, load

_SERVERS = {
    "PostgreSQL": ("BAROGRAPH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1/postgres"),
    "MariaDB": ("BAROGRAPH_TEST_MYSQL_URL", "mysql://root@127.0.0.1/mysql"),
}


@contextmanager
def database(name: str):
    """The URL of an empty database, gone afterwards; None where there is no server."""
    variable, usual = _SERVERS[name]
    server = read_url(os.environ.get(variable, usual))
    admin = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    made = f"barograph_bench_{secrets.token_hex(4)}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made}"))
    except OperationalError as error:
        print(f"skipped: no {name} ({error.orig})")
        yield None
        return
    try:
        yield server.set(database=made).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {made}"))
        admin.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    if not shutil.which("wrk"):
        print("skipped: wrk is not installed (Debian's package wrk)")
        sys.exit()
    print(f"{os.cpu_count()} cores, {given.connections} connections")
    for name in _SERVERS:
        with database(name) as url:
            if url is not None:
                measure(name, url, given)


def measure(name: str, url: str, given: argparse.Namespace) -> None:
    runs: dict[int, list[float]] = {count: [] for count in given.workers}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        servers = {}
        for count in given.workers:
            # All on the same tables, as servers of one installation: only the processes differ.
            environment = {
                "BAROGRAPH_DATABASE_URL": url,
                "BAROGRAPH_READINGS_URL": url,
                "BAROGRAPH_WORKERS": str(count),
                "BAROGRAPH_MQTT": "false",
            }
            server = opened.enter_context(
                barograph(Path(scratch) / str(count), environment=environment)
            )
            with Connection(server.port) as setup:
                device = setup.call("POST", "/api/devices", {"name": "bench"}, server.token)
                path, body = f"/api/devices/{device['id']}/data", b'{"temperature": 1}'
                setup.ask(request("POST", path, body, device["token"], "application/json"))
            script = Path(scratch) / f"{count}.lua"
            script.write_text(SCRIPT.replace("TOKEN", device["token"]))
            servers[count] = server, script, device["id"]
        for _ in range(given.rounds):
            for count, (server, script, device_id) in servers.items():
                rate, _, _ = load(server, script, given.connections, given.seconds, device_id)
                runs[count].append(rate)
    print(name)
    least = min(given.workers)
    for count, found in runs.items():
        ratios = [a / b for a, b in zip(found, runs[least], strict=True)]
        print(
            f"  --workers {count}  {statistics.median(found):>10,.0f} requests/s"
            f"  {statistics.median(ratios):.2f} x --workers {least}",
            flush=True,
        )


if __name__ == "__main__":
    main()
