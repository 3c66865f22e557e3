"""MQTT messages per second that are stored and acknowledged, beside Mosquitto and the usual way.

*mosquitto* acknowledges and stores nothing. *usual* is Mosquitto with a subscriber behind it that
stores in batches (`baselines/usual_subscriber.py`); counted is what got into its database. The same
clients publish `{"temperature":21.5}` at QoS 1 with user name and password, 100 messages in flight
on each of 50 connections. The sides take turns, so that what else the machine does falls on all.
Then: QoS 0, what 1,000 connections cost that publish once a second, what 10,000 cost that do not.
"""

import argparse
import contextlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.connection import Connection, request
from bench.mqtt_load import Login, acknowledged, apart, connect, paced, raise_descriptors, thrown
from bench.processes import Server, barograph, free_port, running

PAYLOAD = b'{"temperature":21.5}'
_PATIENCE_SECONDS = 120
_WARM_SECONDS = 0.5
_DEVICES = 100
"""That the connections share which publish once a second."""


def devices(server: Server, count: int) -> list[Login]:
    """New devices, each with a token of its own."""
    made = []
    with Connection(server.port) as setup:
        for i in range(count):
            body = {"name": f"bench {i}", "key": f"bench-{i:05}"}
            device = setup.call("POST", "/api/devices", body, server.token)
            key = device["key"]
            made.append(Login(key, key, device["token"], f"devices/{key}"))
    return made


def stored(server: Server) -> int:
    """How many readings the server has committed."""
    with Connection(server.port) as asking:
        text = asking.ask(request("GET", "/metrics", token=server.token)).decode()
    name = "barograph_readings_committed_total "
    return int(float(next(one for one in text.splitlines() if one.startswith(name))[len(name) :]))


@contextlib.contextmanager
def mosquitto(directory: Path, connections: int) -> Iterator[tuple[int, list[Login]]]:
    """The port of a Mosquitto of our own that asks for a password, and logins for it."""
    directory.mkdir()
    port = free_port()
    words = directory / "passwords"
    words.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", words, "bench", "secret"], check=True)
    config = directory / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {words}\n"
        # Run as root it would become a user who may not read this directory.
        "user root\nmax_queued_messages 0\npersistence false\nlog_dest none\n"
    )
    logins = [
        Login(f"c{i}", "bench", "secret", f"devices/bench-{i:05}") for i in range(connections)
    ]

    def look() -> Server | None:
        try:
            connect(port, logins[0]).close()
        except (OSError, RuntimeError):
            return None
        return Server(0, port)

    with running(["mosquitto", "-c", str(config)], look, None):
        yield port, logins


@contextlib.contextmanager
def subscriber(port: int, file: Path) -> Iterator[None]:
    """The usual subscriber behind a Mosquitto."""
    command = [sys.executable, "-m", "bench.baselines.usual_subscriber"]

    def look() -> Server | None:
        return Server(0, 0) if file.exists() and rows_in(file) is not None else None

    with running([*command, str(port), "bench", "secret", str(file)], look, None):
        yield


def rows_in(file: Path) -> int | None:
    """How many rows the usual subscriber has stored; None before there is a table."""
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return database.execute("SELECT max(id) FROM readings").fetchone()[0] or 0
    except sqlite3.OperationalError:
        return None
    finally:
        database.close()


def acknowledging(here: Path, given: argparse.Namespace) -> None:
    """QoS 1, the three sides in turn."""
    rates: dict[str, list[float]] = {"barograph": [], "mosquitto": [], "usual": []}
    costs: list[float] = []
    load = (PAYLOAD, given.window, given.seconds)
    with barograph(here / "data") as server:
        logins = devices(server, given.connections)
        for number in range(given.rounds):
            apart(acknowledged, server.mqtt_port, logins, PAYLOAD, given.window, _WARM_SECONDS)
            before, cpu = stored(server), server.cpu_seconds()
            sent = apart(acknowledged, server.mqtt_port, logins, *load)
            costs.append((server.cpu_seconds() - cpu) / sent.messages * 1e6)
            if stored(server) - before < sent.messages:
                raise RuntimeError("something was acknowledged and not stored")
            rates["barograph"].append(sent.rate)
            if not shutil.which("mosquitto"):
                continue
            with mosquitto(here / f"broker-{number}", given.connections) as (port, others):
                rates["mosquitto"].append(apart(acknowledged, port, others, *load).rate)
            file = here / f"usual-{number}.db"
            with (
                mosquitto(here / f"usual-{number}", given.connections) as (port, others),
                subscriber(port, file),
            ):
                sent = apart(acknowledged, port, others, *load)
                rates["usual"].append((rows_in(file) or 0) / (time.perf_counter() - sent.began))
    print(f"QoS 1, {given.connections} connections x {given.window} in flight: messages/s")
    for name, found in rates.items():
        shown = f"{statistics.median(found):>12,.0f}" if found else "     skipped: not installed"
        print(f"  {name:12}{shown}   {[round(one) for one in found]}")
    print(f"  barograph: {statistics.median(costs):.2f} us of CPU a message")
    for other in ("mosquitto", "usual"):
        ratios = [a / b for a, b in zip(rates["barograph"], rates[other], strict=False)]
        if ratios:
            print(f"  barograph : {other} = {statistics.median(ratios):.2f}", flush=True)


def throwing(here: Path, given: argparse.Namespace) -> None:
    """QoS 0, until all is stored."""
    with barograph(here / "thrown") as server:
        logins = devices(server, given.connections)
        for kind, payload, topic in (
            ("JSON", PAYLOAD, "{}"),
            ("a number", b"21.5", "{}/temperature"),
        ):
            mine = [replace(one, topic=topic.format(one.topic)) for one in logins]
            apart(thrown, server.mqtt_port, mine, payload, given.messages // 10)
            rates, costs = [], []
            for _ in range(given.rounds):
                before, cpu = stored(server), server.cpu_seconds()
                sent = apart(thrown, server.mqtt_port, mine, payload, given.messages)
                while stored(server) - before < sent.messages:
                    if time.perf_counter() > sent.ended + _PATIENCE_SECONDS:
                        raise RuntimeError("not everything was stored")
                    time.sleep(0.005)
                rates.append(sent.messages / (time.perf_counter() - sent.began))
                costs.append((server.cpu_seconds() - cpu) / sent.messages * 1e6)
            rate, cost = statistics.median(rates), statistics.median(costs)
            print(f"QoS 0, {kind}: {rate:,.0f} stored/s, {cost:.2f} us of CPU each", flush=True)


def pacing(here: Path, given: argparse.Namespace) -> None:
    """Many that publish once a second."""
    with barograph(here / "paced") as server:
        made = devices(server, min(given.paced, _DEVICES))
        logins = [replace(made[i % len(made)], client_id=f"paced-{i}") for i in range(given.paced)]
        apart(paced, server.mqtt_port, logins, PAYLOAD, 2.0, server.pid)
        sent = apart(paced, server.mqtt_port, logins, PAYLOAD, 5 * given.seconds, server.pid)
        share = sent.cpu_seconds / (sent.ended - sent.began)
        rate = f"{sent.rate:,.0f} messages/s"
        print(f"{given.paced} connections, {rate}: {share:.1%} of one core", flush=True)


def idling(here: Path, given: argparse.Namespace) -> None:
    """Many that do nothing."""
    with barograph(here / "idle") as server:
        login = devices(server, 1)[0]
        before = server.resident_mb()
        opened = [
            connect(server.mqtt_port, replace(login, client_id=f"idle-{i}"), 600)
            for i in range(given.idle)
        ]
        time.sleep(1)
        cost = (server.resident_mb() - before) * 1000 / given.idle
        print(f"{given.idle} idle connections: {cost:.1f} KB each", flush=True)
        for one in opened:
            one.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--window", type=int, default=100, help="messages in flight, each")
    parser.add_argument("--messages", type=int, default=1_000_000, help="at QoS 0")
    parser.add_argument("--paced", type=int, default=1000, help="that publish once a second")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--only", choices=["qos1", "qos0", "paced", "idle"])
    given = parser.parse_args()
    raise_descriptors()
    parts = {"qos1": acknowledging, "qos0": throwing, "paced": pacing, "idle": idling}
    with tempfile.TemporaryDirectory() as scratch:
        for name, measure in parts.items():
            if given.only in {None, name}:
                measure(Path(scratch), given)


if __name__ == "__main__":
    main()
