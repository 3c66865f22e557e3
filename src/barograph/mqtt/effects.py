"""What the broker asks of its host: to store, to send, to take note."""

from dataclasses import dataclass, field
from typing import NamedTuple

from barograph.mqtt.journal import Change, SessionKey
from barograph.mqtt.message import Published
from barograph.mqtt.session import Link


class Output(NamedTuple):
    """Bytes for one connection, after which it is to be closed or not."""

    connection: Link
    data: bytes
    close: bool


class Received(NamedTuple):
    """A client acknowledged a message (or was sent it, at QoS 0)."""

    receipt: int
    principal: str
    filters: tuple[str, ...]
    """What the session has subscribed to."""


class Counts(NamedTuple):
    """How much of everything there is."""

    sessions: int
    subscriptions: int
    retained: int


@dataclass(slots=True)
class Effects:
    """What the host has to do: store `changes`, then send `outputs`, and take in `wills`."""

    changes: list[Change]
    outputs: list[Output]
    wills: list[tuple[str, Published]] = field(default_factory=list)
    """Wills that were published, with their principal; subscribers have them already."""
    received: list[Received] = field(default_factory=list)
    """Messages with a receipt that a client now has."""
    listening: list[SessionKey] = field(default_factory=list)
    """Sessions that subscribed, or came back with subscriptions; once for each time."""
