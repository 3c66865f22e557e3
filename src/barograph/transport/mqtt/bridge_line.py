"""The socket to an external broker, and what keeps it from being opened, in words."""

import asyncio
import ssl
from typing import Protocol

from barograph.mqtt import Closed, Reason
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.peer import HeldSocket

CONNECT_SECONDS_MAX = 10.0


class NotNow(Exception):
    """Why there is no connection, in words for the log and `/readyz`."""


class LineHost(Protocol):
    """What a line tells its owner."""

    def received(self, line: "Line", data: bytes) -> None: ...
    def writable(self, *, room: bool) -> None: ...
    def lost(self) -> None: ...


class Line(HeldSocket):
    """The socket."""

    def __init__(self, host: LineHost) -> None:
        super().__init__()
        self._host = host

    def data_received(self, data: bytes) -> None:
        self._host.received(self, data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._host.writable(room=False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._host.writable(room=True)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._host.lost()


async def dial(host: LineHost, broker: BrokerAddress, tls: ssl.SSLContext | None) -> Line:
    """A socket to the broker that is open; raises `NotNow`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, line = await loop.create_connection(
                lambda: Line(host), broker.host, broker.port, ssl=tls
            )
    except TimeoutError:
        raise NotNow(f"no answer within {CONNECT_SECONDS_MAX:.0f} s") from None
    except (OSError, UnicodeError) as error:
        raise NotNow(_words(error, broker)) from None
    return line


def _words(error: Exception, broker: BrokerAddress) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message} (see mqtt_bridge_ca)"
    if isinstance(error, ssl.SSLError):
        return f"no TLS there ({error.reason or error}): is {broker.port} its port for mqtts?"
    if broker.tls and isinstance(error, ConnectionResetError):
        return f"no TLS there (it hangs up): is {broker.port} its port for mqtts?"
    return getattr(error, "strerror", None) or str(error)


def words_of(end: Closed) -> str:
    """How a connection ended."""
    if end.reason is Reason.SESSION_TAKEN_OVER:
        return (
            "another client came with our client identifier: give each Barograph a "
            "mqtt_bridge_client_id of its own"
        )
    if end.reason is Reason.UNSPECIFIED_ERROR:
        return end.message
    return f"{end.message} ({end.reason.name.lower().replace('_', ' ')})"
