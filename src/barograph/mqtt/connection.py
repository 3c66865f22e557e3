"""One client's connection: bytes in, events and bytes out (5.0 and 3.1.1, chapters 3 and 4).

The states, and the packets that a client may send in each (`connection_tables`); any other ends it:

    OPENING ──CONNECT──> ASKING ──accept──> OPEN ──DISCONNECT, error, loss──> CLOSED
                                ──refuse──> CLOSED

Rules:
- The first packet is CONNECT, and it comes once ([MQTT-3.1.0-1], [MQTT-3.1.0-2]). What follows it
  waits until the host has answered it ([MQTT-3.1.4-6]).
- On an error 5.0 gets the reason, in CONNACK before it is connected and in DISCONNECT after
  ([MQTT-3.14.0-1], 4.13); 3.1.1 gets a return code in CONNACK where it has one, else silence.
- Nothing is sent after DISCONNECT or a refusing CONNACK ([MQTT-3.14.4-1], [MQTT-3.2.2-7]), and
  nothing received after is read.
- No packet within 1.5 times the keep-alive ends it ([MQTT-3.1.2-22]; 3.1.1 [MQTT-3.1.2-24]).
"""

from collections.abc import Mapping
from typing import Final

from barograph.mqtt import packets as p
from barograph.mqtt.broker import Broker
from barograph.mqtt.connection_events import Closed, ConnectRequest, Event
from barograph.mqtt.connection_tables import PERMITTED, State
from barograph.mqtt.decode import decode, version_of
from barograph.mqtt.delivery import PublishWriter
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import MisuseError, PeerError, protocol_error
from barograph.mqtt.framing import Framing
from barograph.mqtt.inbound import Inbound
from barograph.mqtt.intake import NO_REFUSALS, SCAN_PACKET_BYTES_MAX, Batch, scan
from barograph.mqtt.message import Message
from barograph.mqtt.opening import (
    check_connect,
    connack_properties,
    granted_keep_alive,
    new_client_id,
)
from barograph.mqtt.properties import NONE, Properties
from barograph.mqtt.reason import ALLOWED, CONNACK_3, DISCONNECT_FROM_CLIENT, FAILURE, Reason
from barograph.mqtt.session import Delivery, Session

KEEP_ALIVE_FACTOR: Final = 1.5  # 3.1.2.10


class Connection:
    """The engine's side of one network connection. `now` is in seconds, on one clock for all."""

    def __init__(self, broker: Broker, now: float) -> None:
        self.state = State.OPENING
        self.connect: p.Connect | None = None
        self.client_id = ""
        self.principal = ""
        self.end_reason: Closed | None = None
        """Why it is over."""
        self._broker = broker
        self._limits = broker.limits
        self._version = p.V3
        self._session: Session | None = None
        self._writer = PublishWriter(p.V3, None, 0)
        self._inbound: Inbound | None = None
        self._input = Framing()
        self._output: list[bytes] = []
        self._paused = False
        self._scans = broker.limits.packet_bytes_max >= SCAN_PACKET_BYTES_MAX
        self._last_seen = now
        self._silence_max: float | None = broker.limits.connect_seconds_max
        broker.add_link(self)
        broker.timers.set(self, now + broker.limits.connect_seconds_max)

    # For the host.

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def writable(self) -> bool:
        return not self._paused and self.state is State.OPEN

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Take in what the socket brought; returns what the host has to see to, in order."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.ASKING:
            return self._keep_waiting(data, now)
        data = self._input.join(data)
        if not data:
            return []
        events: list[Event] = []
        try:
            self._read(data, events, now)
        except PeerError as error:
            self._fail(error, now)
        batch = None if self._inbound is None else self._inbound.close_batch(now)
        if batch is not None:
            events.append(batch)
        if self.end_reason is not None:
            events.append(self.end_reason)
        return events

    def accept(self, principal: str, now: float) -> list[Event]:
        """Let the client in, acting for `principal`; returns events of what it sent meanwhile."""
        connect = self._asked()
        client_id = connect.client_id or new_client_id()
        try:
            session, present = self._broker.open_session(self, connect, client_id, principal, now)
        except PeerError as error:
            return self._refuse(error, now)
        self.client_id, self.principal = client_id, principal
        self._session = session
        self._inbound = Inbound(
            self._broker.routing, session, connect.version, self._put, self._fail
        )
        self.state = State.OPEN
        asked = connect.properties
        aliases = min(asked.topic_alias_maximum or 0, self._limits.topic_alias_maximum)
        self._writer = PublishWriter(connect.version, asked.maximum_packet_size, aliases)
        keep_alive = granted_keep_alive(connect, self._limits)
        self._silence_max = keep_alive * KEEP_ALIVE_FACTOR or None
        self._last_seen = now
        self._broker.timers.cancel(self)
        if self._silence_max is not None:
            self._broker.timers.set(self, now + self._silence_max)
        told = connack_properties(connect, client_id, self._limits)
        self._send(p.Connack(present, Reason.SUCCESS, told))
        session.attach(self, asked.receive_maximum or 65_535)
        self._broker.routing.pump(session, now)
        return self.feed(self._input.take(), now)

    def refuse(self, reason: Reason, now: float, message: str = "") -> list[Event]:
        """Turn the client away."""
        self._asked()
        if reason < FAILURE or reason not in ALLOWED["CONNACK"]:
            raise MisuseError(f"a client cannot be refused with {reason!r}")
        return self._refuse(PeerError(reason, message), now)

    def acknowledge(
        self, batch: Batch, now: float, refused: Mapping[int, Reason] = NO_REFUSALS
    ) -> None:
        """The host has taken the batch: stored it, where that was its to do.

        `refused` names the messages it did not take, by position in `batch.publishes`; these are
        neither routed nor confirmed. 3.1.1 cannot say why: it gets a plain confirmation for
        PAYLOAD_FORMAT_INVALID (sending that again cannot help), and for any other reason the
        connection ends, so that the client sends again. Every batch needs this call, also after
        the connection is closed.
        """
        if self._inbound is None:
            raise MisuseError("this connection was never open")
        self._inbound.acknowledge(batch, refused, now)

    def lost(self, now: float) -> None:
        """The transport is closed. Harmless when the engine knows."""
        self._close(Closed(Reason.UNSPECIFIED_ERROR, "the connection was lost"), now)

    def end(self, reason: Reason, message: str, now: float) -> None:
        """Close from our side: for the host, and for a take-over."""
        if reason not in ALLOWED["DISCONNECT"]:
            raise MisuseError(f"a connection cannot be ended with {reason!r}")
        if self.state is not State.CLOSED:
            self._fail(PeerError(reason, message), now)

    def pause(self) -> None:
        """The transport's buffer is full: produce no messages. QoS 0 is dropped meanwhile."""
        self._paused = True

    def resume(self, now: float) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        if self._session is not None and self.state is State.OPEN:
            self._broker.routing.pump(self._session, now)

    # For the broker: see `session.Link`.

    def send(self, delivery: Delivery, now: float, *, dup: bool) -> bool:
        data = self._writer.packet(
            delivery.message,
            delivery.qos,
            now,
            retain=delivery.retain,
            dup=dup,
            packet_id=delivery.packet_id,
            identifiers=delivery.identifiers,
        )
        if data is None:
            return False
        self._put(data)
        return True

    def send_plain(
        self, message: Message, now: float, *, retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        if not self.writable:
            return False
        data = None if identifiers else self._writer.plain(message, retain=retain)
        if data is None:
            data = self._writer.packet(
                message,
                0,
                now,
                retain=retain,
                dup=False,
                packet_id=0,
                identifiers=identifiers,
            )
        if data is None:
            return False
        self._put(data)
        return True

    def send_release(self, packet_id: int, reason: int = 0) -> None:
        self._send(p.PublishAnswer(p.PUBREL, packet_id, reason))

    def settled_elsewhere(self, now: float) -> None:
        if self._inbound is not None:
            self._inbound.settle(now)

    def forget_rights(self) -> None:
        if self._inbound is not None:
            self._inbound.permitted.clear()

    def due(self, now: float) -> None:
        if self._silence_max is None or self.state is State.CLOSED:
            return
        limit = self._last_seen + self._silence_max
        if now < limit:
            self._broker.timers.set(self, limit)
        elif self.state is State.OPEN:
            self._fail(
                PeerError(Reason.KEEP_ALIVE_TIMEOUT, "no packet within 1.5 keep-alives"), now
            )
        else:
            self._close(Closed(Reason.KEEP_ALIVE_TIMEOUT, "no CONNECT in time"), now)

    def take_output(self, now: float) -> bytes:
        data = b"".join(self._output)
        self._output.clear()
        if self._session is not None and self.state is State.OPEN:
            self._broker.routing.pump(self._session, now)
        return data

    # Reading.

    def _keep_waiting(self, data: bytes, now: float) -> list[Event]:
        self._input.keep(data)
        if len(self._input) <= self._limits.waiting_bytes_max:
            return []
        return self._refuse(
            PeerError(Reason.QUOTA_EXCEEDED, "too much was sent before the answer to CONNECT"), now
        )

    def _read(self, data: bytes, events: list[Event], now: float) -> None:
        """Read whole packets from `data`, and keep what remains."""
        pos = 0
        while self.state in PERMITTED:
            inbound = self._inbound
            if inbound is not None and inbound.permitted and self._scans:
                pos = scan(
                    data,
                    pos,
                    inbound.permitted,
                    inbound.batch,
                    with_properties=self._version == p.V5,
                )
            if pos < len(data) and self.state is State.OPENING and data[pos] != p.CONNECT << 4:
                raise protocol_error("the first packet is not CONNECT")
            body, after = self._input.find(data, pos, self._packet_bytes_max())
            if not body:
                break
            head, pos = data[pos], after
            self._packet(head, data[body:after], events, now)
        if pos:
            self._last_seen = now
        if self.state is not State.CLOSED:
            self._input.keep(data[pos:])

    def _packet_bytes_max(self) -> int:
        if self.state is State.OPENING:
            return self._limits.first_packet_bytes_max
        return self._limits.packet_bytes_max

    def _packet(self, head: int, body: bytes, events: list[Event], now: float) -> None:
        kind = head >> 4
        if kind not in PERMITTED[self.state]:
            raise protocol_error(f"a client cannot send {p.NAMES[kind]} here")
        if kind == p.CONNECT:
            # Known before it is decoded, so that an error in it is answered in its version.
            self._version = p.V5 if (version_of(body) or 0) >= p.V5 else p.V3
        match decode(head, body, self._version):
            case p.Publish() as publish:
                if publish.properties.subscription_identifiers:
                    # [MQTT-3.3.4-6]
                    raise protocol_error("a client cannot send a subscription identifier")
                self._open_inbound().publish(publish)
            case p.PublishAnswer() as answer:
                self._answer(answer, now)
            case p.Subscribe() as subscribe:
                self._subscribe(subscribe, now)
            case p.Unsubscribe() as unsubscribe:
                session = self._open_session()
                reasons = tuple(
                    self._broker.routing.unsubscribe(session, name) for name in unsubscribe.filters
                )
                self._send(p.Unsuback(unsubscribe.packet_id, reasons))
            case p.Pingreq():
                self._send(p.Pingresp())
            case p.Disconnect() as disconnect:
                self._disconnect(disconnect, now)
            case p.Connect() as connect:
                self._connect(connect, events)

    def _connect(self, connect: p.Connect, events: list[Event]) -> None:
        self.connect = connect
        check_connect(connect, self._limits)
        self.state = State.ASKING
        events.append(ConnectRequest(connect))

    def _answer(self, answer: p.PublishAnswer, now: float) -> None:
        session = self._open_session()
        packet_id = answer.packet_id
        if answer.kind == p.PUBCOMP:
            session.completed(packet_id, now)
        elif answer.kind == p.PUBREL:
            known = session.release(packet_id)
            reason = Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND
            self._send(p.PublishAnswer(p.PUBCOMP, packet_id, reason))
        else:
            session.answered(answer.kind, packet_id, answer.reason, now)
        if session.backlog:
            self._broker.routing.pump(session, now)

    def _subscribe(self, subscribe: p.Subscribe, now: float) -> None:
        session = self._open_session()
        identifiers = subscribe.properties.subscription_identifiers
        identifier = identifiers[0] if identifiers else None
        reasons = [
            self._broker.subscribe(session, name, options, identifier, now)
            for name, options in subscribe.filters
        ]
        if self._version != p.V5:
            reasons = [min(reason, FAILURE) for reason in reasons]
        self._send(p.Suback(subscribe.packet_id, tuple(reasons)))
        self._broker.routing.pump(session, now)

    def _disconnect(self, disconnect: p.Disconnect, now: float) -> None:
        session = self._open_session()
        if disconnect.reason not in DISCONNECT_FROM_CLIENT:
            raise protocol_error(f"a client cannot disconnect with 0x{disconnect.reason:02X}")
        expiry = disconnect.properties.session_expiry
        if expiry is not None:
            if expiry and not session.expiry:
                # 3.14.2.2.2
                raise protocol_error("DISCONNECT cannot give an expiry to a session without one")
            session.expiry = min(expiry, self._limits.session_expiry_seconds_max)
        if disconnect.reason == Reason.SUCCESS:
            session.will = None  # [MQTT-3.14.4-3]
        self._close(Closed(Reason(disconnect.reason), "the client disconnected"), now)

    # Opening and closing.

    def _asked(self) -> p.Connect:
        if self.state is not State.ASKING or self.connect is None:
            raise MisuseError("there is no CONNECT to answer")
        return self.connect

    def _open_session(self) -> Session:
        assert self._session is not None
        return self._session

    def _open_inbound(self) -> Inbound:
        assert self._inbound is not None
        return self._inbound

    def _refuse(self, error: PeerError, now: float) -> list[Event]:
        self._fail(error, now)
        return [self.end_reason] if self.end_reason is not None else []

    def _fail(self, error: PeerError, now: float) -> None:
        """The connection ends, and the client is told why as far as its version can."""
        text = Properties(reason_string=error.message) if error.message else NONE
        if self.state is State.OPEN:
            if self._version == p.V5:
                self._tell(p.Disconnect(error.reason, text), p.Disconnect(error.reason))
        elif self._version == p.V5:
            known = error.reason in ALLOWED["CONNACK"]
            code = error.reason if known else Reason.UNSPECIFIED_ERROR
            self._tell(p.Connack(False, code, text), p.Connack(False, code))
        elif error.reason in CONNACK_3:
            self._put(encode(p.Connack(False, CONNACK_3[error.reason]), p.V3))
        self._close(Closed(error.reason, error.message), now)

    def _tell(self, full: p.Packet, bare: p.Packet) -> None:
        """Send `full`, or `bare` where that is too large for the client ([MQTT-3.14.2-3])."""
        for packet in (full, bare):
            data = encode(packet, self._version)
            if self._fits(data):
                self._put(data)
                return

    def _fits(self, data: bytes) -> bool:
        limit = None if self.connect is None else self.connect.properties.maximum_packet_size
        return limit is None or len(data) <= limit

    def _close(self, end: Closed, now: float) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.end_reason = end
        self._input.take()
        if self._inbound is not None:
            self._inbound.close()
        self._broker.mark(self)
        if end.reason is Reason.SERVER_SHUTTING_DOWN:
            self._broker.shut_link(self, self._session)
        else:
            self._broker.link_lost(self, self._session, now)

    def _send(self, packet: p.Packet) -> None:
        data = encode(packet, self._version)
        if self._fits(data):
            self._put(data)

    def _put(self, data: bytes) -> None:
        self._output.append(data)
        self._broker.mark(self)
