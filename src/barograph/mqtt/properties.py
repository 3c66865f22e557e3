"""The properties of 5.0 packets (section 2.2.2).

Rules:
- `TABLE` is table 2-4: identifier, name, type, and the packets that may carry it.
- An identifier that is unknown or not for this packet is malformed (2.2.2.2).
- Only User Property may come more than once, and Subscription Identifier in a PUBLISH; all else
  twice is a protocol error (each property's own section).
- Some values are ruled out, each a protocol error by the property's own section: `_BAD`.
- User Properties keep their order ([MQTT-3.3.2-18], [MQTT-3.1.3-10]).
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from barograph.mqtt.errors import PeerError, malformed, protocol_error
from barograph.mqtt.reason import Reason
from barograph.mqtt.wire import Reader, binary, utf8, varint


@dataclass(frozen=True, slots=True)
class Properties:
    """A packet's properties; None, or an empty tuple, is absent."""

    payload_format: int | None = None
    message_expiry: int | None = None
    """Seconds."""
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifiers: tuple[int, ...] = ()
    session_expiry: int | None = None
    """Seconds; 0xFFFFFFFF is never."""
    assigned_client_id: str | None = None
    server_keep_alive: int | None = None
    """Seconds."""
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay: int | None = None
    """Seconds."""
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    """Bytes."""
    wildcards_available: int | None = None
    subscription_identifiers_available: int | None = None
    shared_available: int | None = None


NONE: Final = Properties()
"""No properties at all."""

MANY: Final = frozenset({"user_properties", "subscription_identifiers"})
"""The fields that hold tuples."""

_WITH_REASON = "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"


class Row(NamedTuple):
    """One line of table 2-4."""

    name: str
    kind: str
    packets: frozenset[str]


def _row(name: str, kind: str, packets: str) -> Row:
    return Row(name, kind, frozenset(packets.split()))


TABLE: Final[dict[int, Row]] = {
    0x01: _row("payload_format", "flag", "PUBLISH WILL"),
    0x02: _row("message_expiry", "u32", "PUBLISH WILL"),
    0x03: _row("content_type", "utf8", "PUBLISH WILL"),
    0x08: _row("response_topic", "utf8", "PUBLISH WILL"),
    0x09: _row("correlation_data", "binary", "PUBLISH WILL"),
    0x0B: _row("subscription_identifiers", "varint", "PUBLISH SUBSCRIBE"),
    0x11: _row("session_expiry", "u32", "CONNECT CONNACK DISCONNECT"),
    0x12: _row("assigned_client_id", "utf8", "CONNACK"),
    0x13: _row("server_keep_alive", "u16", "CONNACK"),
    0x15: _row("authentication_method", "utf8", "CONNECT CONNACK AUTH"),
    0x16: _row("authentication_data", "binary", "CONNECT CONNACK AUTH"),
    0x17: _row("request_problem_information", "flag", "CONNECT"),
    0x18: _row("will_delay", "u32", "WILL"),
    0x19: _row("request_response_information", "flag", "CONNECT"),
    0x1A: _row("response_information", "utf8", "CONNACK"),
    0x1C: _row("server_reference", "utf8", "CONNACK DISCONNECT"),
    0x1F: _row("reason_string", "utf8", _WITH_REASON),
    0x21: _row("receive_maximum", "u16", "CONNECT CONNACK"),
    0x22: _row("topic_alias_maximum", "u16", "CONNECT CONNACK"),
    0x23: _row("topic_alias", "u16", "PUBLISH"),
    0x24: _row("maximum_qos", "flag", "CONNACK"),
    0x25: _row("retain_available", "flag", "CONNACK"),
    0x26: _row(
        "user_properties",
        "pair",
        f"CONNECT PUBLISH WILL SUBSCRIBE UNSUBSCRIBE {_WITH_REASON}",
    ),
    0x27: _row("maximum_packet_size", "u32", "CONNECT CONNACK"),
    0x28: _row("wildcards_available", "flag", "CONNACK"),
    0x29: _row("subscription_identifiers_available", "flag", "CONNACK"),
    0x2A: _row("shared_available", "flag", "CONNACK"),
}

_NON_ZERO: Final = {
    "receive_maximum": Reason.PROTOCOL_ERROR,  # 3.1.2.11.3, 3.2.2.3.3
    "maximum_packet_size": Reason.PROTOCOL_ERROR,  # 3.1.2.11.4, 3.2.2.3.6
    "topic_alias": Reason.TOPIC_ALIAS_INVALID,  # [MQTT-3.3.2-8]
    "subscription_identifiers": Reason.PROTOCOL_ERROR,  # 3.3.2.3.8, 3.8.2.1.2
}


def _read(reader: Reader, kind: str) -> Any:
    match kind:
        case "flag":
            return reader.u8()
        case "u16":
            return reader.u16()
        case "u32":
            return reader.u32()
        case "varint":
            return reader.varint()
        case "utf8":
            return reader.utf8()
        case "binary":
            return reader.binary()
        case _:
            return (reader.utf8(), reader.utf8())  # both checked: [MQTT-1.5.7-1]


def _write(kind: str, value: Any) -> bytes:
    match kind:
        case "flag":
            return bytes((value,))
        case "u16":
            return int(value).to_bytes(2, "big")
        case "u32":
            return int(value).to_bytes(4, "big")
        case "varint":
            return varint(value)
        case "utf8":
            return utf8(value)
        case "binary":
            return binary(value)
        case _:
            return utf8(value[0]) + utf8(value[1])


def _check(row: Row, value: Any) -> None:
    if row.kind == "flag" and value > 1:
        raise protocol_error(f"the property {row.name} is {value}; it can only be 0 or 1")
    if value == 0 and row.name in _NON_ZERO:
        raise PeerError(_NON_ZERO[row.name], f"the property {row.name} must not be 0")


def decode(reader: Reader, packet: str) -> Properties:
    """Read the property length and the properties of `packet` ("PUBLISH", "WILL", …)."""
    length = reader.varint()
    if not length:
        return NONE
    inner = Reader(reader.data, reader.pos, reader.pos + length)
    reader.take(length)
    found: dict[str, Any] = {}
    while inner.more():
        identifier = inner.varint()
        row = TABLE.get(identifier)
        if row is None:
            raise malformed(f"there is no property 0x{identifier:02X}")
        if packet not in row.packets:
            raise malformed(f"the property {row.name} does not belong in {packet}")
        value = _read(inner, row.kind)
        _check(row, value)
        name = row.name
        if name not in MANY:
            if name in found:
                raise protocol_error(f"the property {name} comes twice")
            found[name] = value
        elif name == "subscription_identifiers" and packet != "PUBLISH" and name in found:
            raise protocol_error("the property subscription_identifiers comes twice")
        else:
            found.setdefault(name, []).append(value)
    for name in MANY & found.keys():
        found[name] = tuple(found[name])
    return Properties(**found)


def encode_some(properties: Properties, names: frozenset[str] | None = None) -> bytes:
    """The properties (only those in `names`, if given) without the length before them."""
    if properties is NONE:
        return b""
    parts = []
    for identifier, row in TABLE.items():
        value = getattr(properties, row.name)
        if value is None or (names is not None and row.name not in names):
            continue
        for one in value if row.name in MANY else (value,):
            parts.append(bytes((identifier,)))
            parts.append(_write(row.kind, one))
    return b"".join(parts)


def encode(properties: Properties) -> bytes:
    """The property length and the properties ([MQTT-2.2.2-1]: a zero length when there are none)."""
    inner = encode_some(properties)
    return varint(len(inner)) + inner


FORWARDED: Final = frozenset(
    {"payload_format", "content_type", "response_topic", "correlation_data", "user_properties"},
)
"""What a message carries unaltered from its publisher to every subscriber ([MQTT-3.3.2-4],
[MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-20])."""
