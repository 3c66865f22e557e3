"""Servers as processes of their own, and what they cost."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS_MAX = 60


@dataclass
class Server:
    """A server that runs and answers."""

    pid: int
    port: int
    token: str = ""
    mqtt_port: int = 0
    ready_seconds: float = 0.0

    def cpu_seconds(self) -> float:
        """CPU time so far, of all its threads and the processes that it started."""
        return sum(cpu_seconds(f"/proc/{pid}") for pid in (self.pid, *self.workers()))

    def workers(self) -> list[int]:
        """The processes that it started."""
        return [
            int(pid)
            for task in Path(f"/proc/{self.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]

    def resident_mb(self) -> float:
        """What it holds of the machine's memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(place: str) -> float:
    """CPU time so far of what is at a place below `/proc`, a process or a thread."""
    fields = Path(place, "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Below those that systems give connections, so that it is still free when its server starts."""
    for port in random.SystemRandom().sample(range(10_000, 20_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("a hundred ports are taken")


@contextlib.contextmanager
def barograph(directory: Path, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """`barograph serve` on a data directory, as a user starts it; `environment`: its settings."""
    announced = directory / "server.json"
    announced.unlink(missing_ok=True)

    def look() -> Server | None:
        try:
            found = json.loads(announced.read_text())
        except (OSError, ValueError):
            return None
        port = int(found["url"].rpartition(":")[2])
        return Server(found["pid"], port, found["token"], found["mqtt_port"])

    command = [
        sys.executable,
        "-m",
        "barograph",
        "serve",
        "--port",
        "0",
        "--log-level",
        "warning",
    ]
    settings = environment or {"BAROGRAPH_MQTT_PORT": "0"}
    command += ["--data-dir", str(directory)]
    with running(command, look, "/readyz", settings) as server:
        yield server


@contextlib.contextmanager
def asgi(app: str, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """An ASGI application on uvicorn, one process, uvloop and httptools, no access log."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning", "--http", "httptools", "--loop", "uvloop"]
    with running(command, lambda: Server(0, port), "/", environment) as server:
        yield server


@contextlib.contextmanager
def running(command, look, path, environment=None) -> Iterator[Server]:
    """The process of `command`, from the moment that `look` finds it and it answers for `path`."""
    root = Path(__file__).parent.parent
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})}, cwd=root
    )
    try:
        while (server := look()) is None or (path and not answers(server.port, path)):
            if process.poll() is not None or time.perf_counter() - began > _START_SECONDS_MAX:
                raise RuntimeError(f"{' '.join(command)} did not start")
            time.sleep(0.005)
        server.ready_seconds = time.perf_counter() - began
        server.pid = process.pid
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int, path: str) -> bool:
    """Whether a server answers there, with whatever but an error of its own."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            return b" 5" not in connection.recv(1024)[8:10]
    except OSError:
        return False
