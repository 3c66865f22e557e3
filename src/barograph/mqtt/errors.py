"""What can go wrong in the engine, told apart by whose fault it is.

PeerError     the other side broke the protocol, or asked for what it may not have; the connection
              ends, with the reason code where the version has one
MisuseError   the host called the engine in a way that its documentation rules out
"""

from barograph.mqtt.reason import Reason


class PeerError(Exception):
    """The peer broke the protocol; `reason` is what a 5.0 DISCONNECT or CONNACK says."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class MisuseError(Exception):
    """The host broke the engine's contract. A bug in the host, never the peer's doing."""


def malformed(message: str) -> PeerError:
    """The bytes do not follow the packet's format (5.0, section 1.2, Malformed Packet)."""
    return PeerError(Reason.MALFORMED_PACKET, message)


def protocol_error(message: str) -> PeerError:
    """Readable, but not allowed by the protocol or in this state (section 1.2, Protocol Error)."""
    return PeerError(Reason.PROTOCOL_ERROR, message)
