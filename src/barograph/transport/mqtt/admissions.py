"""Letting clients in: whether a credential is good when it is given, and as long as it is used."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Protocol

from barograph.domain.errors import BarographError
from barograph.mqtt import Broker, Event, Reason, State
from barograph.mqtt.packets import Connect
from barograph.services.telemetry import Telemetry
from barograph.transport.mqtt.access import Admission, MqttAccess, reason_of
from barograph.transport.mqtt.peer import Peer
from barograph.transport.mqtt.readings import MqttIngest, Publisher

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 30.0
"""How often credentials that may expire are looked at; revoked ones are noticed at once."""


class Host(Protocol):
    """Who has the engine carry on once CONNECT is answered."""

    def now(self) -> float:
        """The engine's clock."""

    def see_to(self, peer: Peer, events: Sequence[Event], size: int) -> None:
        """Take in what the engine tells of a connection."""

    def carry_out(self) -> None:
        """Store and send what the engine asks for."""


class Admissions:
    """The clients that were let in. All on the event loop, but for the checking of passwords."""

    def __init__(
        self,
        access: MqttAccess,
        ingest: MqttIngest,
        broker: Broker,
        telemetry: Telemetry,
        threads: Executor,
        host: Host,
    ) -> None:
        self._access = access
        self._ingest = ingest
        self._broker = broker
        self._telemetry = telemetry
        self._threads = threads
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._admissions: dict[Peer, Admission] = {}
        self._looked_at = 0.0

    def peers(self) -> list[Peer]:
        """Those that were let in and are still there."""
        return list(self._admissions)

    def forget(self, peer: Peer) -> None:
        """The connection is over."""
        self._admissions.pop(peer, None)

    def ask(self, peer: Peer, connect: Connect) -> None:
        """Answer CONNECT: at once where memory knows the credential, else by a thread."""
        try:
            admission = self._access.quick(connect, peer.address, peer.headers)
        except BarographError as error:
            self._refuse(peer, error)
            return
        if admission is not None:
            self._admit(peer, admission)
            return
        peer.hold()
        work = self._threads.submit(self._access.slow, connect, peer.address)
        work.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._checked, peer, done)
        )

    def look(self, now: float, *, changed: bool) -> None:
        """End the connections whose credential, user or device is no more.

        `changed`: there was a change to those; else it is only time that makes credentials invalid.
        """
        if not changed and now - self._looked_at <= _LOOK_SECONDS:
            return
        self._looked_at = now
        for peer, admission in tuple(self._admissions.items()):
            if self._access.principal(admission.name) is None:
                self._broker.end_sessions(admission.name, now)
            elif peer.connection is not None and not admission.holds():
                peer.connection.end(Reason.NOT_AUTHORIZED, "the credential is no longer valid", now)

    def _checked(self, peer: Peer, work: Future[Admission]) -> None:
        connection, host = peer.connection, self._host
        assert connection is not None
        if connection.state is State.ASKING:
            error = work.exception()
            if error is None:
                self._admit(peer, work.result())
            elif isinstance(error, BarographError):
                self._refuse(peer, error)
            else:
                logger.error("an MQTT client could not be let in", exc_info=error)
                host.see_to(peer, connection.refuse(Reason.UNSPECIFIED_ERROR, host.now()), 0)
            host.carry_out()
        peer.let_go()

    def _admit(self, peer: Peer, admission: Admission) -> None:
        assert peer.connection is not None
        peer.publisher = Publisher(admission.name)
        peer.publisher.devices = set()
        self._admissions[peer] = admission
        self._telemetry.mqtt_connects += 1
        kind, _, number = admission.name.partition(":")
        if kind == "device":
            self._ingest.stands_for(peer.publisher, int(number))
        self._host.see_to(peer, peer.connection.accept(admission.name, self._host.now()), 0)

    def _refuse(self, peer: Peer, error: BarographError) -> None:
        assert peer.connection is not None
        logger.debug("MQTT %s is not let in: %s", peer.address, error)
        self._telemetry.mqtt_connects_refused += 1
        events = peer.connection.refuse(reason_of(error), self._host.now(), str(error))
        self._host.see_to(peer, events, 0)
