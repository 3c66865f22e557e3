"""One connection of a client to a server: packets in, packets out (chapters 3 and 4).

The states, and the packets that a server may send in each (`client_tables.PERMITTED`); any other ends it:

    OPENING ──CONNACK──> OPEN ──DISCONNECT, error, loss──> CLOSED

Rules: see `client.py`, which has the session and gives it one connection after the other.
"""

from collections.abc import Iterable

from barograph.mqtt import packets as p
from barograph.mqtt.client_events import (
    ClientEvent,
    Confirmations,
    Connected,
    Subscribed,
    TooLarge,
    Unsubscribed,
)
from barograph.mqtt.client_intake import HostHasThem
from barograph.mqtt.client_tables import PERMITTED, REASON_OF_3, ClientState
from barograph.mqtt.connection_events import Closed
from barograph.mqtt.decode import decode
from barograph.mqtt.delivery import PublishWriter
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import MisuseError, PeerError, protocol_error
from barograph.mqtt.framing import Framing
from barograph.mqtt.inbound import Inbound
from barograph.mqtt.intake import PUBACK_WORD, PUBREC_WORD, SCAN_PACKET_BYTES_MAX, Batch, scan
from barograph.mqtt.keep_alive import KeepAlive
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Message
from barograph.mqtt.passing_over import PassedOver, begin_to_pass_over
from barograph.mqtt.properties import NONE, Properties
from barograph.mqtt.reason import Reason
from barograph.mqtt.session import Delivery, Session


class ClientConnection:
    """A `session.Link` that reads and writes the packets of one transport."""

    def __init__(
        self,
        connect: p.Connect,
        session: Session,
        limits: MqttLimits,
        events: list[ClientEvent],
        confirmations: Confirmations,
        granted: Properties,
        now: float,
    ) -> None:
        """Begins with `connect`. What happens is added to `events`.

        `granted` is what the server said it can do when it was last asked.
        """
        self.state = ClientState.OPENING
        self.granted = granted
        """What the server's CONNACK said."""
        self.version = connect.version
        self.inbound: Inbound | None = None
        """Of what comes in; None unless the connection is open."""
        self.end_reason: Closed | None = None
        """Why it is over, until the host was told."""
        self.paused = False
        self._connect = connect
        self._session = session
        self._limits = limits
        self._events = events
        self._confirmations = confirmations
        self._asked: set[int] = set()
        """The identifiers of SUBSCRIBE and UNSUBSCRIBE under way."""
        self._writer = PublishWriter(p.V5, None, 0)
        self._input = Framing()
        self._passed_over: PassedOver | None = None
        self._output: list[bytes] = [encode(connect, connect.version)]
        self._scans = limits.packet_bytes_max >= SCAN_PACKET_BYTES_MAX
        self._give_up = now + limits.connect_seconds_max
        self._alive = KeepAlive(connect.keep_alive, now)

    @property
    def closed(self) -> bool:
        return self.state is ClientState.CLOSED

    @property
    def writable(self) -> bool:
        return not self.paused and self.state is ClientState.OPEN

    def feed(self, data: bytes, now: float) -> tuple[Batch, Inbound] | None:
        """Take in what the socket brought; the messages in it, if any, and who acknowledges them."""
        self._alive.heard = now
        data = self._input.join(self._pass_over(data) if self._passed_over else data)
        if data:
            try:
                self._read(data, now)
            except PeerError as error:
                self._fail(error)
        inbound = self.inbound
        batch = None if inbound is None else inbound.close_batch(now)
        return None if batch is None or inbound is None else (batch, inbound)

    def take_output(self, now: float) -> bytes:
        """The bytes to send."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        self._alive.sent = now
        return data

    def tick(self, now: float, *, listening: bool = True) -> None:
        """Do what is due; see `Client.tick`."""
        if not listening:
            self._alive.not_listening(now)
        due = self.next_deadline()
        if due is None or now < due:
            return
        if self.state is ClientState.OPENING:
            self.close(Closed(Reason.KEEP_ALIVE_TIMEOUT, "no answer to CONNECT in time"))
        elif self._alive.asks(now):
            self._send(p.Pingreq())
        else:
            self.close(Closed(Reason.KEEP_ALIVE_TIMEOUT, "no answer to PINGREQ in time"))

    def next_deadline(self) -> float | None:
        """See `Client.next_deadline`."""
        if self.state is ClientState.OPENING:
            return self._give_up
        return None if self.closed else self._alive.deadline()

    def subscribe(self, filters: Iterable[tuple[str, p.Options]], identifier: int | None) -> int:
        """See `Client.subscribe`."""
        packet_id = self._ask()
        more = NONE
        if identifier is not None and self.version == p.V5:
            more = Properties(subscription_identifiers=(identifier,))
        self._send(p.Subscribe(packet_id, tuple(filters), more))
        return packet_id

    def unsubscribe(self, filters: Iterable[str]) -> int:
        """See `Client.unsubscribe`."""
        packet_id = self._ask()
        self._send(p.Unsubscribe(packet_id, tuple(filters)))
        return packet_id

    def disconnect(self, session_expiry: int | None) -> None:
        """Leave."""
        if self.state is ClientState.OPEN:
            self._send(p.Disconnect(properties=Properties(session_expiry=session_expiry)))
        self.close(Closed(Reason.SUCCESS, "we disconnected"))

    def close(self, end: Closed) -> None:
        """The connection is over; harmless when it is already."""
        if self.closed:
            return
        self.state = ClientState.CLOSED
        self.end_reason = end
        self._input.take()
        self._passed_over = None
        if self.inbound is not None:
            self.inbound.close()
            self.inbound = None
        for packet_id in self._asked:
            self._session.free_id(packet_id)
        self._asked.clear()
        self._session.detach()

    # For the session: see `session.Link`.

    def send(self, delivery: Delivery, now: float, *, dup: bool) -> bool:
        data = self._writer.packet(
            delivery.message,
            delivery.qos,
            now,
            retain=delivery.retain,
            dup=dup,
            packet_id=delivery.packet_id,
            identifiers=(),
        )
        if data is None:
            self._confirmations.outcome = Reason.PACKET_TOO_LARGE
            return False
        self._output.append(data)
        return True

    def send_plain(
        self, message: Message, now: float, *, retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        data = self._writer.packet(
            message, 0, now, retain=retain, dup=False, packet_id=0, identifiers=identifiers
        )
        if data is None:
            return False
        self._output.append(data)
        return True

    def send_release(self, packet_id: int, reason: int = 0) -> None:
        self._send(p.PublishAnswer(p.PUBREL, packet_id, reason))

    def end(self, reason: Reason, message: str, now: float) -> None:
        del now
        self._fail(PeerError(reason, message))

    def settled_elsewhere(self, now: float) -> None:
        if self.inbound is not None:
            self.inbound.settle(now)

    def forget_rights(self) -> None:
        if self.inbound is not None:
            self.inbound.permitted.clear()

    def due(self, now: float) -> None:
        self.tick(now)

    # Reading.

    def _read(self, data: bytes, now: float) -> None:
        """Read whole packets from `data`, and keep what remains."""
        pos = 0
        while self.state in PERMITTED:
            inbound = self.inbound
            if inbound is not None and inbound.permitted and self._scans:
                pos = scan(
                    data,
                    pos,
                    inbound.permitted,
                    inbound.batch,
                    with_properties=self.version == p.V5,
                )
            try:
                body, after = self._input.find(data, pos, self._limits.packet_bytes_max)
            except PeerError as error:
                begun = self._begin_to_pass_over(data, pos, error)
                if not begun:
                    break
                pos = begun
                continue
            if not body:
                break
            head, pos = data[pos], after
            self._packet(head, data[body:after], now)
        if self.state is not ClientState.CLOSED:
            self._input.keep(data[pos:])

    def _packet(self, head: int, body: bytes, now: float) -> None:
        kind = head >> 4
        if kind not in PERMITTED[self.state]:
            raise protocol_error(f"a server cannot send {p.NAMES[kind]} here")
        version = self.version
        if kind == p.CONNACK and len(body) == 2:
            version = p.V3  # how a server says that it does not speak 5.0 at all
        match decode(head, body, version):
            case p.Publish() as publish:
                self._receiving().publish(publish)
            case p.PublishAnswer() as answer:
                self._answered(answer, now)
            case p.Connack() as connack:
                self._admitted(connack, version, now)
            case p.Suback() as suback:
                self._answers(suback.packet_id)
                self._events.append(Subscribed(suback.packet_id, suback.reasons))
            case p.Unsuback() as unsuback:
                self._answers(unsuback.packet_id)
                self._events.append(Unsubscribed(unsuback.packet_id, unsuback.reasons))
            case p.Pingresp():
                self._alive.answered()
            case p.Disconnect() as disconnect:
                if version != p.V5:
                    raise protocol_error("a 3.1.1 server cannot send DISCONNECT")
                said = disconnect.properties.reason_string
                self.close(Closed(Reason(disconnect.reason), said or "the server disconnected"))

    def _admitted(self, connack: p.Connack, version: int, now: float) -> None:
        reason = connack.reason
        if version == p.V3:
            reason = REASON_OF_3.get(reason, reason)
        if reason:
            said = connack.properties.reason_string
            self.close(Closed(Reason(reason), said or "the server refused the connection"))
            return
        if version != self.version:
            raise protocol_error("CONNACK is of another version than CONNECT")
        if connack.session_present and self._connect.clean_start:
            raise protocol_error("the server has a session that we asked it to forget")
        self.state = ClientState.OPEN
        granted = self.granted = connack.properties
        if granted.server_keep_alive is not None:
            self._alive.interval = granted.server_keep_alive
        if not connack.session_present:
            self._session.forget()
        aliases = min(granted.topic_alias_maximum or 0, self._limits.topic_alias_maximum)
        self._writer = PublishWriter(version, granted.maximum_packet_size, aliases)
        self.inbound = Inbound(
            HostHasThem(self._limits), self._session, version, self._output.append, self._failed
        )
        self._events.append(Connected(connack.session_present, granted))
        self._session.attach(self, granted.receive_maximum or 65_535)
        self._session.pump(now)

    def _answered(self, answer: p.PublishAnswer, now: float) -> None:
        """PUBACK, PUBREC, PUBREL or PUBCOMP."""
        session, packet_id = self._session, answer.packet_id
        if answer.kind == p.PUBREL:
            known = session.release(packet_id)
            reason = Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND
            self._send(p.PublishAnswer(p.PUBCOMP, packet_id, reason))
            return
        self._confirmations.outcome = answer.reason
        if answer.kind == p.PUBCOMP:
            self._confirmations.outcome = Reason.SUCCESS  # what PUBREC said counts (table 3-7)
            session.completed(packet_id, now)
        else:
            session.answered(answer.kind, packet_id, answer.reason, now)

    def _answers(self, packet_id: int) -> None:
        if packet_id not in self._asked:
            raise protocol_error("the server answers a request that was not made")
        self._asked.remove(packet_id)
        self._session.free_id(packet_id)

    def _begin_to_pass_over(self, data: bytes, pos: int, error: PeerError) -> int:
        """Pass over a PUBLISH that is too large, or what is there of it.

        Returns where the next packet begins, 0 while the head is not all there.
        """
        publish = data[pos] >> 4 == p.PUBLISH and data[pos] >> 1 & 3 < 3
        if (
            error.reason is not Reason.PACKET_TOO_LARGE
            or self.version == p.V5
            or self.state is not ClientState.OPEN
            or not publish
        ):
            raise error
        self._passed_over = begin_to_pass_over(data, pos)
        if self._passed_over is None:
            return 0
        size = self._passed_over.size
        self._pass_over(data[pos:])
        return min(pos + size, len(data))

    def _pass_over(self, data: bytes) -> bytes:
        """What of `data` lies behind the packet that is being passed over."""
        gone = self._passed_over
        assert gone is not None
        rest = gone.rest_of(data)
        if gone.left:
            return rest
        self._passed_over = None
        batch = self._receiving().batch
        if gone.qos == 1:
            batch.owe(PUBACK_WORD, gone.packet_id, Reason.SUCCESS)
        elif gone.qos == 2:
            batch.mixed = True
            self._session.receipts[gone.packet_id] = True
            batch.owe(PUBREC_WORD, gone.packet_id, Reason.SUCCESS)
        self._events.append(TooLarge(gone.topic, gone.size))
        return rest

    # Within.

    def _receiving(self) -> Inbound:
        assert self.inbound is not None
        return self.inbound

    def _ask(self) -> int:
        if self.state is not ClientState.OPEN:
            raise MisuseError("there is no connection to subscribe on")
        packet_id = self._session.take_id()
        self._asked.add(packet_id)
        return packet_id

    def _send(self, packet: p.Packet) -> None:
        self._output.append(encode(packet, self.version))

    def _fail(self, error: PeerError) -> None:
        """The server broke the protocol: end the connection, and say why where that can be."""
        if self.state is ClientState.OPEN and self.version == p.V5:
            self._send(p.Disconnect(error.reason))
        self.close(Closed(error.reason, error.message))

    def _failed(self, error: PeerError, now: float) -> None:
        """See `Inbound`."""
        del now
        self._fail(error)
