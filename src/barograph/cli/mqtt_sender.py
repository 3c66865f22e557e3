"""Readings over MQTT, for `barograph simulate --mqtt`."""

import socket
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from barograph.domain.errors import ConfigurationError
from barograph.domain.time import format_time
from barograph.mqtt.client import Client
from barograph.mqtt.client_events import ClientEvent, Confirmed, Connected
from barograph.mqtt.connection_events import Closed
from barograph.mqtt.packets import V5, Connect
from barograph.mqtt.reason import FAILURE, Reason
from barograph.services.simulation import SimulatedDevice, Values

_ROWS_MAX = 500
"""Of one message, which so stays far below what a server takes."""
_PATIENCE_SECONDS = 60.0
_READ_BYTES = 1 << 16


class Registering(Protocol):
    """Makes devices known."""

    def register(self, device: SimulatedDevice) -> None:
        """Make the device known to the server."""


class MqttSender:
    """Publishes at QoS 1 to `devices/<device>/data`, and waits for each acknowledgement."""

    def __init__(self, host: str, port: int, token: str, registering: Registering) -> None:
        """Raises `ConfigurationError` where the server cannot be reached or does not let us in."""
        self._address = (host, port)
        self._token = token
        self._registering = registering
        self._client = Client()
        self._socket: socket.socket | None = None
        self._connect()

    def register(self, device: SimulatedDevice) -> None:
        """Make the device known to the server, which is not for MQTT to do."""
        self._registering.register(device)

    def send(self, device: SimulatedDevice, rows: Sequence[tuple[int, Values]]) -> None:
        """Publish the rows; returns when they are stored."""
        for first in range(0, len(rows), _ROWS_MAX):
            body: list[dict[str, Any]] = [
                {**values, "ts": format_time(at)} for at, values in rows[first : first + _ROWS_MAX]
            ]
            topic = f"devices/{device.key}/data"
            number = self._client.publish(topic, msgspec.json.encode(body), _now(), qos=1)
            done = self._until(Confirmed)
            if done.number != number or done.reason >= FAILURE:
                raise ConfigurationError(
                    f"the server refuses a message of {device.key}: {_words(done.reason)}"
                )

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        if self._socket is not None:
            self._flush(self._socket)
            self._socket.close()

    def _connect(self) -> None:
        host, port = self._address
        try:
            self._socket = socket.create_connection(self._address, _PATIENCE_SECONDS)
        except OSError as error:
            raise ConfigurationError(
                f"MQTT is not served at {host}:{port} ({error}); name the port with --mqtt-port"
            ) from None
        credential = self._token or None
        self._client.open(Connect(V5, "", True, 0, username=credential), _now())
        try:
            self._until(Connected)
        except ConfigurationError:
            self._socket.close()
            raise

    def _until(self, wanted: type[Any]) -> Any:
        """The next such event; everything else that happens meanwhile is seen to."""
        while True:
            for event in self._exchange():
                if isinstance(event, wanted):
                    return event
                if isinstance(event, Closed):
                    raise ConfigurationError(
                        f"the MQTT server ended the connection: {event.message}"
                    )

    def _exchange(self) -> list[ClientEvent]:
        link = self._socket
        assert link is not None
        try:
            self._flush(link)
            data = link.recv(_READ_BYTES)
        except TimeoutError:
            raise ConfigurationError("the MQTT server does not answer") from None
        except OSError:
            data = b""
        return self._client.feed(data, _now()) if data else self._client.lost()

    def _flush(self, link: socket.socket) -> None:
        link.sendall(self._client.take(_now()))


def _now() -> float:
    return time.monotonic()


def _words(reason: int) -> str:
    try:
        return Reason(reason).name.replace("_", " ").lower()
    except ValueError:
        return f"reason 0x{reason:02X}"
