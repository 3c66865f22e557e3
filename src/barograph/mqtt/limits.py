"""The bounds of the MQTT engine, in one place, the unit last in the name."""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

PACKET_BYTES_END: Final = 268_435_455 + 5
"""The largest packet that the standard can express: four length bytes of seven bits (2.1.4)."""


@dataclass(frozen=True, slots=True)
class MqttLimits:
    """The limits in force."""

    packet_bytes_max: int = 256 * KIB
    """A whole packet from a client; told to 5.0 clients in CONNACK."""
    first_packet_bytes_max: int = 4 * KIB
    """The CONNECT packet, which comes from somebody not yet known."""
    waiting_bytes_max: int = 256 * KIB
    """What a client may send behind its CONNECT before the CONNECT is answered."""
    connect_seconds_max: float = 10.0
    """From the connection's opening to its complete CONNECT."""
    keep_alive_seconds_max: int = 0
    """A longer keep-alive, or none, is replaced by this on 5.0; 0 leaves the client's choice."""
    receive_maximum: int = 100
    """QoS 1 and 2 publishes of one client that may wait for their answer (5.0)."""
    inflight_max: int = 100
    """QoS 1 and 2 messages sent to one client and not yet acknowledged by it."""
    topic_alias_maximum: int = 32
    """Topic aliases that a client may define, and at most used towards one."""
    queued_messages_max: int = 10_000
    """QoS 1 and 2 messages kept for one session, in flight included; further ones are dropped."""
    queued_bytes_max: int = 16 * MIB
    """Their topics, payloads and properties."""
    subscriptions_max: int = 1_000
    """Of one session."""
    sessions_max: int = 20_000
    session_expiry_seconds_max: int = 30 * 24 * 3600
    """After this a session without a connection ends, whatever the client asked for."""
    client_id_bytes_max: int = 1 * KIB
    topic_bytes_max: int = 4 * KIB
    """A topic name or filter."""
    topic_levels_max: int = 128
    retained_messages_max: int = 100_000
    retained_bytes_max: int = 64 * MIB
    permitted_topics_max: int = 1_024
    """Topic names remembered as permitted, per connection; only a cache."""
    routes_max: int = 100_000
    """Topic names whose receivers are remembered; only a cache."""

    def __post_init__(self) -> None:
        for lower, higher in (
            ("first_packet_bytes_max", "packet_bytes_max"),
            ("client_id_bytes_max", "first_packet_bytes_max"),
            ("topic_bytes_max", "packet_bytes_max"),
            ("inflight_max", "queued_messages_max"),
        ):
            low, high = getattr(self, lower), getattr(self, higher)
            if low > high:
                raise ValueError(f"{lower} ({low}) must not be above {higher} ({high})")
        for name, lowest, highest in (
            ("packet_bytes_max", 1, PACKET_BYTES_END),
            ("receive_maximum", 1, 65_535),  # zero is a protocol error (3.2.2.3.3)
            ("inflight_max", 1, 65_535),  # there are no more packet identifiers (2.2.1)
            ("topic_alias_maximum", 0, 65_535),
            ("keep_alive_seconds_max", 0, 65_535),
            ("topic_bytes_max", 1, 65_535),  # [MQTT-4.7.3-3]
            ("session_expiry_seconds_max", 0, 0xFFFF_FFFE),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"{name} ({value}) must be from {lowest} to {highest}")
