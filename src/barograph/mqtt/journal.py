"""What must survive a restart, as changes and as a snapshot.

Rules:
- The engine names each change to sessions, subscriptions, retained messages, queued QoS 1 and 2
  messages and half-done QoS 2 receipts, in order. The host stores them, in groups as it likes, and
  sends nothing that the engine produced after a change before that change is stored. So a client
  never holds an acknowledgement for something that a crash takes back.
- Only sessions that outlive their connection, or have a will to be published after a crash, are
  named, so QoS 0 to a connected subscriber touches nothing.
- `Ledger` says what each change means: it is the reference that a host's storage is tested against,
  and storage enough for a host that needs none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from barograph.mqtt.message import Message
from barograph.mqtt.packets import Options

SessionKey: TypeAlias = tuple[str, str]
"""Who owns the session (as the host named the principal), and the client identifier."""


@dataclass(frozen=True, slots=True)
class WillMessage:
    """A will, waiting (3.1.2.5)."""

    message: Message
    """Its `expires_at` is not set: its time starts with its publication (3.1.3.2.4)."""
    delay: int
    """Seconds between the loss of the connection and the publication (3.1.3.2.2)."""
    expiry: int | None
    """The message expiry interval in seconds."""


@dataclass(frozen=True, slots=True)
class SessionSaved:
    """The session exists, with these values; new or changed."""

    key: SessionKey
    expiry: int
    """Seconds for which it outlives its connection."""
    closed_at: float | None
    """When the connection was lost; None while there is one."""
    will: WillMessage | None


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session and all that belongs to it is gone."""

    key: SessionKey


@dataclass(frozen=True, slots=True)
class SubscriptionSaved:
    """The session has this subscription; new, or in place of the one with the same filter."""

    key: SessionKey
    filter: str
    options: Options
    identifier: int | None


@dataclass(frozen=True, slots=True)
class SubscriptionRemoved:
    """The session has no subscription with this filter."""

    key: SessionKey
    filter: str


@dataclass(frozen=True, slots=True)
class DeliveryQueued:
    """A QoS 1 or 2 message is to be delivered. `number` grows within the session."""

    key: SessionKey
    number: int
    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    packet_id: int
    """0 when it was not sent yet."""


@dataclass(frozen=True, slots=True)
class DeliverySent:
    """It was sent, under this packet identifier."""

    key: SessionKey
    number: int
    packet_id: int


@dataclass(frozen=True, slots=True)
class DeliveryReleased:
    """At QoS 2 the client has it (PUBREC); only PUBREL and PUBCOMP remain."""

    key: SessionKey
    number: int
    order: int
    """Grows within the session; PUBRELs are sent again in this order ([MQTT-4.6.0-4])."""


@dataclass(frozen=True, slots=True)
class DeliveryDone:
    """It is acknowledged, or given up."""

    key: SessionKey
    number: int


@dataclass(frozen=True, slots=True)
class ReceiptSaved:
    """A QoS 2 message with this packet identifier was taken from the client."""

    key: SessionKey
    packet_id: int


@dataclass(frozen=True, slots=True)
class ReceiptDone:
    """The client released it (PUBREL)."""

    key: SessionKey
    packet_id: int


@dataclass(frozen=True, slots=True)
class RetainedSaved:
    """This is the retained message of its topic."""

    message: Message


@dataclass(frozen=True, slots=True)
class RetainedRemoved:
    """The topic has no retained message."""

    topic: bytes


Change: TypeAlias = (
    SessionSaved
    | SessionEnded
    | SubscriptionSaved
    | SubscriptionRemoved
    | DeliveryQueued
    | DeliverySent
    | DeliveryReleased
    | DeliveryDone
    | ReceiptSaved
    | ReceiptDone
    | RetainedSaved
    | RetainedRemoved
)


@dataclass(slots=True)
class StoredDelivery:
    """A queued message as stored."""

    number: int
    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...] = ()
    packet_id: int = 0
    released: int = 0
    """The order of its release, 0 before."""


@dataclass(slots=True)
class StoredSession:
    """A session as stored."""

    key: SessionKey
    expiry: int
    closed_at: float | None = None
    will: WillMessage | None = None
    subscriptions: dict[str, tuple[Options, int | None]] = field(default_factory=dict)
    deliveries: dict[int, StoredDelivery] = field(default_factory=dict)
    """By number."""
    receipts: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Snapshot:
    """All that was stored."""

    sessions: dict[SessionKey, StoredSession] = field(default_factory=dict)
    retained: dict[bytes, Message] = field(default_factory=dict)


class Ledger:
    """The changes applied, in memory."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()

    def apply(self, changes: Iterable[Change]) -> None:
        """Store the changes. KeyError when one names what is not there."""
        for change in changes:
            self._apply(change)

    def _apply(self, change: Change) -> None:
        sessions, retained = self.snapshot.sessions, self.snapshot.retained
        match change:
            case SessionSaved(key, expiry, closed_at, will):
                session = sessions.setdefault(key, StoredSession(key, expiry))
                session.expiry, session.closed_at, session.will = expiry, closed_at, will
            case SessionEnded(key):
                del sessions[key]
            case SubscriptionSaved(key, name, options, identifier):
                sessions[key].subscriptions[name] = (options, identifier)
            case SubscriptionRemoved(key, name):
                del sessions[key].subscriptions[name]
            case DeliveryQueued(key, number, message, qos, retain, identifiers, packet_id):
                sessions[key].deliveries[number] = StoredDelivery(
                    number, message, qos, retain, identifiers, packet_id
                )
            case DeliverySent(key, number, packet_id):
                sessions[key].deliveries[number].packet_id = packet_id
            case DeliveryReleased(key, number, order):
                sessions[key].deliveries[number].released = order
            case DeliveryDone(key, number):
                del sessions[key].deliveries[number]
            case ReceiptSaved(key, packet_id):
                sessions[key].receipts.add(packet_id)
            case ReceiptDone(key, packet_id):
                sessions[key].receipts.remove(packet_id)
            case RetainedSaved(message):
                retained[message.topic] = message
            case RetainedRemoved(topic):
                del retained[topic]
