"""The bridge: Barograph as a client of an external broker, such as Mosquitto, EMQX or RabbitMQ.

    OFF ──dial──> connecting ──CONNACK──> subscribing ──SUBACK──> connected
     ^                                                               │
     └──────────── pause (doubling, at random) <── any end ──────────┘

Rules:
- The session outlives connections and restarts: the client identifier is kept (`bridge_state.py`),
  clean start is off. What the broker gives us at QoS 1 is acknowledged after its commit; what it
  gives us again is the same reading, with the time of its first arrival (`arrivals.py`).
- Several Barographs on one catalog share the messages (`bridge_subscription.py`).
- 5.0 is spoken where the broker does, else 3.1.1.
- Nothing that arrives ends the bridge: what cannot be read is counted, logged once per device and
  minute, and acknowledged, for the broker would only send it again.
- While more waits to be stored than `peer.UNSTORED_BYTES_MAX`, the socket is not read; the broker
  keeps what it has. On 5.0 it also holds back after `mqtt_bridge_receive_max` messages.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from barograph.domain.command import Command
from barograph.mqtt import Batch, Closed, MqttLimits, Reason
from barograph.mqtt.client import Client
from barograph.mqtt.client_events import ClientEvent, Confirmed, Connected, Subscribed, TooLarge
from barograph.mqtt.packets import V3, V5, Connect
from barograph.mqtt.properties import NONE, Properties
from barograph.services.core import Core
from barograph.transport.mqtt.access import STRANGER_NAME, MqttAccess
from barograph.transport.mqtt.arrivals import Arrivals
from barograph.transport.mqtt.backoff import Backoff
from barograph.transport.mqtt.bridge_commands import BridgeCommands
from barograph.transport.mqtt.bridge_intake import BridgeIntake
from barograph.transport.mqtt.bridge_line import (
    CONNECT_SECONDS_MAX,
    Line,
    NotNow,
    dial,
    words_of,
)
from barograph.transport.mqtt.bridge_options import BridgeOptions
from barograph.transport.mqtt.bridge_state import BridgeState
from barograph.transport.mqtt.bridge_subscription import BridgeSubscription
from barograph.transport.mqtt.bridge_user import BridgeUser
from barograph.transport.mqtt.handover import Handover, Handovers
from barograph.transport.mqtt.readings import MqttIngest, Publisher
from barograph.transport.mqtt.rights import Rights
from barograph.transport.mqtt.topics import Topics
from barograph.transport.mqtt.waiting import Waiting

logger = logging.getLogger(__name__)

_THREADS = 4
_TOPICS_MAX = 20_000
"""Topics whose series are remembered; only a cache. All devices of the broker come through here."""
_KEEP_ALIVE_SECONDS = 30
_TICK_SECONDS = 1.0
_PAUSE_SECONDS_FIRST = 0.5
_PAUSE_SECONDS_MAX = 30.0
_LASTING_SECONDS = 10.0
"""A connection that lasted so long was a success: the pause after it is a short one."""
_GRACE_SECONDS = 10.0
_SAY_SECONDS = 60.0


class MqttBridge:
    """Brings the readings of an external broker in. Everything here runs on the event loop."""

    def __init__(
        self,
        core: Core,
        access: MqttAccess,
        topics: Topics,
        state: BridgeState,
        arrivals: Arrivals,
        options: BridgeOptions,
        *,
        auto_create: bool,
    ) -> None:
        """Raises `ValueError` where the limits contradict the engine's."""
        self._core = core
        self._user = BridgeUser(core, access, options.user)
        self._state = state
        self._arrivals = arrivals
        self._options = options
        rights = Rights(access, topics, auto_create=auto_create)
        self._ingest = MqttIngest(core, access, rights, topics)
        self._intake = BridgeIntake(self._ingest, arrivals)
        self._client = Client(
            MqttLimits(
                packet_bytes_max=core.limits.mqtt_packet_bytes_max,
                first_packet_bytes_max=core.limits.mqtt_first_packet_bytes_max,
                connect_seconds_max=CONNECT_SECONDS_MAX,
                receive_maximum=core.limits.mqtt_bridge_receive_max,
                topic_alias_maximum=0,  # plain packets are read faster than short ones
                permitted_topics_max=_TOPICS_MAX,
            )
        )
        self._subscription = BridgeSubscription(self._client, topics, state, options)
        self._commands = BridgeCommands(core, self._client)
        self._publisher = Publisher(STRANGER_NAME, _TOPICS_MAX)
        self._generation = -1
        self._line: Line | None = None
        self._closed = Closed(Reason.UNSPECIFIED_ERROR, "")
        """How the last connection ended."""
        self._refused = ""
        """Why we left, where it was our decision."""
        self._answered = False
        """Whether the broker said anything on this connection."""
        self._probe = False
        """Whether that is all we want to know."""
        self._version = V5
        """What the broker speaks, as far as we know."""
        self._since = 0.0
        """When we began to get messages on it."""
        self._backoff = Backoff(_PAUSE_SECONDS_FIRST, _PAUSE_SECONDS_MAX)
        self._waiting = Waiting()
        self._said = ""
        self._said_at = -_SAY_SECONDS
        self._said_large_at = -_SAY_SECONDS
        core.telemetry.mqtt_bridge = "not connected yet"

    async def run(self) -> None:
        """Serve until `stop`, then let what came in be stored and acknowledged."""
        with ThreadPoolExecutor(_THREADS, "barograph-bridge") as threads:
            self._loop, self._threads = asyncio.get_running_loop(), threads
            self._handovers = Handovers(self._core, self._ingest, threads, self._settled)
            unwatch = self._core.commands.watch(self._commanded_on_thread)
            while not self._waiting.ended():
                try:
                    trouble = await self._connection()
                except NotNow as error:
                    trouble = str(error)
                except Exception:
                    # Whatever defect this is, the rest of the program must outlive it.
                    logger.exception("the bridge failed")
                    trouble = "the bridge failed; the log has the details"
                if self._waiting.ended():
                    break
                if self._since and time.monotonic() - self._since > _LASTING_SECONDS:
                    self._backoff.reset()
                pause = self._backoff.pause()
                self._complain(trouble, pause)
                await self._waiting.pause(pause)
            unwatch()
            await self._finish()
        self._arrivals.close()
        self._core.telemetry.mqtt_bridge = "stopped"

    def stop(self) -> None:
        """Read no more, finish what came in, then end."""
        self._waiting.end()

    # A connection.

    async def _connection(self) -> str:
        """One connection, from its opening to its end; returns why it ended, raises `NotNow`."""
        self._since = 0.0
        name = await self._user.publisher_name()
        if name != self._publisher.name:
            self._publisher = Publisher(name, _TOPICS_MAX)
        self._generation = self._core.registry.generation
        answered = await self._speak(self._version)
        if self._version == V3:
            if not answered:
                self._version = V5
        elif not self._waiting.ended() and await self._is_older(answered=answered):
            self._version = V3
            await self._speak(V3)
        return words_of(self._closed)

    async def _is_older(self, *, answered: bool) -> bool:
        """Whether the broker does not know 5.0, after a connection in it ended.

        It says so, or just hangs up. But so does one that starts, or whatever stands before it:
        it has to do that again right after it answered in 3.1.1.
        """
        if answered:
            return self._closed.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION
        if not await self._speak(V3, probe=True) or self._waiting.ended():
            return False
        return not await self._speak(V5) and not self._waiting.ended()

    async def _speak(self, version: int, *, probe: bool = False) -> bool:
        """Connect with this version, and go on until the connection ends; `_closed` says how.

        A `probe` ends it once the broker answered. Returns whether it did.
        """
        broker, client = self._options.broker, self._client
        self._answered, self._refused, self._probe = False, "", probe
        self._closed = Closed(Reason.UNSPECIFIED_ERROR, "the broker closed the connection")
        line = await dial(self, broker, self._options.tls)
        expiry = Properties(session_expiry=self._options.session_seconds)
        connect = Connect(
            version,
            self._state.client_id,
            clean_start=False,
            keep_alive=_KEEP_ALIVE_SECONDS,
            username=broker.username,
            password=None if broker.password is None else broker.password.encode(),
            properties=expiry if version == V5 else NONE,
        )
        self._line = line
        client.open(connect, time.monotonic())
        self._flush()
        try:
            while not line.gone and not self._waiting.ended():
                await self._waiting.sleep(_TICK_SECONDS)
                self._tick(line)
            if self._waiting.ended():
                await self._leave(line)
        finally:
            line.abort()
            self._line = None
            self._see_to(line, client.lost(), 0)
        return self._answered

    def _tick(self, line: Line) -> None:
        self._see_to(line, self._client.tick(time.monotonic(), listening=not line.held), 0)
        self._check_user()
        self._flush()
        line.enforce(self._loop.time())

    def _check_user(self) -> None:
        """Leave when the user is gone whose the messages are, before one is refused for it."""
        generation = self._core.registry.generation
        if generation == self._generation:
            return
        self._generation = generation
        if not self._user.may_write(self._publisher.name):
            self._refused = "the user of mqtt_bridge_user is no more, or may not write"
            self._client.disconnect()

    async def _leave(self, line: Line) -> None:
        """Let what came in be stored and acknowledged, then say goodbye. The session stays."""
        line.hold()
        await self._waiting.until(lambda: line.gone or not len(self._handovers), _GRACE_SECONDS)
        self._client.disconnect()
        self._flush()
        await self._waiting.until(lambda: line.gone, _GRACE_SECONDS)

    async def _finish(self) -> None:
        """What is still to be stored is tried for a while more, then left to the broker."""
        await self._waiting.until(lambda: not len(self._handovers), _GRACE_SECONDS)
        self._handovers.give_up()
        await self._waiting.until(lambda: not len(self._handovers), _GRACE_SECONDS)

    # For the line.

    def received(self, line: Line, data: bytes) -> None:
        self._answered = True
        self._check_user()
        self._see_to(line, self._client.feed(data, time.monotonic()), len(data))
        self._flush()

    def writable(self, *, room: bool) -> None:
        if room:
            self._client.resume(time.monotonic())
            self._flush()
        else:
            self._client.pause()

    def lost(self) -> None:
        self._waiting.wake()

    # Events of the engine.

    def _see_to(self, line: Line, events: Sequence[ClientEvent], size: int) -> None:
        for event in events:
            match event:
                case Batch():
                    self._take(line, event, size)
                case Connected() if self._probe:
                    self._client.disconnect()
                case Connected() if not self._client.closed:
                    self._subscribe(event)
                case Subscribed():
                    self._subscribed(event)
                case Confirmed():
                    note = self._commands.confirmed(event)
                    if note is not None:
                        self._threads.submit(note).add_done_callback(_complain)
                case TooLarge():
                    self._too_large(event)
                case Closed():
                    self._closed = event
                    if self._refused:
                        self._closed = Closed(Reason.UNSPECIFIED_ERROR, self._refused)

    def _take(self, line: Line, messages: Batch, size: int) -> None:
        taken = self._intake.take(self._publisher, messages.publishes)
        line.owe(size)
        self._handovers.begin(Handover(self._publisher, taken, line, messages, size))

    def _settled(self, handovers: list[Handover]) -> None:
        """The readings are stored, or cannot be now: acknowledge them, or let them come again."""
        now, client = time.monotonic(), self._client
        for handover in handovers:
            refused = handover.taken.refused.values()
            if handover.peer is not None:
                handover.peer.owe(-handover.size)
            assert handover.messages is not None
            if Reason.UNSPECIFIED_ERROR in refused:
                client.abandon(handover.messages)
            else:
                self._core.telemetry.mqtt_messages_refused += len(refused)
                if handover.peer is self._line:
                    self._arrivals.acknowledged(handover.messages.publishes)
                client.acknowledge(handover.messages, now)
        self._flush()
        self._waiting.wake()

    def _subscribe(self, event: Connected) -> None:
        self._arrivals.resume(present=event.session_present)
        if not self._subscription.ask(event):
            self._ready("the first worker takes the messages, for the broker cannot share them out")

    def _subscribed(self, event: Subscribed) -> None:
        self._refused = self._subscription.refusal(event)
        if self._refused:
            self._client.disconnect()
        else:
            self._ready(", ".join(self._subscription.filters))

    def _ready(self, what: str) -> None:
        """Everything is set up on this connection."""
        self._state.asked_for(self._subscription.filters)
        self._since = time.monotonic()
        self._commands.publish_waiting(self._since)
        telemetry = self._core.telemetry
        telemetry.mqtt_bridge = ""
        telemetry.mqtt_bridge_connections += 1
        self._said = ""
        logger.info(
            "connected to the MQTT broker %s as %s (MQTT %s): %s",
            self._options.broker,
            self._state.client_id,
            "5.0" if self._client.version == V5 else "3.1.1",
            what,
        )

    def _too_large(self, event: TooLarge) -> None:
        self._core.telemetry.mqtt_messages_refused += 1
        now = time.monotonic()
        if now > self._said_large_at + _SAY_SECONDS:
            self._said_large_at = now
            logger.warning(
                "a message to %r is left out: it has %d bytes, and limits.mqtt_packet_bytes_max is %d",
                event.topic[:80],
                event.size,
                self._core.limits.mqtt_packet_bytes_max,
            )

    # Commands.

    def _commanded_on_thread(self, command: Command) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._commanded, command)

    def _commanded(self, command: Command) -> None:
        if self._since and not self._client.closed:
            self._commands.publish(command, time.monotonic())
            self._flush()

    # Within.

    def _flush(self) -> None:
        data = self._client.take(time.monotonic())
        if self._line is not None and (data or self._client.closed):
            self._line.write(data, close=self._client.closed)

    def _complain(self, trouble: str, pause: float) -> None:
        """Say what is wrong: when it is something new, and now and then."""
        self._core.telemetry.mqtt_bridge = trouble
        now = time.monotonic()
        if trouble != self._said or now > self._said_at + _SAY_SECONDS:
            self._said, self._said_at = trouble, now
            logger.warning(
                "the MQTT broker %s: %s; trying again in %.1f s",
                self._options.broker,
                trouble,
                pause,
            )


def _complain(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        logger.error("it could not be noted that the broker has a command: %s", error)
