"""The fifteen control packets as values (5.0 and 3.1.1, chapter 3).

Rules:
- A value says what a packet means, not how it is written; `decode.py` and `encode.py` turn it
  from and to bytes for either version.
- 3.1.1 has no properties (always `NONE`), and reason codes only in CONNACK and SUBACK.
- The publish path does not use `Publish` at all: see `intake.py` (in) and `delivery.py` (out).
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from barograph.mqtt.properties import NONE, Properties

V3: Final = 4
"""The protocol level of 3.1.1 (3.1.1, section 3.1.2.2)."""
V5: Final = 5
"""The protocol version of 5.0 (section 3.1.2.2)."""

# The types in the upper half of a packet's first byte (table 2-1).
CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14
AUTH: Final = 15

NAMES: Final = (
    "RESERVED",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
)

FLAGS: Final = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
"""The reserved lower half of the first byte where it is not 0 (table 2-2); PUBLISH has flags."""


@dataclass(frozen=True, slots=True)
class Will:
    """The message to publish when the connection is lost (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Connect:
    """The client's first packet (3.1). `clean_start` is Clean Session in 3.1.1."""

    version: int
    client_id: str
    clean_start: bool
    keep_alive: int
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Connack:
    """The server's answer to CONNECT (3.2). `reason` is a return code in 3.1.1."""

    session_present: bool
    reason: int
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Publish:
    """An application message (3.3). `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class PublishAnswer:
    """PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 to 3.7), told apart by `kind`."""

    kind: int
    packet_id: int
    reason: int = 0
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Options:
    """What a subscription asks for (3.8.3.1)."""

    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0
    """0: send retained messages; 1: only if the subscription is new; 2: do not."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Topic filters with their options (3.8)."""

    packet_id: int
    filters: tuple[tuple[str, Options], ...]
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Suback:
    """One reason code for each filter (3.9)."""

    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Topic filters to forget (3.10)."""

    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Unsuback:
    """One reason code for each filter (3.11); 3.1.1 has none."""

    packet_id: int
    reasons: tuple[int, ...] = ()
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Pingreq:
    """Are you there (3.12)."""


@dataclass(frozen=True, slots=True)
class Pingresp:
    """I am (3.13)."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The last packet of a connection (3.14)."""

    reason: int = 0
    properties: Properties = NONE


@dataclass(frozen=True, slots=True)
class Auth:
    """Enhanced authentication (3.15), 5.0 only."""

    reason: int = 0
    properties: Properties = NONE


Packet: TypeAlias = (
    Connect
    | Connack
    | Publish
    | PublishAnswer
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
