"""Reason codes: what a packet says of the packet it answers (5.0, section 2.4, table 2-6).

Rules:
- Below 0x80 is success, from 0x80 on failure. A failure in CONNACK or DISCONNECT closes the
  connection ([MQTT-4.13.2-1]).
- Each packet may carry only the codes that its own section lists; `ALLOWED` holds those lists, and
  both directions are checked against it ([MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.5.2-1],
  [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.9.3-2], [MQTT-3.11.3-2], [MQTT-3.14.2-1],
  [MQTT-3.15.2-1]).
- 3.1.1 knows six CONNACK return codes (its table 3.1) and one failure in SUBACK, 0x80.
"""

from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """The reason codes of 5.0."""

    SUCCESS = 0x00  # in SUBACK also: granted QoS 0; in DISCONNECT: normal disconnection
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


FAILURE: Final = 0x80
"""From here on a reason code is a failure (section 2.4)."""

SUBACK_FAILURE_3: Final = 0x80
"""The one failure code in a 3.1.1 SUBACK (3.1.1, section 3.9.3)."""

_PUBLISH_ANSWER = frozenset(
    {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
)

ALLOWED: Final[dict[str, frozenset[int]]] = {
    # Table 3-1
    "CONNACK": frozenset(
        {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    ),
    "PUBACK": _PUBLISH_ANSWER,  # Table 3-4
    "PUBREC": _PUBLISH_ANSWER,  # Table 3-5
    "PUBREL": frozenset({0x00, 0x92}),  # Table 3-6
    "PUBCOMP": frozenset({0x00, 0x92}),  # Table 3-7
    # Table 3-8
    "SUBACK": frozenset(
        {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    ),
    "UNSUBACK": frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}),  # Table 3-9
    # Table 3-10
    "DISCONNECT": frozenset(
        {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B}
        | {0x8D, 0x8E, 0x8F, 0x90, *range(0x93, 0xA3)},
    ),
    "AUTH": frozenset({0x00, 0x18, 0x19}),  # Table 3-11
}

DISCONNECT_FROM_CLIENT: Final = ALLOWED["DISCONNECT"] - frozenset(
    # Table 3-10 marks these as sent by the server only.
    {0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
)

CONNACK_ACCEPTED_3: Final = 0x00
CONNACK_3: Final[dict[Reason, int]] = {
    Reason.SUCCESS: CONNACK_ACCEPTED_3,
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 0x01,
    Reason.CLIENT_IDENTIFIER_NOT_VALID: 0x02,
    Reason.SERVER_UNAVAILABLE: 0x03,
    Reason.SERVER_BUSY: 0x03,
    Reason.QUOTA_EXCEEDED: 0x03,
    Reason.CONNECTION_RATE_EXCEEDED: 0x03,
    Reason.BAD_USER_NAME_OR_PASSWORD: 0x04,
    Reason.NOT_AUTHORIZED: 0x05,
    Reason.BANNED: 0x05,
}
"""What 3.1.1 can say of a refused CONNECT; for all else it closes silently ([MQTT-3.2.2-6])."""
