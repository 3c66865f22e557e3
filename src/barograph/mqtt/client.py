"""The client's side of MQTT, 3.1.1 and 5.0, without I/O (chapters 3 and 4).

    client = Client(limits)                 # one for a session, which outlives its connections

    client.open(connect, now)               # the transport is there
    write(client.take(now))                 # after every call that may have produced bytes
    for event in client.feed(data, now):    # a socket read
        match event:
            case Connected(): client.subscribe([("devices/#", Options(1))], now)
            case Subscribed(_, reasons): ...
            case Batch(): store(event.publishes, then=lambda: client.acknowledge(event, now))
            case Confirmed(number, reason): ...     # a message of ours at QoS 1 or 2
            case TooLarge(topic, size): ...
            case Closed(reason, message): ...       # close the transport; open again when you like
    client.tick(now)                        # at `next_deadline`; gives events as well

The states, and the packets that a server may send in each (`_PERMITTED`); any other ends it:

    CLOSED ──open──> OPENING ──CONNACK──> OPEN ──DISCONNECT, error, loss──> CLOSED

Rules:
- Nothing is acknowledged before the host says so: PUBACK and PUBREC leave in `acknowledge`, in the
  order in which the messages came ([MQTT-4.6.0-2], [MQTT-4.6.0-3]). A batch may be acknowledged
  after its connection is gone; the server then sends it again.
- A QoS 2 message that comes again before it was released is answered and goes nowhere
  ([MQTT-4.3.3-10]).
- What was not confirmed is sent again on the next connection if the server still has the session
  ([MQTT-4.4.0-1]), and as a new message if it has not ([MQTT-3.2.2-5]); a QoS 2 message that the
  server had already received then counts as confirmed.
- No more unconfirmed messages than the server's Receive Maximum ([MQTT-3.3.4-9]), no packet above
  its Maximum Packet Size ([MQTT-3.2.2-15]), no alias above its maximum ([MQTT-3.2.2-17]), no
  QoS above its maximum ([MQTT-3.2.2-11]).
- A packet at least every keep-alive ([MQTT-3.1.2-20]); a server that leaves a PINGREQ unanswered
  for as long is gone (3.1.2.10).
- A 5.0 server is told our limits. It is kept to the size of packets, but not to our Receive
  Maximum, which servers exceed when they take a session up (Mosquitto 2.0): a host that is slow
  stops reading. 3.1.1 knows no limits: a PUBLISH above `packet_bytes_max` is passed over without
  keeping it and acknowledged, for the server would only send it again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, TypeAlias

from barograph.mqtt import packets as p
from barograph.mqtt.connection import Closed
from barograph.mqtt.decode import decode
from barograph.mqtt.delivery import PublishWriter
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import MisuseError, PeerError, malformed, protocol_error
from barograph.mqtt.framing import Framing
from barograph.mqtt.inbound import Inbound, is_receipt
from barograph.mqtt.intake import (
    NO_REFUSALS,
    PUBACK_WORD,
    PUBREC_WORD,
    SCAN_PACKET_BYTES_MAX,
    Batch,
    scan,
)
from barograph.mqtt.journal import Change, DeliveryDone, DeliveryQueued
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import RETAIN, Message, Published
from barograph.mqtt.properties import NONE, Properties
from barograph.mqtt.reason import CONNACK_3, Reason
from barograph.mqtt.session import Delivery, Session
from barograph.mqtt.wire import Reader, text_of

_PING_AFTER: Final = 0.75
"""Of the keep-alive, so that the packet is in time however late the host's `tick` is."""

_FIELD_BYTES_MAX: Final = 65_535

_REASON_OF_3: Final = {
    0x01: Reason.UNSUPPORTED_PROTOCOL_VERSION,
    0x02: Reason.CLIENT_IDENTIFIER_NOT_VALID,
    0x03: Reason.SERVER_UNAVAILABLE,
    0x04: Reason.BAD_USER_NAME_OR_PASSWORD,
    0x05: Reason.NOT_AUTHORIZED,
}
"""3.1.1, table 3.1."""
assert set(_REASON_OF_3.values()) <= set(CONNACK_3)


class ClientState(Enum):
    """Where the connection stands."""

    CLOSED = auto()
    OPENING = auto()
    """CONNECT is sent, CONNACK has not come."""
    OPEN = auto()


_PERMITTED: Final = {
    ClientState.OPENING: frozenset({p.CONNACK, p.DISCONNECT}),
    ClientState.OPEN: frozenset(
        {
            p.PUBLISH,
            p.PUBACK,
            p.PUBREC,
            p.PUBREL,
            p.PUBCOMP,
            p.SUBACK,
            p.UNSUBACK,
            p.PINGRESP,
            p.DISCONNECT,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Connected:
    """The server let us in. `session_present`: it remembers subscriptions and messages."""

    session_present: bool
    properties: Properties
    """What the server can do; `NONE` in 3.1.1."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK: for each filter the granted QoS, or a reason from 0x80 on."""

    packet_id: int
    reasons: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """UNSUBACK; in 3.1.1 without reasons."""

    packet_id: int
    reasons: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A message of ours is done with: `number` is what `publish` gave.

    A reason from 0x80 on says that the server did not take it.
    """

    number: int
    reason: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A message of a 3.1.1 server was passed over."""

    topic: str
    size: int
    """Bytes of its packet."""


ClientEvent: TypeAlias = (
    Connected | Subscribed | Unsubscribed | Confirmed | TooLarge | Batch | Closed
)


@dataclass(slots=True)
class _PassedOver:
    """A PUBLISH that is being passed over."""

    topic: str
    qos: int
    packet_id: int
    size: int
    left: int


class _AnyTopic:
    """An `Authorizer`: what the server sends is what we asked for."""

    def may_publish(self, principal: str, topic: str) -> bool:
        del principal, topic
        return True

    may_subscribe = may_receive = may_publish


class Client:
    """A session with a server and, one at a time, its connections.

    `now` is in seconds, on one clock for all calls. The host's threads must not meet in it.
    """

    def __init__(self, limits: MqttLimits | None = None) -> None:
        """`inflight_max` and `queued_…_max` of the limits are about messages of ours.

        `receive_maximum` is about the server's; topics may be as long as a packet allows.
        """
        limits = limits or MqttLimits()
        self.limits = replace(
            limits,
            topic_bytes_max=min(_FIELD_BYTES_MAX, limits.packet_bytes_max),
            topic_levels_max=_FIELD_BYTES_MAX + 1,
            receive_maximum=_FIELD_BYTES_MAX,
        )
        self._receive_maximum = limits.receive_maximum
        self.state = ClientState.CLOSED
        self.version = p.V5
        self.granted = NONE
        """What the server's CONNACK said."""
        self.authorizer = _AnyTopic()
        self.counters: Counter[str] = Counter()
        self._session = Session(("", ""), 0, self.limits, self._record)
        self._session.stored = True  # so that it names what becomes of each message
        self._connect: p.Connect | None = None
        self._inbound: Inbound | None = None
        self._batches: dict[Batch, Inbound] = {}
        """Those that wait for the host, of former connections as well."""
        self._asked: set[int] = set()
        """The identifiers of SUBSCRIBE and UNSUBSCRIBE under way."""
        self._writer = PublishWriter(p.V5, None, 0)
        self._input = Framing()
        self._passed_over: _PassedOver | None = None
        self._output: list[bytes] = []
        self._events: list[ClientEvent] = []
        self._end: Closed | None = None
        self._paused = False
        self._scans = self.limits.packet_bytes_max >= SCAN_PACKET_BYTES_MAX
        self._number = 0
        self._outcome: int = Reason.SUCCESS
        self._keep_alive = 0
        self._opened = self._sent = self._heard = 0.0
        self._pinged: float | None = None

    # For the host.

    @property
    def closed(self) -> bool:
        return self.state is ClientState.CLOSED

    @property
    def writable(self) -> bool:
        return not self._paused and self.state is ClientState.OPEN

    @property
    def unconfirmed(self) -> int:
        """Messages of ours at QoS 1 and 2 that are not done with."""
        return self._session.waiting

    def open(self, connect: p.Connect, now: float) -> None:
        """A transport is there: begin a connection with `connect`, whose version is spoken on it.

        On 5.0 our limits are added to it. With `clean_start` both sides forget the session.
        """
        if self.state is not ClientState.CLOSED:
            raise MisuseError("there is a connection already")
        if connect.version == p.V5:
            ours = replace(
                connect.properties,
                receive_maximum=self._receive_maximum,
                maximum_packet_size=self.limits.packet_bytes_max,
                topic_alias_maximum=self.limits.topic_alias_maximum or None,
            )
            connect = replace(connect, properties=ours)
        self._connect, self.version = connect, connect.version
        self.state = ClientState.OPENING
        self._output.clear()
        self._end = None
        self._paused = False
        self._pinged = None
        self._keep_alive = connect.keep_alive
        self._opened = self._sent = self._heard = now
        if connect.clean_start:
            self._session.forget()
        self._output.append(encode(connect, connect.version))

    def feed(self, data: bytes, now: float) -> list[ClientEvent]:
        """Take in what the socket brought; returns what the host has to see to, in order."""
        if self.state is not ClientState.CLOSED:
            self._heard = now
            data = self._input.join(self._pass_over(data) if self._passed_over else data)
            if data:
                try:
                    self._read(data, now)
                except PeerError as error:
                    self._fail(error, now)
            inbound = self._inbound
            batch = None if inbound is None else inbound.close_batch(now)
            if batch is not None and inbound is not None:
                self._batches[batch] = inbound
                self._events.append(batch)
        return self._happened()

    def take(self, now: float) -> bytes:
        """The bytes to send. When `closed` is true after it, close the transport then."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        self._sent = now
        return data

    def tick(self, now: float, *, listening: bool = True) -> list[ClientEvent]:
        """Do what is due: keep-alive, and giving up a server that is silent.

        Without `listening`, which is while the host does not read the socket, silence says nothing.
        """
        if not listening:
            self._heard, self._pinged = now, None
        if self.state is ClientState.OPENING:
            if now >= self._opened + self.limits.connect_seconds_max:
                self._close(Closed(Reason.KEEP_ALIVE_TIMEOUT, "no answer to CONNECT in time"))
        elif self.state is ClientState.OPEN and self._keep_alive and now >= self._due():
            if self._pinged is None:
                self._pinged = now
                self._send(p.Pingreq())
            else:
                end = Closed(Reason.KEEP_ALIVE_TIMEOUT, "no answer to PINGREQ in time")
                self._close(end)
        return self._happened()

    def next_deadline(self) -> float | None:
        """When `tick` may have something to do; None while nothing can become due."""
        if self.state is ClientState.OPENING:
            return self._opened + self.limits.connect_seconds_max
        if self.state is ClientState.CLOSED or not self._keep_alive:
            return None
        return self._due()

    def subscribe(
        self, filters: Iterable[tuple[str, p.Options]], identifier: int | None = None
    ) -> int:
        """Ask for messages; returns the packet identifier that `Subscribed` will name."""
        packet_id = self._ask()
        more = NONE
        if identifier is not None and self.version == p.V5:
            more = Properties(subscription_identifiers=(identifier,))
        self._send(p.Subscribe(packet_id, tuple(filters), more))
        return packet_id

    def unsubscribe(self, filters: Iterable[str]) -> int:
        """Ask for no more of them; returns the packet identifier that `Unsubscribed` will name."""
        packet_id = self._ask()
        self._send(p.Unsubscribe(packet_id, tuple(filters)))
        return packet_id

    def publish(
        self,
        topic: str,
        payload: bytes,
        now: float,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Properties = NONE,
    ) -> int | None:
        """Send a message; returns the number by which `Confirmed` will name it, 0 at QoS 0.

        QoS 1 and 2 wait while there is no connection or the server's quota is used up; QoS 0 goes
        now or never. None when it was not taken: the queue is full, or QoS 0 cannot be sent now.
        """
        flags = qos << 1 | (RETAIN if retain else 0)
        known = None if properties is NONE else properties
        message = Message.of((topic.encode(), payload, flags, 0, known), now)
        most = self.granted.maximum_qos
        qos = qos if most is None else min(qos, most)
        if not qos:
            sent = self.writable and self._session.offer(
                message, 0, now, retain=retain, identifiers=()
            )
            return 0 if sent else None
        taken = self._session.offer(message, qos, now, retain=retain, identifiers=())
        return self._number if taken else None

    def acknowledge(
        self, batch: Batch, now: float, refused: Mapping[int, Reason] = NO_REFUSALS
    ) -> None:
        """The host has the messages of the batch: it stored them, say. Tell the server.

        `refused` names, by position in `batch.publishes`, what it does not want: 5.0 servers get
        the reason, and send none of them again. 3.1.1 has a plain confirmation for
        PAYLOAD_FORMAT_INVALID; any other reason ends the connection there. A batch that is never
        acknowledged comes again with the next connection.
        """
        inbound = self._batches.pop(batch, None)
        if inbound is None:
            raise MisuseError("this batch is not of this client, or was acknowledged before")
        inbound.acknowledge(batch, refused, now)

    def abandon(self, batch: Batch) -> None:
        """The host will not acknowledge the batch: the server shall send its messages again.

        It does so on a new connection only, so the one that brought them ends; so does the present
        one if it may have brought a QoS 2 message of the batch again.
        """
        inbound = self._batches.pop(batch, None)
        if inbound is None:
            raise MisuseError("this batch is not of this client, or was acknowledged before")
        for word in batch.words:
            if is_receipt(word):
                self._session.settle(word & 0xFFFF, taken=False)
        if batch.mixed or inbound is self._inbound:
            self._close(Closed(Reason.UNSPECIFIED_ERROR, "messages are to be sent again"))

    def disconnect(self, *, session_expiry: int | None = None) -> None:
        """Leave. 5.0: the session outlives it for `session_expiry` seconds if that is given."""
        if self.state is ClientState.OPEN:
            self._send(p.Disconnect(properties=Properties(session_expiry=session_expiry)))
        self._close(Closed(Reason.SUCCESS, "we disconnected"))

    def lost(self) -> list[ClientEvent]:
        """The transport is closed. Harmless when the engine knows."""
        self._close(Closed(Reason.UNSPECIFIED_ERROR, "the connection was lost"))
        return self._happened()

    def pause(self) -> None:
        """The transport's buffer is full: produce no messages. QoS 0 is refused meanwhile."""
        self._paused = True

    def resume(self, now: float) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        self._session.pump(now)

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
            self._outcome = Reason.PACKET_TOO_LARGE
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
        self._fail(PeerError(reason, message), now)

    def settled_elsewhere(self, now: float) -> None:
        if self._inbound is not None:
            self._inbound.settle(now)

    def forget_rights(self) -> None:
        if self._inbound is not None:
            self._inbound.permitted.clear()

    def due(self, now: float) -> None:
        self.tick(now)

    take_output = take

    # For what came in: see `inbound.Router`.

    def route(self, publisher: Session | None, publishes: Iterable[Published], now: float) -> None:
        """The host has the messages already."""

    # Reading.

    def _read(self, data: bytes, now: float) -> None:
        """Read whole packets from `data`, and keep what remains."""
        pos = 0
        while self.state in _PERMITTED:
            inbound = self._inbound
            if inbound is not None and inbound.permitted and self._scans:
                pos = scan(
                    data,
                    pos,
                    inbound.permitted,
                    inbound.batch,
                    with_properties=self.version == p.V5,
                )
            try:
                body, after = self._input.find(data, pos, self.limits.packet_bytes_max)
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
        if kind not in _PERMITTED[self.state]:
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
                self._pinged = None
            case p.Disconnect() as disconnect:
                if version != p.V5:
                    raise protocol_error("a 3.1.1 server cannot send DISCONNECT")
                said = disconnect.properties.reason_string
                self._close(Closed(Reason(disconnect.reason), said or "the server disconnected"))

    def _admitted(self, connack: p.Connack, version: int, now: float) -> None:
        reason = connack.reason
        if version == p.V3:
            reason = _REASON_OF_3.get(reason, reason)
        if reason:
            said = connack.properties.reason_string
            self._close(Closed(Reason(reason), said or "the server refused the connection"))
            return
        if version != self.version:
            raise protocol_error("CONNACK is of another version than CONNECT")
        connect = self._connect
        assert connect is not None
        if connack.session_present and connect.clean_start:
            raise protocol_error("the server has a session that we asked it to forget")
        self.state = ClientState.OPEN
        granted = self.granted = connack.properties
        if granted.server_keep_alive is not None:
            self._keep_alive = granted.server_keep_alive
        if not connack.session_present:
            self._session.forget()
        aliases = min(granted.topic_alias_maximum or 0, self.limits.topic_alias_maximum)
        self._writer = PublishWriter(version, granted.maximum_packet_size, aliases)
        self._inbound = Inbound(self, self._session, version, self._output.append, self._fail)
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
        self._outcome = answer.reason
        if answer.kind == p.PUBCOMP:
            self._outcome = Reason.SUCCESS  # what PUBREC said counts (table 3-7)
            session.completed(packet_id, now)
        else:
            session.answered(answer.kind, packet_id, answer.reason, now)

    def _answers(self, packet_id: int) -> None:
        if packet_id not in self._asked:
            raise protocol_error("the server answers a request that was not made")
        self._asked.remove(packet_id)
        self._session.free_id(packet_id)

    def _begin_to_pass_over(self, data: bytes, pos: int, error: PeerError) -> int:
        """Read the head of a PUBLISH that is too large, and pass over what is there of the rest.

        Returns where the next packet begins, 0 while the head is not all there.
        """
        publish = data[pos] >> 4 == p.PUBLISH
        if error.reason is not Reason.PACKET_TOO_LARGE or self.version == p.V5 or not publish:
            raise error
        reader = Reader(data, pos + 1)
        length = reader.varint()
        size = reader.pos - pos + length
        qos = data[pos] >> 1 & 3
        if self.state is not ClientState.OPEN or qos == 3:
            raise error
        if len(data) - reader.pos < 2:
            return 0
        topic_length = reader.u16()
        further = topic_length + (2 if qos else 0)
        if 2 + further > length:
            raise malformed("a PUBLISH ends within its topic")
        if len(data) - reader.pos < further:
            return 0
        topic = text_of(reader.take(topic_length))
        packet_id = reader.u16() if qos else 0
        if qos and not packet_id:
            raise malformed("a packet identifier is 0")
        self._passed_over = _PassedOver(topic, qos, packet_id, size, size)
        self._pass_over(data[pos:])
        return min(pos + size, len(data))

    def _pass_over(self, data: bytes) -> bytes:
        """What of `data` lies behind the packet that is being passed over."""
        gone = self._passed_over
        assert gone is not None
        rest = data[gone.left :]
        gone.left -= len(data) - len(rest)
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
        assert self._inbound is not None
        return self._inbound

    def _ask(self) -> int:
        if self.state is not ClientState.OPEN:
            raise MisuseError("there is no connection to subscribe on")
        packet_id = self._session.take_id()
        self._asked.add(packet_id)
        return packet_id

    def _due(self) -> float:
        """When a PINGREQ is to be sent, or the one that was sent has waited long enough."""
        if self._pinged is not None:
            return max(self._pinged, self._heard) + self._keep_alive
        return min(self._heard, self._sent) + _PING_AFTER * self._keep_alive

    def _send(self, packet: p.Packet) -> None:
        self._output.append(encode(packet, self.version))

    def _fail(self, error: PeerError, now: float) -> None:
        """The server broke the protocol: end the connection, and say why where that can be."""
        del now
        if self.state is ClientState.OPEN and self.version == p.V5:
            self._send(p.Disconnect(error.reason))
        self._close(Closed(error.reason, error.message))

    def _close(self, end: Closed) -> None:
        if self.state is ClientState.CLOSED:
            return
        self.state = ClientState.CLOSED
        self._end = end
        self._input.take()
        self._passed_over = None
        if self._inbound is not None:
            self._inbound.close()
            self._inbound = None
        for packet_id in self._asked:
            self._session.free_id(packet_id)
        self._asked.clear()
        self._session.detach()

    def _happened(self) -> list[ClientEvent]:
        events, self._events = self._events, []
        if self._end is not None:
            events.append(self._end)
            self._end = None
        return events

    def _record(self, change: Change) -> None:
        """The session names what becomes of our messages."""
        match change:
            case DeliveryQueued():
                self._number = change.number
            case DeliveryDone():
                self._events.append(Confirmed(change.number, self._outcome))
                self._outcome = Reason.SUCCESS
