"""Whether an external broker would have us: reached, trusted, signed in, and subscribed.

Done as a client of its own, which leaves nothing behind: a session of the bridge's name would end the
one of a bridge that runs.
"""

import asyncio
import secrets
import ssl
import time
from collections.abc import Sequence

from barograph.mqtt import Closed, MqttLimits, Reason
from barograph.mqtt.client import Client
from barograph.mqtt.client_events import ClientEvent, Connected, Subscribed
from barograph.mqtt.packets import V3, V5, Connect, Options
from barograph.mqtt.reason import FAILURE
from barograph.transport.mqtt.bridge_line import CONNECT_SECONDS_MAX, Line, NotNow, dial, words_of
from barograph.transport.mqtt.broker_address import BrokerAddress

_UNWELCOME = frozenset({Reason.BAD_USER_NAME_OR_PASSWORD, Reason.NOT_AUTHORIZED})


class BrokerRefuses(Exception):
    """What the broker does not let us do, and what to do about it (`advice`)."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.advice = advice


async def check_broker(
    broker: BrokerAddress, tls: ssl.SSLContext | None, filters: Sequence[str]
) -> str:
    """The version that the broker speaks with us, once it took our subscriptions.

    Raises `NotNow` where it cannot be reached, `BrokerRefuses` where it does not want us.
    """
    try:
        await _Check(broker, tls, filters, V5).run()
    except _Silent:
        try:
            await _Check(broker, tls, filters, V3).run()
        except _Silent as error:
            raise NotNow(str(error)) from None
        return "3.1.1"
    return "5.0"


class _Silent(Exception):
    """The broker hung up, or does not speak this version."""


class _Check:
    """One connection in one version."""

    def __init__(
        self,
        broker: BrokerAddress,
        tls: ssl.SSLContext | None,
        filters: Sequence[str],
        version: int,
    ) -> None:
        self._broker = broker
        self._tls = tls
        self._filters = filters
        self._version = version
        self._client = Client(MqttLimits(connect_seconds_max=CONNECT_SECONDS_MAX))
        self._line: Line | None = None
        self._subscribed = False
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        line = self._line = await dial(self, self._broker, self._tls)
        broker = self._broker
        connect = Connect(
            self._version,
            f"barograph-check-{secrets.token_hex(4)}",
            clean_start=True,
            keep_alive=0,
            username=broker.username,
            password=None if broker.password is None else broker.password.encode(),
        )
        self._client.open(connect, time.monotonic())
        self._flush()
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await self._done
        except TimeoutError:
            raise NotNow(f"it did not answer within {CONNECT_SECONDS_MAX:.0f} s") from None
        finally:
            self._client.disconnect()
            self._flush()
            line.abort()

    # For the line: see `LineHost`.

    def received(self, line: Line, data: bytes) -> None:
        del line
        for event in self._client.feed(data, time.monotonic()):
            try:
                self._see_to(event)
            except (NotNow, BrokerRefuses, _Silent) as error:
                self._end(error)
        self._flush()

    def writable(self, *, room: bool) -> None:
        """Little is written here."""

    def lost(self) -> None:
        self._end(_Silent("it closes the connection: is this the port of MQTT?"))

    # Within.

    def _see_to(self, event: ClientEvent) -> None:
        match event:
            case Connected():
                # At QoS 0, and without what is retained: nothing shall be sent for this.
                options = Options(qos=0, retain_handling=2 if self._version == V5 else 0)
                self._client.subscribe([(one, options) for one in self._filters])
            case Subscribed(_, reasons):
                self._check(reasons)
                self._end(None)
            case Closed():
                self._refused(event)

    def _check(self, reasons: Sequence[int]) -> None:
        for name, reason in zip(self._filters, reasons, strict=False):
            if reason >= FAILURE:
                raise BrokerRefuses(
                    f"it refuses the subscription to {name} (0x{reason:02X})",
                    f"let the user of mqtt_bridge read {name} there",
                )

    def _refused(self, end: Closed) -> None:
        if end.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
            raise _Silent(words_of(end))
        if end.reason in _UNWELCOME:
            who = self._broker.username
            raise BrokerRefuses(
                "it does not accept "
                + (
                    f"the user {who!r} with the password given"
                    if who
                    else "a client without a user"
                ),
                "set user and password: mqtt_bridge = mqtt://user:password@host",
            )
        raise NotNow(words_of(end))

    def _end(self, error: Exception | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    def _flush(self) -> None:
        data = self._client.take(time.monotonic())
        if data and self._line is not None:
            self._line.write(data, close=False)
