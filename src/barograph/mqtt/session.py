"""One client's session: what is on its way to it, and from it (5.0, sections 4.1, 4.3, 4.4, 4.9).

A delivery of QoS 1 or 2 goes through these states; the table is `_ANSWERS`:

    queued ──sent──> published ──PUBACK──────────────────────> done        QoS 1
                     published ──PUBREC──> released ──PUBCOMP──> done      QoS 2
                     published ──PUBREC of 0x80 or more────────> done      QoS 2

Rules:
- Packet identifiers are unused ones, never 0 ([MQTT-2.2.1-4], [MQTT-4.3.2-1], [MQTT-4.3.3-1]).
- No more unacknowledged messages than the client's Receive Maximum and our own limit; everything
  else is sent regardless ([MQTT-3.3.4-9], [MQTT-3.3.4-10], [MQTT-4.9.0-1] to -3).
- On a new connection, and only then, unacknowledged PUBLISHes and PUBRELs are sent again with their
  identifiers, in their order, PUBLISHes marked DUP ([MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1]).
- A message whose time is over before it was first sent is dropped ([MQTT-3.3.2-5]); once sent, it
  is carried through ([MQTT-4.3.3-7]).
- A message too large for the client counts as delivered ([MQTT-3.1.2-25]).
- Of a client's own QoS 2 messages the identifiers are remembered until PUBREL ([MQTT-4.3.3-10]).
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from barograph.mqtt import journal
from barograph.mqtt.errors import protocol_error
from barograph.mqtt.journal import Change, SessionKey, StoredDelivery, StoredSession, WillMessage
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Message
from barograph.mqtt.packets import PUBACK, PUBREC, Options
from barograph.mqtt.reason import FAILURE, Reason

PACKET_ID_MAX: Final = 65_535  # two bytes, section 2.2.1

Delivery = StoredDelivery


class Link(Protocol):
    """A session's connection, as the session and the broker see it."""

    def __hash__(self) -> int: ...

    @property
    def writable(self) -> bool:
        """Whether more messages may be produced for it now."""

    def send(self, delivery: Delivery, now: float, *, dup: bool) -> bool:
        """Send a QoS 1 or 2 message. False when it is too large for the client."""

    def send_plain(
        self, message: Message, now: float, *, retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        """Send at QoS 0. False when it was dropped, being too large or the client too slow."""

    def send_release(self, packet_id: int, reason: int = 0) -> None:
        """Send PUBREL."""

    def end(self, reason: Reason, message: str, now: float) -> None:
        """Close from our side."""

    def settled_elsewhere(self, now: float) -> None:
        """A QoS 2 message that a former connection of this session brought was answered."""

    def forget_rights(self) -> None:
        """What the client may publish has changed."""

    def due(self, now: float) -> None:
        """The deadline that the connection set has come."""

    def take_output(self, now: float) -> bytes:
        """The bytes to send."""

    @property
    def closed(self) -> bool:
        """Whether the transport is to be closed once the output is sent."""


class Session:
    """The state that the standard calls Session State (4.1)."""

    def __init__(
        self,
        key: SessionKey,
        expiry: int,
        limits: MqttLimits,
        record: Callable[[Change], None],
        received: Callable[["Session", Message], None] = lambda _session, _message: None,
    ) -> None:
        """`received` is told of messages with a receipt that the client has."""
        self.key = key
        self.expiry = expiry
        """Seconds for which it outlives its connection."""
        self.closed_at: float | None = None
        self.will: WillMessage | None = None
        self.link: Link | None = None
        self.subscriptions: dict[str, tuple[Options, int | None]] = {}
        self.backlog: deque[tuple[str, int, int | None]] = deque()
        """Retained messages still to be sent: topic, granted QoS, subscription identifier."""
        self.receipts: dict[int, bool] = {}
        """The client's QoS 2 identifiers in use; True once the host has taken the message."""
        self.stored = False
        """Whether the journal knows this session."""
        self._limits = limits
        self._journal = record
        self._tell_received = received
        self._published: dict[int, Delivery] = {}
        self._released: dict[int, Delivery] = {}
        self._again: deque[Delivery] = deque()
        self._queue: deque[Delivery] = deque()
        self._bytes = 0
        self._number = 0
        self._release_order = 0
        self._last_id = 0
        self._taken_ids: set[int] = set()
        self._quota = self._quota_max = 0

    # What the broker asks.

    @property
    def waiting(self) -> int:
        """QoS 1 and 2 messages not yet done."""
        return len(self._published) + len(self._released) + len(self._queue)

    @property
    def ready(self) -> bool:
        """Whether a message offered now would be sent at once."""
        link = self.link
        return link is not None and link.writable and self._quota > 0 and not self._queue

    def record(self, change: Change) -> None:
        """Name a change to the journal, if it knows this session."""
        if self.stored:
            self._journal(change)

    def save(self) -> None:
        """Make the journal know the session as it is, if it must survive anything."""
        self.stored = self.stored or self.expiry > 0 or self.will is not None
        self.record(journal.SessionSaved(self.key, self.expiry, self.closed_at, self.will))

    def subscribe(self, name: str, options: Options, identifier: int | None) -> None:
        self.subscriptions[name] = (options, identifier)
        self.record(journal.SubscriptionSaved(self.key, name, options, identifier))

    def unsubscribe(self, name: str) -> bool:
        if self.subscriptions.pop(name, None) is None:
            return False
        self.record(journal.SubscriptionRemoved(self.key, name))
        return True

    # Outgoing messages.

    def offer(
        self,
        message: Message,
        qos: int,
        now: float,
        *,
        retain: bool,
        identifiers: tuple[int, ...],
    ) -> bool:
        """Deliver `message` at `qos`. False when it was dropped instead."""
        link = self.link
        if not qos:
            # Offline, nothing is owed at QoS 0 (4.1).
            if link is None or link.send_plain(
                message, now, retain=retain, identifiers=identifiers
            ):
                if message.receipt and link is not None:
                    self._tell_received(self, message)
                return True
            return False
        if (
            self.waiting >= self._limits.queued_messages_max
            or self._bytes + message.size > self._limits.queued_bytes_max
        ):
            return False
        self._number += 1
        self._bytes += message.size
        delivery = Delivery(self._number, message, qos, retain, identifiers)
        at_once = self.ready and not self._again
        if at_once:
            delivery.packet_id = self._free_id()
        self.record(
            journal.DeliveryQueued(
                self.key,
                delivery.number,
                message,
                qos,
                retain,
                identifiers,
                delivery.packet_id,
            )
        )
        if at_once:
            self._send(delivery, now, dup=False)
        else:
            self._queue.append(delivery)
        return True

    def holds(self, receipt: int) -> bool:
        """Whether a message with this receipt is on its way to the client."""
        return any(
            one.message.receipt == receipt for one in (*self._published.values(), *self._queue)
        )

    def withdraw(self, receipt: int) -> None:
        """Deliver a message with this receipt no more, unless it is on its way already."""
        for delivery in [one for one in self._queue if one.message.receipt == receipt]:
            self._queue.remove(delivery)
            self._finish(delivery)

    def pump(self, now: float) -> None:
        """Send what waits, as far as the client's quota and our output allow."""
        link = self.link
        while link is not None and self._quota and link.writable:
            if self._again:
                delivery = self._again.popleft()
                if self._published.get(delivery.packet_id) is delivery:
                    self._send(delivery, now, dup=True)
            elif self._queue:
                delivery = self._queue.popleft()
                if delivery.message.expired(now):
                    self._finish(delivery)
                    continue
                delivery.packet_id = self._free_id()
                self.record(
                    journal.DeliverySent(self.key, delivery.number, delivery.packet_id),
                )
                self._send(delivery, now, dup=False)
            else:
                return

    def attach(self, link: Link, receive_maximum: int) -> None:
        """A connection took the session up; CONNACK is already on its way."""
        self.link = link
        self._quota = self._quota_max = min(receive_maximum, self._limits.inflight_max)
        for packet_id in self._released:
            link.send_release(packet_id)
        self._again = deque(self._published.values())

    def detach(self) -> None:
        """The connection is gone."""
        self.link = None
        self._again.clear()

    def answered(self, kind: int, packet_id: int, reason: int, now: float) -> None:
        """The client answered a PUBLISH: PUBACK or PUBREC. PeerError when it is the wrong one."""
        delivery = self._published.get(packet_id)
        if delivery is None:
            if kind == PUBREC and self.link is not None:
                unknown = packet_id not in self._released
                self.link.send_release(
                    packet_id,
                    Reason.PACKET_IDENTIFIER_NOT_FOUND if unknown else Reason.SUCCESS,
                )
            return
        if kind != _ANSWERS[delivery.qos]:
            raise protocol_error(
                f"the answer to packet {packet_id} is of the other QoS",
            )
        if delivery.message.receipt and reason < FAILURE:
            self._tell_received(self, delivery.message)
        if kind == PUBACK or reason >= FAILURE:
            self._finish(delivery)  # [MQTT-4.4.0-2]
            self._regain()
        else:
            del self._published[packet_id]
            self._released[packet_id] = delivery
            self._release_order += 1
            delivery.released = self._release_order
            self.record(
                journal.DeliveryReleased(self.key, delivery.number, delivery.released),
            )
            if self.link is not None:
                self.link.send_release(packet_id)  # [MQTT-4.3.3-4]
        self.pump(now)

    def completed(self, packet_id: int, now: float) -> None:
        """The client sent PUBCOMP. PeerError when it did not send PUBREC before."""
        if packet_id in self._published:
            raise protocol_error(f"PUBCOMP came for packet {packet_id} before PUBREC")
        delivery = self._released.get(packet_id)
        if delivery is not None:
            self._finish(delivery)
        self._regain()
        self.pump(now)

    def _regain(self) -> None:
        # PUBCOMP for a PUBREL sent again must not lift the quota above its start (4.9).
        self._quota = min(self._quota_max, self._quota + 1)

    def _send(self, delivery: Delivery, now: float, *, dup: bool) -> None:
        if self.link is not None and self.link.send(delivery, now, dup=dup):
            self._published[delivery.packet_id] = delivery
            self._quota -= 1
        else:
            self._finish(delivery)

    def _finish(self, delivery: Delivery) -> None:
        self._published.pop(delivery.packet_id, None)
        self._released.pop(delivery.packet_id, None)
        self._bytes -= delivery.message.size
        self.record(journal.DeliveryDone(self.key, delivery.number))

    def _free_id(self) -> int:
        # There is always one: `inflight_max` is far below their number, and what is released but
        # not completed is bounded by the queue's limit, checked by the caller.
        candidate = self._last_id
        while True:
            candidate = candidate % PACKET_ID_MAX + 1
            if (
                candidate not in self._published
                and candidate not in self._released
                and candidate not in self._taken_ids
            ):
                self._last_id = candidate
                return candidate

    # For a client, whose requests share the identifiers of its messages.

    def take_id(self) -> int:
        """An unused packet identifier, for a SUBSCRIBE or UNSUBSCRIBE."""
        packet_id = self._free_id()
        self._taken_ids.add(packet_id)
        return packet_id

    def free_id(self, packet_id: int) -> None:
        """The request with this identifier is answered, or its connection gone."""
        self._taken_ids.discard(packet_id)

    def forget(self) -> None:
        """The other side has no session: what it was sent is new to it again.

        What it had received at QoS 2 (PUBREC) is done.
        """
        for delivery in list(self._released.values()):
            self._finish(delivery)
        self._queue.extendleft(reversed(self._published.values()))
        self._published.clear()
        self._again.clear()
        self.receipts.clear()

    # Incoming QoS 2 messages.

    def receive(self, packet_id: int) -> bool:
        """A QoS 2 PUBLISH came. False when it is one that came before ([MQTT-4.3.3-10])."""
        if packet_id in self.receipts:
            return False
        self.receipts[packet_id] = False
        return True

    def settle(self, packet_id: int, *, taken: bool) -> None:
        """The host has taken the message, or refused it ([MQTT-4.3.3-9])."""
        if not taken:
            self.receipts.pop(packet_id, None)
        elif self.receipts.get(packet_id) is False:
            self.receipts[packet_id] = True
            self.record(journal.ReceiptSaved(self.key, packet_id))

    def release(self, packet_id: int) -> bool:
        """PUBREL came. False when there is no such message; PeerError when it is too early."""
        taken = self.receipts.get(packet_id)
        if taken is None:
            return False
        if not taken:
            raise protocol_error(f"PUBREL came for packet {packet_id} before PUBREC was sent")
        del self.receipts[packet_id]
        self.record(journal.ReceiptDone(self.key, packet_id))
        return True

    # After a restart.

    def restore(self, stored: StoredSession) -> None:
        """Become what was stored."""
        self.stored = True
        self.closed_at, self.will = stored.closed_at, stored.will
        self.subscriptions = dict(stored.subscriptions)
        self.receipts = dict.fromkeys(stored.receipts, True)
        for _, delivery in sorted(stored.deliveries.items()):
            self._number = delivery.number
            self._bytes += delivery.message.size
            if not delivery.packet_id:
                self._queue.append(delivery)
            elif not delivery.released:
                self._published[delivery.packet_id] = delivery
        released = [one for one in stored.deliveries.values() if one.released]
        for delivery in sorted(released, key=lambda one: one.released):
            self._released[delivery.packet_id] = delivery
            self._release_order = delivery.released


_ANSWERS: Final = {1: PUBACK, 2: PUBREC}
"""What the client owes for a PUBLISH (3.3.4, table 3-3)."""
