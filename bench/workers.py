"""Requests per second that carry one reading, from one process and from several, on database servers.

`wrk` sends `{"temperature": 21.5}` over as many connections as are given to `barograph serve
--workers N`, on a database of the measurement's own in PostgreSQL and MariaDB
(BAROGRAPH_TEST_POSTGRES_URL and BAROGRAPH_TEST_MYSQL_URL, else their usual addresses). One and
several processes take turns, all on the same tables. Beside the rate stands what a request costs of
the processor, in the processes, the database's threads that serve them, and the client. From these
follows what the processor allows at most, whatever else the machine does: a process fills one core,
all together fill all cores, so more processes can only pay where one leaves cores free. `--wait` lets
every commit in PostgreSQL wait so many milliseconds, as it does on a slow disk or with a replica.
"""

import argparse
import os
import re
import resource
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from barograph.stores.catalog.address import read_url
from bench.connection import Connection, request
from bench.processes import Server, barograph, cpu_seconds
from bench.single import SCRIPT

_SERVERS = {
    "PostgreSQL": ("BAROGRAPH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1/postgres"),
    "MariaDB": ("BAROGRAPH_TEST_MYSQL_URL", "mysql://root@127.0.0.1/mysql"),
}
_SESSIONS = {
    "PostgreSQL": "SELECT pid, pid FROM pg_stat_activity WHERE datname = current_database()",
    "MariaDB": "SELECT @@pid_file, tid FROM information_schema.processlist WHERE db = DATABASE()",
}
"""The process and the thread of every session of a database, where it runs on this machine."""
_WAITS = (
    (
        "CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER wait_a_little AFTER INSERT ON readings FOR EACH STATEMENT"
        " EXECUTE FUNCTION wait_a_little()"
    ),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    rate: float
    """Requests per second."""
    server: float
    """Microseconds of the processor per request, as the next two."""
    database: float
    client: float
    group: float
    """Readings per commit."""
    commit: float
    """Milliseconds of one."""

    @property
    def cores(self) -> float:
        """How many were busy."""
        return self.rate * self.whole / 1e6

    @property
    def whole(self) -> float:
        """Microseconds of the processor per request."""
        return self.server + self.database + self.client


@contextmanager
def database(name: str) -> Iterator[str | None]:
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
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--servers", nargs="+", choices=_SERVERS, default=list(_SERVERS))
    parser.add_argument("--wait", type=float, default=0.0, help="ms of a commit (PostgreSQL)")
    given = parser.parse_args()
    if not shutil.which("wrk"):
        print("skipped: wrk is not installed (Debian's package wrk)")
        sys.exit()
    print(f"{os.cpu_count()} cores, a load of {os.getloadavg()[0]:.1f} before")
    for name in given.servers:
        with database(name) as url:
            if url is not None:
                measure(name, url, given)


def measure(name: str, url: str, given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        engine = create_engine(read_url(url), isolation_level="AUTOCOMMIT")
        opened.callback(engine.dispose)
        servers: dict[int, Callable[[int], Run]] = {}
        for count in given.workers:
            # All on the same tables, as servers of one installation: only the processes differ.
            environment = {
                "BAROGRAPH_DATABASE_URL": url,
                "BAROGRAPH_READINGS_URL": url,
                "BAROGRAPH_WORKERS": str(count),
                "BAROGRAPH_MQTT": "false",
            }
            directory = Path(scratch) / str(count)
            server = opened.enter_context(barograph(directory, environment=environment))
            servers[count] = prepared(server, directory, engine, name, given.seconds)
        if given.wait and name == "PostgreSQL":
            with engine.connect() as connection:
                for statement in _WAITS:
                    connection.execute(text(statement.format(seconds=given.wait / 1e3)))
        for connections in given.connections:
            runs: dict[int, list[Run]] = {count: [] for count in servers}
            for _ in range(given.rounds):
                for count, run in servers.items():
                    runs[count].append(run(connections))
            tell(name, connections, runs)


def prepared(
    server: Server, directory: Path, engine: Engine, name: str, seconds: int
) -> Callable[[int], Run]:
    """What loads the server over so many connections."""
    with Connection(server.port) as setup:
        device = setup.call("POST", "/api/devices", {"name": "bench"}, server.token)
        path, body = f"/api/devices/{device['id']}/data", b'{"temperature": 1}'
        setup.ask(request("POST", path, body, device["token"], "application/json"))
    script = directory / "post.lua"
    script.write_text(SCRIPT.replace("TOKEN", device["token"]))

    def run(connections: int) -> Run:
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        before = costs(server, engine, name)
        command.append(f"http://127.0.0.1:{server.port}{path}")
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = costs(server, engine, name)
        found = re.search(r"REQUESTS (\d+) SECONDS ([\d.]+) FAILED (\d+)", said)
        if not found or found[3] != "0":
            raise RuntimeError(said)
        requests = int(found[1])
        spent = [1e6 * (b - a) / requests for a, b in zip(before[:3], after[:3], strict=True)]
        commits, committing = (b - a for a, b in zip(before[3:], after[3:], strict=True))
        return Run(
            requests / float(found[2]), *spent, requests / commits, 1e3 * committing / commits
        )

    return run


def costs(server: Server, engine: Engine, name: str) -> tuple[float, float, float, float, float]:
    """Seconds of the processor of server, database and client; commits, and their seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        server.cpu_seconds(),
        of_database(engine, name),
        used.ru_utime + used.ru_stime,
        *commits(server),
    )


def of_database(engine: Engine, name: str) -> float:
    """Of the threads that serve the database's sessions; 0 where they are not to be seen."""
    spent = 0.0
    with engine.connect() as connection:
        for process, thread in connection.execute(text(_SESSIONS[name])):
            with suppress(OSError, ValueError):
                pid = process if isinstance(process, int) else int(Path(process).read_text())
                spent += cpu_seconds(f"/proc/{pid}/task/{thread}")
    return spent


def commits(server: Server) -> tuple[float, float]:
    """How many there were in all processes, and the seconds that they took."""
    with Connection(server.port) as asking:
        said = asking.ask(request("GET", "/metrics", token=server.token)).decode()
    count, seconds = (
        sum(
            map(
                float,
                re.findall(rf"^barograph_commit_seconds_{what}\S* (\S+)$", said, re.MULTILINE),
            )
        )
        for what in ("count", "sum")
    )
    return count, seconds


def tell(name: str, connections: int, runs: dict[int, list[Run]]) -> None:
    least, cores_here = min(runs), os.cpu_count() or 1
    print(f"{name}, {connections} connections")
    print(
        "  workers   requests/s    x   us of CPU per request: processes  database  client"
        "   cores busy   readings a commit, ms   at most here   with cores to spare"
    )
    for count, found in runs.items():
        ratios = [a.rate / b.rate for a, b in zip(found, runs[least], strict=True)]
        rate, server, base, client, group, commit, cores, whole = (
            statistics.median(getattr(run, what) for run in found)
            for what in (
                "rate",
                "server",
                "database",
                "client",
                "group",
                "commit",
                "cores",
                "whole",
            )
        )
        alone = count * 1e6 / server
        print(
            f"  {count:>7}{rate:>13,.0f}  {statistics.median(ratios):4.2f}{server:>37.0f}{base:>10.0f}"
            f"{client:>8.0f}{cores:>13.2f}{group:>20.1f}{commit:>4.1f}"
            f"{min(alone, cores_here * 1e6 / whole):>15,.0f}{alone:>23,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
