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

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from barograph.mqtt import packets as p
from barograph.mqtt.client_connection import ClientConnection
from barograph.mqtt.client_events import ClientEvent, Confirmations
from barograph.mqtt.client_tables import ClientState
from barograph.mqtt.connection_events import Closed
from barograph.mqtt.errors import MisuseError
from barograph.mqtt.inbound import Inbound, is_receipt
from barograph.mqtt.intake import NO_REFUSALS, Batch
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import RETAIN, Message
from barograph.mqtt.properties import NONE, Properties
from barograph.mqtt.reason import Reason
from barograph.mqtt.session import Session

_FIELD_BYTES_MAX: Final = 65_535


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
        self._events: list[ClientEvent] = []
        self._confirmations = Confirmations(self._events)
        self._session = Session(("", ""), 0, self.limits, self._confirmations.record)
        self._session.stored = True  # so that it names what becomes of each message
        self._connection: ClientConnection | None = None
        """The present one, or the last."""
        self._batches: dict[Batch, Inbound] = {}
        """Those that wait for the host, of former connections as well."""

    # For the host.

    @property
    def state(self) -> ClientState:
        """Where the connection stands."""
        return ClientState.CLOSED if self._connection is None else self._connection.state

    @property
    def closed(self) -> bool:
        return self.state is ClientState.CLOSED

    @property
    def writable(self) -> bool:
        return self._connection is not None and self._connection.writable

    @property
    def version(self) -> int:
        """Of the protocol, as it is spoken on the present connection, or was on the last."""
        return p.V5 if self._connection is None else self._connection.version

    @property
    def granted(self) -> Properties:
        """What the server's last CONNACK said."""
        return NONE if self._connection is None else self._connection.granted

    @property
    def unconfirmed(self) -> int:
        """Messages of ours at QoS 1 and 2 that are not done with."""
        return self._session.waiting

    def open(self, connect: p.Connect, now: float) -> None:
        """A transport is there: begin a connection with `connect`, whose version is spoken on it.

        On 5.0 our limits are added to it. With `clean_start` both sides forget the session.
        """
        if not self.closed:
            raise MisuseError("there is a connection already")
        if connect.version == p.V5:
            ours = replace(
                connect.properties,
                receive_maximum=self._receive_maximum,
                maximum_packet_size=self.limits.packet_bytes_max,
                topic_alias_maximum=self.limits.topic_alias_maximum or None,
            )
            connect = replace(connect, properties=ours)
        if connect.clean_start:
            self._session.forget()
        self._connection = ClientConnection(
            connect,
            self._session,
            self.limits,
            self._events,
            self._confirmations,
            self.granted,
            now,
        )

    def feed(self, data: bytes, now: float) -> list[ClientEvent]:
        """Take in what the socket brought; returns what the host has to see to, in order."""
        connection = self._connection
        if connection is not None and not connection.closed:
            found = connection.feed(data, now)
            if found is not None:
                batch, inbound = found
                self._batches[batch] = inbound
                self._events.append(batch)
        return self._happened()

    def take(self, now: float) -> bytes:
        """The bytes to send. When `closed` is true after it, close the transport then."""
        return b"" if self._connection is None else self._connection.take_output(now)

    def tick(self, now: float, *, listening: bool = True) -> list[ClientEvent]:
        """Do what is due: keep-alive, and giving up a server that is silent.

        Without `listening`, which is while the host does not read the socket, silence says nothing.
        """
        if self._connection is not None:
            self._connection.tick(now, listening=listening)
        return self._happened()

    def next_deadline(self) -> float | None:
        """When `tick` may have something to do; None while nothing can become due."""
        return None if self._connection is None else self._connection.next_deadline()

    def subscribe(
        self, filters: Iterable[tuple[str, p.Options]], identifier: int | None = None
    ) -> int:
        """Ask for messages; returns the packet identifier that `Subscribed` will name."""
        return self._open_connection().subscribe(filters, identifier)

    def unsubscribe(self, filters: Iterable[str]) -> int:
        """Ask for no more of them; returns the packet identifier that `Unsubscribed` will name."""
        return self._open_connection().unsubscribe(filters)

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
        return self._confirmations.number if taken else None

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
        connection = self._connection
        if connection is not None and (batch.mixed or inbound is connection.inbound):
            connection.close(Closed(Reason.UNSPECIFIED_ERROR, "messages are to be sent again"))

    def disconnect(self, *, session_expiry: int | None = None) -> None:
        """Leave. 5.0: the session outlives it for `session_expiry` seconds if that is given."""
        if self._connection is not None:
            self._connection.disconnect(session_expiry)

    def lost(self) -> list[ClientEvent]:
        """The transport is closed. Harmless when the engine knows."""
        if self._connection is not None:
            self._connection.close(Closed(Reason.UNSPECIFIED_ERROR, "the connection was lost"))
        return self._happened()

    def pause(self) -> None:
        """The transport's buffer is full: produce no messages. QoS 0 is refused meanwhile."""
        if self._connection is not None:
            self._connection.paused = True

    def resume(self, now: float) -> None:
        """The transport's buffer has room again."""
        if self._connection is not None:
            self._connection.paused = False
        self._session.pump(now)

    # Within.

    def _open_connection(self) -> ClientConnection:
        if self._connection is None or self._connection.state is not ClientState.OPEN:
            raise MisuseError("there is no connection to subscribe on")
        return self._connection

    def _happened(self) -> list[ClientEvent]:
        events = self._events[:]
        self._events.clear()
        connection = self._connection
        if connection is not None and connection.end_reason is not None:
            events.append(connection.end_reason)
            connection.end_reason = None
        return events
