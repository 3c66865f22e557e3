"""What a client tells its host, and how it learns what becomes of the host's messages."""

from dataclasses import dataclass
from typing import TypeAlias

from barograph.mqtt.connection_events import Closed
from barograph.mqtt.intake import Batch
from barograph.mqtt.journal import Change, DeliveryDone, DeliveryQueued
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason


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


class Confirmations:
    """Makes `Confirmed` of what the session records about our messages."""

    def __init__(self, events: list[ClientEvent]) -> None:
        self.number = 0
        """Of the message that was queued last."""
        self.outcome: int = Reason.SUCCESS
        """Why the next message that is done is done with."""
        self._events = events

    def record(self, change: Change) -> None:
        """The session names what becomes of our messages."""
        match change:
            case DeliveryQueued():
                self.number = change.number
            case DeliveryDone():
                self._events.append(Confirmed(change.number, self.outcome))
                self.outcome = Reason.SUCCESS
