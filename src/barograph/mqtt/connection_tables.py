"""What a client may send in which state of its connection."""

from enum import Enum, auto
from typing import Final

from barograph.mqtt import packets as p


class State(Enum):
    """Where a connection stands."""

    OPENING = auto()
    """CONNECT has not come."""
    ASKING = auto()
    """The host has not answered it."""
    OPEN = auto()
    CLOSED = auto()


PERMITTED: Final = {
    State.OPENING: frozenset({p.CONNECT}),
    State.OPEN: frozenset(
        {
            p.PUBLISH,
            p.PUBACK,
            p.PUBREC,
            p.PUBREL,
            p.PUBCOMP,
            p.SUBSCRIBE,
            p.UNSUBSCRIBE,
            p.PINGREQ,
            p.DISCONNECT,
        }
    ),
}
