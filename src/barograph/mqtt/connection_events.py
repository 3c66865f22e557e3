"""What a connection tells its host."""

from dataclasses import dataclass
from typing import TypeAlias

from barograph.mqtt import packets as p
from barograph.mqtt.intake import Batch
from barograph.mqtt.reason import Reason


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A client asks to be let in; answer with `accept` or `refuse`."""

    connect: p.Connect


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; close the transport once its output is sent."""

    reason: Reason
    message: str


Event: TypeAlias = ConnectRequest | Batch | Closed
