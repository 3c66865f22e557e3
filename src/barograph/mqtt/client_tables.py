"""What a server may send to a client in which state, and what its answers mean."""

from enum import Enum, auto
from typing import Final

from barograph.mqtt import packets as p
from barograph.mqtt.reason import CONNACK_3, Reason


class ClientState(Enum):
    """Where the connection stands."""

    CLOSED = auto()
    OPENING = auto()
    """CONNECT is sent, CONNACK has not come."""
    OPEN = auto()


PERMITTED: Final = {
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

REASON_OF_3: Final = {
    0x01: Reason.UNSUPPORTED_PROTOCOL_VERSION,
    0x02: Reason.CLIENT_IDENTIFIER_NOT_VALID,
    0x03: Reason.SERVER_UNAVAILABLE,
    0x04: Reason.BAD_USER_NAME_OR_PASSWORD,
    0x05: Reason.NOT_AUTHORIZED,
}
"""3.1.1, table 3.1."""
assert set(REASON_OF_3.values()) <= set(CONNACK_3)
