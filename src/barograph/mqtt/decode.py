"""Bytes to packets, strictly, for both versions.

Rules:
- The reserved flags of the first byte must have their listed value (2.1.3, [MQTT-2.1.3-1]; 3.1.1
  [MQTT-2.2.2-2]); nothing may follow a packet's last field.
- 3.1.1 has no properties, so any byte beyond its fields is malformed there.
- Packet identifiers are never 0 (2.2.1).
- Whether a packet may come from this side, and now, is not decided here but in `connection.py`.
"""

from collections.abc import Callable
from typing import Final

from barograph.mqtt import packets as p
from barograph.mqtt import properties, reason
from barograph.mqtt.errors import PeerError, malformed, protocol_error
from barograph.mqtt.reason import Reason
from barograph.mqtt.wire import Reader

PROTOCOL_NAME: Final = b"\x00\x04MQTT"  # 3.1.2.1, [MQTT-3.1.2-1]


def decode(head: int, body: bytes, version: int) -> p.Packet:
    """The packet whose first byte is `head` and whose remaining bytes are `body`.

    `version` is the connection's (V3 or V5); CONNECT carries its own. PeerError when the bytes are
    not such a packet.
    """
    kind = head >> 4
    if kind == p.PUBLISH:
        return _publish(Reader(body), head & 0x0F, version)
    decoder = _DECODERS.get(kind)
    if decoder is None or (kind == p.AUTH and version != p.V5):
        raise malformed(f"there is no packet type {kind} in this version")
    if head & 0x0F != p.FLAGS.get(kind, 0):
        raise malformed(f"the reserved flags of {p.NAMES[kind]} are 0x{head & 0x0F:X}")
    reader = Reader(body)
    packet = decoder(reader, kind, version)
    reader.finish()
    return packet


def version_of(body: bytes) -> int | None:
    """The protocol version that the start of a CONNECT's body names, if it is an MQTT CONNECT."""
    if body.startswith(PROTOCOL_NAME) and len(body) > len(PROTOCOL_NAME):
        return body[len(PROTOCOL_NAME)]
    return None


def _properties(reader: Reader, version: int, packet: str) -> properties.Properties:
    return properties.decode(reader, packet) if version == p.V5 else properties.NONE


def _packet_id(reader: Reader) -> int:
    packet_id = reader.u16()
    if not packet_id:
        raise malformed("a packet identifier is 0")
    return packet_id


def _reason(reader: Reader, packet: str) -> int:
    code = reader.u8()
    if code not in reason.ALLOWED[packet]:
        raise protocol_error(f"{packet} does not know the reason code 0x{code:02X}")
    return code


def _connect(reader: Reader, _kind: int, _version: int) -> p.Connect:
    if reader.take(min(len(PROTOCOL_NAME), reader.end)) != PROTOCOL_NAME:
        # Not our protocol at all, so nothing is said in it ([MQTT-3.1.2-1]).
        raise protocol_error("the protocol name is not MQTT")
    version = reader.u8()
    if version not in {p.V3, p.V5}:
        raise PeerError(
            Reason.UNSUPPORTED_PROTOCOL_VERSION,
            f"protocol level {version} is not spoken here; 4 (MQTT 3.1.1) and 5 (MQTT 5.0) are",
        )
    flags = reader.u8()
    will_qos = flags >> 3 & 3
    if flags & 0x01:
        raise malformed("the reserved flag of CONNECT is set")  # [MQTT-3.1.2-3]
    if not flags & 0x04 and flags & 0x38:
        raise malformed("CONNECT has will options but no will")  # [MQTT-3.1.2-11], -13
    if will_qos == 3:
        raise malformed("the will's QoS is 3")  # [MQTT-3.1.2-12]
    if version == p.V3 and flags & 0xC0 == 0x40:
        raise malformed("CONNECT has a password but no user name")  # 3.1.1 [MQTT-3.1.2-22]
    keep_alive = reader.u16()
    options = _properties(reader, version, "CONNECT")
    if options.authentication_data is not None and options.authentication_method is None:
        raise protocol_error("CONNECT has authentication data but no method")  # 3.1.2.11.10
    client_id = reader.utf8()
    will = None
    if flags & 0x04:
        will_properties = _properties(reader, version, "WILL")
        topic, payload = reader.utf8(), reader.binary()
        will = p.Will(topic, payload, will_qos, bool(flags & 0x20), will_properties)
    username = reader.utf8() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    clean = bool(flags & 0x02)
    return p.Connect(version, client_id, clean, keep_alive, username, password, will, options)


def _connack(reader: Reader, _kind: int, version: int) -> p.Connack:
    flags = reader.u8()
    if flags > 1:
        raise malformed("the reserved flags of CONNACK are set")  # [MQTT-3.2.2-1]
    if version == p.V5:
        code = _reason(reader, "CONNACK")
    else:
        code = reader.u8()
        if code > 5:
            raise malformed(f"CONNACK has the return code {code}")  # 3.1.1, table 3.1
    return p.Connack(bool(flags), code, _properties(reader, version, "CONNACK"))


def _publish(reader: Reader, flags: int, version: int) -> p.Publish:
    qos = flags >> 1 & 3
    if qos == 3:
        raise malformed("a PUBLISH has QoS 3")  # [MQTT-3.3.1-4]
    if not qos and flags & 8:
        raise malformed("a PUBLISH of QoS 0 is marked as a duplicate")  # [MQTT-3.3.1-2]
    topic = reader.utf8()
    packet_id = _packet_id(reader) if qos else 0
    options = _properties(reader, version, "PUBLISH")
    return p.Publish(
        topic, reader.rest(), qos, bool(flags & 1), bool(flags & 8), packet_id, options
    )


def _publish_answer(reader: Reader, kind: int, version: int) -> p.PublishAnswer:
    packet_id = _packet_id(reader)
    if version != p.V5 or not reader.more():
        return p.PublishAnswer(kind, packet_id)  # 3.4.2.1: no reason code is success
    name = p.NAMES[kind]
    code = _reason(reader, name)
    if not reader.more():
        return p.PublishAnswer(kind, packet_id, code)  # 3.4.2.2.1: shorter than 4, no properties
    return p.PublishAnswer(kind, packet_id, code, properties.decode(reader, name))


def _subscribe(reader: Reader, _kind: int, version: int) -> p.Subscribe:
    packet_id = _packet_id(reader)
    options = _properties(reader, version, "SUBSCRIBE")
    filters = []
    while reader.more():
        name = reader.utf8()
        filters.append((name, _options(reader.u8(), version)))
    if not filters:
        raise protocol_error("SUBSCRIBE has no topic filter")  # [MQTT-3.8.3-2]
    return p.Subscribe(packet_id, tuple(filters), options)


def _options(byte: int, version: int) -> p.Options:
    if byte & 3 == 3:
        raise protocol_error("a subscription asks for QoS 3")  # 3.8.3.1
    if byte & (0xC0 if version == p.V5 else 0xFC):
        raise malformed("the reserved bits of a subscription are set")  # [MQTT-3.8.3-5]
    if byte >> 4 == 3:
        raise protocol_error("a subscription's retain handling is 3")  # 3.8.3.1
    return p.Options(byte & 3, bool(byte & 4), bool(byte & 8), byte >> 4)


def _suback(reader: Reader, _kind: int, version: int) -> p.Suback:
    packet_id = _packet_id(reader)
    options = _properties(reader, version, "SUBACK")
    reasons = tuple(reader.rest())
    allowed = reason.ALLOWED["SUBACK"] if version == p.V5 else {0, 1, 2, reason.SUBACK_FAILURE_3}
    if not reasons or not allowed.issuperset(reasons):
        raise protocol_error("SUBACK has no reason code or one that it does not know")
    return p.Suback(packet_id, reasons, options)


def _unsubscribe(reader: Reader, _kind: int, version: int) -> p.Unsubscribe:
    packet_id = _packet_id(reader)
    options = _properties(reader, version, "UNSUBSCRIBE")
    filters = []
    while reader.more():
        filters.append(reader.utf8())
    if not filters:
        raise protocol_error("UNSUBSCRIBE has no topic filter")  # [MQTT-3.10.3-2]
    return p.Unsubscribe(packet_id, tuple(filters), options)


def _unsuback(reader: Reader, _kind: int, version: int) -> p.Unsuback:
    packet_id = _packet_id(reader)
    if version != p.V5:
        return p.Unsuback(packet_id)
    options = properties.decode(reader, "UNSUBACK")
    reasons = tuple(reader.rest())
    if not reasons or not reason.ALLOWED["UNSUBACK"].issuperset(reasons):
        raise protocol_error("UNSUBACK has no reason code or one that it does not know")
    return p.Unsuback(packet_id, reasons, options)


def _pingreq(_reader: Reader, _kind: int, _version: int) -> p.Pingreq:
    return p.Pingreq()


def _pingresp(_reader: Reader, _kind: int, _version: int) -> p.Pingresp:
    return p.Pingresp()


def _disconnect(reader: Reader, _kind: int, version: int) -> p.Disconnect:
    if version != p.V5 or not reader.more():
        return p.Disconnect()  # 3.14.2.1: no reason code is normal disconnection
    code = _reason(reader, "DISCONNECT")
    if not reader.more():
        return p.Disconnect(code)
    return p.Disconnect(code, properties.decode(reader, "DISCONNECT"))


def _auth(reader: Reader, _kind: int, _version: int) -> p.Auth:
    if not reader.more():
        return p.Auth()  # 3.15.2.1: no reason code is success
    code = _reason(reader, "AUTH")
    if not reader.more():
        return p.Auth(code)
    return p.Auth(code, properties.decode(reader, "AUTH"))


_DECODERS: Final[dict[int, Callable[[Reader, int, int], p.Packet]]] = {
    p.CONNECT: _connect,
    p.CONNACK: _connack,
    p.PUBACK: _publish_answer,
    p.PUBREC: _publish_answer,
    p.PUBREL: _publish_answer,
    p.PUBCOMP: _publish_answer,
    p.SUBSCRIBE: _subscribe,
    p.SUBACK: _suback,
    p.UNSUBSCRIBE: _unsubscribe,
    p.UNSUBACK: _unsuback,
    p.PINGREQ: _pingreq,
    p.PINGRESP: _pingresp,
    p.DISCONNECT: _disconnect,
    p.AUTH: _auth,
}
