"""`barograph simulate`: readings of devices that do not exist."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Protocol
from urllib.parse import urlsplit

import typer

from barograph.cli.output import note, say
from barograph.cli.target import Target, connected, local, of_a_server
from barograph.client import Client, Conflict
from barograph.domain.errors import ConfigurationError
from barograph.domain.time import DAY, SECOND
from barograph.services.simulation import SimulatedDevice, Values, fleet, times

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)\Z", re.ASCII)
_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": DAY}
_HISTORY_ROWS = 5_000
_MQTT_PORT = 1883
_HISTORY_ROWS_MAX = 1_000_000


class Sender(Protocol):
    """A way for readings to reach a server."""

    def register(self, device: SimulatedDevice) -> None:
        """Make the device known to the server."""

    def send(self, device: SimulatedDevice, rows: Sequence[tuple[int, Values]]) -> None:
        """Bring the readings of these times there; returns when they are stored."""


class HttpSender:
    """Sends over HTTP."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def register(self, device: SimulatedDevice) -> None:
        """Make the device known, if it is not from an earlier simulation."""
        try:
            self._client.create_device(device.name, key=device.key, attributes={"simulated": True})
        except Conflict:
            self._client.get_device(device.key)  # somebody else's is no place for our readings

    def send(self, device: SimulatedDevice, rows: Sequence[tuple[int, Values]]) -> None:
        """Write the readings."""
        self._client.write(device.key, [{**values, "ts": at} for at, values in rows])


@of_a_server
def simulate(
    target: Target,
    *,
    every: Annotated[
        str, typer.Option(help="Time between two rounds: 500ms, 1s, 5m.", metavar="LENGTH")
    ] = "5m",
    count: Annotated[
        int | None, typer.Option(min=1, help="Rounds, then end. Default: until Ctrl-C.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, max=10_000, help="How many devices.")] = 8,
    seed: Annotated[int, typer.Option(help="Another number, other readings.")] = 1,
    history: Annotated[
        str | None,
        typer.Option(help="First send the readings of this long until now.", metavar="LENGTH"),
    ] = None,
    mqtt: Annotated[
        bool, typer.Option("--mqtt", help="Send over MQTT, to the same server.")
    ] = False,
    mqtt_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Its MQTT port. Default: that of --data-dir, or 1883 of --url."
        ),
    ] = None,
) -> None:
    """Send plausible readings of a house, a weather mast, cars, meters and machines.

    [dim]Example:[/dim] barograph simulate --every 1s --history 7d
    """
    step = _length("--every", every)
    past = 0 if history is None else _length("--history", history)
    if past // step * devices > _HISTORY_ROWS_MAX:
        raise ConfigurationError(
            f"--history {history} every {every} of {devices} devices is more than "
            f"{_HISTORY_ROWS_MAX:,} rows: make one of them less"
        )
    made = fleet(devices, seed)
    with ExitStack() as opened:
        client = opened.enter_context(connected(target))
        sender: Sender = HttpSender(client)
        if mqtt:
            sender = opened.enter_context(_over_mqtt(target, client, mqtt_port))
        for device in made:
            sender.register(device)
        note(f"{len(made)} devices send to {client.url}; Ctrl-C ends it")
        # Rounds are at whole steps since 1970: a simulation that is started again goes on there.
        start = (time.time_ns() // 1000 // step) * step
        if past:
            _tell_history(sender, made, start, step, past)
        sent = 0
        try:
            for at in _paced(start, step, count):
                for device in made:
                    values = device.read(at)
                    sender.send(device, [(at, values)])
                    sent += len(values)
        except KeyboardInterrupt:
            note("")
        say(f"{sent:,} readings are stored")


@contextmanager
def _over_mqtt(target: Target, client: Client, port: int | None) -> Iterator[Sender]:
    from barograph.cli.mqtt_sender import MqttSender  # noqa: PLC0415  # the engine, seldom needed

    host, token = urlsplit(client.url).hostname or "", target.token or ""
    if target.url is None:
        running = local(target)
        if running is None or (running.mqtt_port is None and port is None):
            raise ConfigurationError("--mqtt: no server with MQTT runs here: start barograph serve")
        port, token = port or running.mqtt_port, token or running.token
    sender = MqttSender(host, port or _MQTT_PORT, token, HttpSender(client))
    try:
        yield sender
    finally:
        sender.close()


def _tell_history(
    sender: Sender, devices: Sequence[SimulatedDevice], now: int, step: int, past: int
) -> None:
    stored = 0
    for device in devices:
        rows = [(at, device.read(at)) for at in times(now - past, step, past // step)]
        stored += sum(len(values) for _, values in rows)
        for first in range(0, len(rows), _HISTORY_ROWS):
            sender.send(device, rows[first : first + _HISTORY_ROWS])
    note(f"{stored:,} readings of the past are stored")


def _paced(start: int, step: int, count: int | None) -> Iterator[int]:
    """The times of the rounds, each when it has come."""
    for at in times(start, step, count):
        wait = at / SECOND - time.time()
        if wait > 0:
            time.sleep(wait)  # until the next round, which is what was asked for
        yield at


def _length(option: str, text: str) -> int:
    match = _LENGTH.match(text)
    length = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    if not length:
        raise ConfigurationError(f"{option} {text}: use a number and ms, s, m, h or d, such as 5m")
    return length
