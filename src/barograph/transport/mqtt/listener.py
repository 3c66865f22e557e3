"""The MQTT server on TCP, TLS and WebSocket: sockets, clock and storage for the engine in `barograph.mqtt`.

Everything here runs on the event loop. Readings go through `handover.py` to the writer; a message is
routed and acknowledged after its commit. What the engine wants kept goes through `storage.py`
before the bytes that depend on it are sent.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from barograph.domain.command import Command
from barograph.domain.device import Device
from barograph.domain.errors import ConfigurationError
from barograph.domain.limits import Limits
from barograph.mqtt import (
    Batch,
    Broker,
    Closed,
    Connection,
    ConnectRequest,
    Event,
    MqttLimits,
    Output,
    Snapshot,
)
from barograph.mqtt.journal import SessionEnded, SessionKey
from barograph.mqtt.session import Link
from barograph.services.core import Core
from barograph.transport.http.places import Places
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.admissions import Admissions
from barograph.transport.mqtt.commanding import Commanding
from barograph.transport.mqtt.giving_away import Taking
from barograph.transport.mqtt.handover import Handover, Handovers
from barograph.transport.mqtt.peer import Peer
from barograph.transport.mqtt.readings import MqttIngest, Publisher
from barograph.transport.mqtt.rights import Rights
from barograph.transport.mqtt.storage import MqttStorage
from barograph.transport.mqtt.system_topics import SYS_SECONDS, system_topics
from barograph.transport.mqtt.tls import TlsCertificate
from barograph.transport.mqtt.topics import Topics

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_THREADS = 4
_SWEEP_SECONDS = 0.25
_ENFORCE_SECONDS = 1.0
"""How often sockets are looked at that take nothing; there may be thousands."""
_UNSTORED_CHANGES_MAX = 50_000
_GRACE_SECONDS = 10.0
_TLS_HANDSHAKE_SECONDS = 10.0
_TLS_SHUTDOWN_SECONDS = 2.0
_SAY_SECONDS = 60.0


class MqttListener:
    """Serves MQTT on sockets that are bound already."""

    def __init__(
        self,
        core: Core,
        access: MqttAccess,
        topics: Topics,
        storage: MqttStorage,
        *,
        auto_create: bool,
        certificate: TlsCertificate | None = None,
    ) -> None:
        """Raises `ValueError` where the limits contradict the engine's."""
        rights = Rights(access, topics, auto_create=auto_create)
        self._certificate = certificate
        self._core = core
        self._access = access
        self._storage = storage
        self._ingest = MqttIngest(core, access, rights, topics)
        self._topics = topics
        self._broker = Broker(rights, _limits(core.limits))
        self._commanding = Commanding(core, topics, self._broker)
        self._peers: dict[Link, Peer] = {}
        self._places = Places(core.limits)
        self._waiting: Counter[Link] = Counter()
        """How many outputs of a connection wait for the storage."""
        self._generation = core.registry.generation
        # The engine's clock: it must not jump while the program runs, and go on over a restart.
        self._epoch = core.clock() / 1e6 - time.monotonic()
        self._started = self._told_at = self._enforced_at = self.now()
        self._stopping: asyncio.Event | None = None
        self._held: list[Peer] = []
        self._said_full = -_SAY_SECONDS

    async def run(
        self,
        sockets: Sequence[socket.socket],
        tls_sockets: Sequence[socket.socket] = (),
        taking: socket.socket | None = None,
    ) -> None:
        """Serve until `stop`, then commit and acknowledge what came in, and close.

        `tls_sockets` are served with the certificate, which there must be then; from `taking` come
        the WebSocket connections that other processes give away (`giving_away.py`).
        """
        loop = self._loop = asyncio.get_running_loop()
        stopping = self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        with ThreadPoolExecutor(_THREADS, "barograph-mqtt") as self._threads:
            self._handovers = Handovers(self._core, self._ingest, self._threads, self._settled)
            self._admissions = Admissions(
                self._access,
                self._ingest,
                self._broker,
                self._core.telemetry,
                self._threads,
                self,
            )
            self._storage.start(self._stored_on_thread)
            self._broker.restore(self._restored(), self.now())
            self.carry_out()
            servers = [
                await loop.create_server(lambda: Peer(self), sock=one, backlog=_BACKLOG)
                for one in sockets
            ]
            servers += [
                await loop.create_server(
                    lambda: Peer(self),
                    sock=one,
                    backlog=_BACKLOG,
                    ssl=None if self._certificate is None else self._certificate.context,
                    ssl_handshake_timeout=_TLS_HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
                )
                for one in tls_sockets
            ]
            given = None if taking is None else Taking(taking, self.websocket)
            sweeper = asyncio.create_task(self._sweep())
            unwatch = self._core.commands.watch(self._commanded_on_thread)
            unwatch_keys = self._core.registry.watch_keys(self._given_up_on_thread)
            try:
                await stopping.wait()
            finally:
                unwatch()
                unwatch_keys()
                if given is not None:
                    given.close()
                for server in servers:
                    server.close()
                await self._end()
                sweeper.cancel()

    def websocket(self) -> asyncio.Protocol:
        """The protocol of a connection whose HTTP request asks for MQTT over WebSocket.

        It gets the request as its first bytes.
        """
        from barograph.transport.mqtt.websocket import WebSocketLine  # noqa: PLC0415  # few need it

        return WebSocketLine(lambda: Peer(self), self._core.limits.mqtt_packet_bytes_max)

    def renew_certificate(self) -> None:
        """Read the certificate again; where that fails, the one in use stays."""
        if self._certificate is None:
            return
        try:
            self._certificate.reload()
        except ConfigurationError as error:
            logger.error("the certificate is not renewed: %s", error)  # noqa: TRY400  # it says all
        else:
            logger.info("the certificate was read again, for new connections")

    def stop(self) -> None:
        """Accept and read no more, finish what came in, then end."""
        if self._stopping is not None:
            self._stopping.set()

    # For the peers: see `peer.Host`.

    def opened(self, peer: Peer) -> Connection | None:
        if self._stopping is not None and self._stopping.is_set():
            return None
        if not self._places.take(peer.address):
            self._say_full()
            return None
        connection = Connection(self._broker, self.now())
        self._peers[connection] = peer
        self._core.telemetry.mqtt_connections = len(self._peers)
        return connection

    def received(self, peer: Peer, data: bytes) -> None:
        assert peer.connection is not None
        self.see_to(peer, peer.connection.feed(data, self.now()), len(data))
        self.carry_out()

    def writable(self, peer: Peer, *, room: bool) -> None:
        assert peer.connection is not None
        if room:
            peer.connection.resume(self.now())
            self.carry_out()
        else:
            peer.connection.pause()

    def lost(self, peer: Peer) -> None:
        connection = peer.connection
        assert connection is not None
        self._places.give_back(peer.address)
        self._admissions.forget(peer)
        connection.lost(self.now())
        self.carry_out()
        self._peers.pop(connection, None)
        self._core.telemetry.mqtt_connections = len(self._peers)
        end = connection.end_reason
        for device_id in peer.publisher.devices or ():
            self._core.presence.closed(device_id, "" if end is None else end.message)
        self._progress.set()

    # For the admissions, too: see `admissions.Host`.

    def now(self) -> float:
        return self._epoch + time.monotonic()

    def see_to(self, peer: Peer, events: Sequence[Event], size: int) -> None:
        for event in events:
            match event:
                case Batch():
                    self._take(peer, event, size)
                case ConnectRequest(connect):
                    self._admissions.ask(peer, connect)
                case Closed(reason, message):
                    logger.debug("MQTT %s: %s (0x%02X)", peer.address, message, reason)

    def _take(self, peer: Peer, messages: Batch, size: int) -> None:
        self._core.telemetry.mqtt_received += len(messages.publishes)
        taken = self._ingest.take_safely(peer.publisher, messages.publishes)
        peer.owe(size)
        self._handovers.begin(Handover(peer.publisher, taken, peer, messages, size))

    def _settled(self, handovers: list[Handover]) -> None:
        """The readings are stored, or refused: let the engine route and acknowledge them."""
        now = self.now()
        for handover in handovers:
            self._core.telemetry.mqtt_messages_refused += len(handover.taken.refused)
            peer = handover.peer
            if not isinstance(peer, Peer) or peer.connection is None or handover.messages is None:
                continue
            peer.owe(-handover.size)
            peer.connection.acknowledge(handover.messages, now, handover.taken.refused)
        self.carry_out()
        self._progress.set()

    # Effects of the engine.

    def carry_out(self) -> None:
        """Store and send what the engine asks for.

        Bytes wait for the changes that they belong to, and for bytes before them.
        """
        while (effects := self._broker.take(self.now())) is not None:
            outputs = effects.outputs
            if effects.changes or any(self._waiting[one.connection] for one in outputs):
                self._waiting.update(one.connection for one in outputs)
                self._storage.commit(effects.changes, outputs)
            else:
                self._send(outputs)
            for one in effects.received:
                note = self._commanding.received(one)
                if note is not None:
                    self._threads.submit(note).add_done_callback(_complain)
            for key in effects.listening:
                self._listening(key)
            for name, will in effects.wills:
                publisher = Publisher(name)
                taken = self._ingest.take(publisher, [will])
                self._handovers.begin(Handover(publisher, taken))

    def _listening(self, key: SessionKey) -> None:
        """A client subscribed or came back: give it the commands that wait for it."""
        devices = self._commanding.listening(key, self.now())
        link = self._broker.link(key)
        peer = None if link is None else self._peers.get(link)
        if peer is not None:
            for device_id in devices:
                self._ingest.stands_for(peer.publisher, device_id)

    def _commanded_on_thread(self, command: Command) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._commanded, command)

    def _commanded(self, command: Command) -> None:
        self._commanding.publish(command, self.now())
        self.carry_out()

    def _given_up_on_thread(self, device: Device) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._given_up, device)

    def _given_up(self, device: Device) -> None:
        """A device is removed or has another key: who gets its key next is not to see its messages."""
        refs = [device.key]
        if self._core.registry.device(device.id) is None:
            refs.append(str(device.id))
        for ref in refs:
            for pattern in self._topics.of_device(ref):
                self._broker.forget_retained(pattern, partial(self._is_of, ref), self.now())
        self.carry_out()

    def _is_of(self, ref: str, topic: str) -> bool:
        """Whether a topic below that of a former device was its, not of one with a longer key."""
        place = self._topics.find(topic)
        return place is None or place.device is None or not place.key.startswith(f"{ref}/")

    def _stored_on_thread(self, groups: list[list[Output]]) -> None:
        self._loop.call_soon_threadsafe(self._stored, groups)

    def _stored(self, groups: list[list[Output]]) -> None:
        for outputs in groups:
            for one in outputs:
                self._waiting[one.connection] -= 1
                if not self._waiting[one.connection]:
                    del self._waiting[one.connection]
            self._send(outputs)
        self._progress.set()

    def _send(self, outputs: Sequence[Output]) -> None:
        for connection, data, close in outputs:
            peer = self._peers.get(connection)
            if peer is not None:
                peer.write(data, close=close)

    # Time.

    async def _sweep(self) -> None:
        """See to what is due, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self.now()
            due = self._broker.next_deadline()
            if due is not None and due <= now:
                self._broker.tick(now)
            changed = self._generation != self._core.registry.generation
            if changed:
                self._generation = self._core.registry.generation
                self._broker.rights_changed()
            self._admissions.look(now, changed=changed)
            self.carry_out()
            if now - self._enforced_at > _ENFORCE_SECONDS:
                self._enforced_at = now
                for peer in tuple(self._peers.values()):
                    peer.enforce(self._loop.time())
            self._hold_while_full()
            if now - self._told_at > SYS_SECONDS:
                self._told_at = now
                self._tell_of_itself(now)

    def _tell_of_itself(self, now: float) -> None:
        """Publish `$SYS`, to whom it concerns, and set the gauges of `/metrics`."""
        telemetry, counts = self._core.telemetry, self._broker.counts()
        telemetry.mqtt_sessions, telemetry.mqtt_subscriptions, telemetry.mqtt_retained = counts
        telemetry.mqtt_queued_changes = self._storage.backlog
        telemetry.mqtt_sent = self._broker.routing.delivered
        telemetry.mqtt_dropped = self._broker.routing.counters["messages_dropped"]
        for topic, value in system_topics(telemetry, now - self._started).items():
            self._broker.publish(topic, str(value).encode(), now)
        self.carry_out()

    def _hold_while_full(self) -> None:
        """Read nothing while more waits for the storage than it may."""
        full = self._storage.backlog > _UNSTORED_CHANGES_MAX
        if full and not self._held:
            self._held = self._admissions.peers()
            for peer in self._held:
                peer.hold()
        elif self._held and not full:
            for peer in self._held:
                peer.let_go()
            self._held = []

    def _say_full(self) -> None:
        now = self._loop.time()
        if now > self._said_full + _SAY_SECONDS:
            self._said_full = now
            logger.warning("MQTT connections are turned away: there are too many")

    # Beginning and end.

    def _restored(self) -> Snapshot:
        """What was stored, without the sessions of users and devices that are no more."""
        snapshot = self._storage.load()
        gone = [key for key in snapshot.sessions if self._access.principal(key[0]) is None]
        for key in gone:
            del snapshot.sessions[key]
        self._storage.commit([SessionEnded(key) for key in gone], [])
        return snapshot

    async def _end(self) -> None:
        """Let what came in be stored and acknowledged, then close the connections."""
        for peer in tuple(self._peers.values()):
            peer.hold()
        deadline = self._loop.time() + _GRACE_SECONDS
        await self._until(lambda: not len(self._handovers), deadline)
        self._handovers.give_up()
        self._broker.shut_down(self.now())
        self.carry_out()
        await self._until(lambda: not self._peers and not self._waiting, deadline)
        for peer in tuple(self._peers.values()):
            peer.abort()
        await asyncio.to_thread(self._storage.stop)

    async def _until(self, done: Callable[[], bool], deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not done():
                    self._progress.clear()
                    await self._progress.wait()


def _complain(work: Future[None]) -> None:
    error = work.exception()
    if error is not None:
        logger.warning("that a command was delivered could not be noted: %s", error)


def _limits(limits: Limits) -> MqttLimits:
    return MqttLimits(
        packet_bytes_max=limits.mqtt_packet_bytes_max,
        first_packet_bytes_max=limits.mqtt_first_packet_bytes_max,
        receive_maximum=limits.mqtt_receive_max,
    )
