"""Packets to bytes, for both versions.

Rules:
- The shortest form that the version allows: a 5.0 answer without properties and with reason 0 has
  neither (3.4.2.1, 3.14.2.1, 3.15.2.1).
- What the packet cannot say in the version (properties, most reason codes in 3.1.1) is left out.
- Text that MQTT cannot carry is a ValueError: it is our own, not the peer's.
"""

from barograph.mqtt import packets as p
from barograph.mqtt import properties
from barograph.mqtt.wire import binary, utf8, varint


def frame(head: int, *parts: bytes) -> bytes:
    """A whole packet: its first byte, the remaining length, and the parts (2.1)."""
    body = b"".join(parts)
    return bytes((head,)) + varint(len(body)) + body


def encode(packet: p.Packet, version: int) -> bytes:
    """The bytes of `packet` in `version` (V3 or V5); a CONNECT carries its own version."""
    match packet:
        case p.Connect():
            return _connect(packet)
        case p.Connack():
            flags = bytes((packet.session_present, packet.reason))
            return frame(p.CONNACK << 4, flags, _properties(packet.properties, version))
        case p.Publish():
            return _publish(packet, version)
        case p.PublishAnswer():
            return _publish_answer(packet, version)
        case p.Subscribe():
            filters = b"".join(
                utf8(name) + bytes((_options(options),)) for name, options in packet.filters
            )
            return _with_id(p.SUBSCRIBE, packet, version, filters)
        case p.Suback():
            return _with_id(p.SUBACK, packet, version, bytes(packet.reasons))
        case p.Unsubscribe():
            return _with_id(p.UNSUBSCRIBE, packet, version, b"".join(map(utf8, packet.filters)))
        case p.Unsuback():
            reasons = bytes(packet.reasons) if version == p.V5 else b""
            return _with_id(p.UNSUBACK, packet, version, reasons)
        case p.Pingreq():
            return frame(p.PINGREQ << 4)
        case p.Pingresp():
            return frame(p.PINGRESP << 4)
        case p.Disconnect() | p.Auth():
            return _with_reason(packet, version)


def _properties(some: properties.Properties, version: int) -> bytes:
    return properties.encode(some) if version == p.V5 else b""


def _with_id(
    kind: int,
    packet: p.Subscribe | p.Suback | p.Unsubscribe | p.Unsuback,
    version: int,
    payload: bytes,
) -> bytes:
    return frame(
        kind << 4 | p.FLAGS.get(kind, 0),
        packet.packet_id.to_bytes(2, "big"),
        _properties(packet.properties, version),
        payload,
    )


def _with_reason(packet: p.Disconnect | p.Auth, version: int) -> bytes:
    kind = p.AUTH if isinstance(packet, p.Auth) else p.DISCONNECT
    if version != p.V5 or (not packet.reason and packet.properties == properties.NONE):
        return frame(kind << 4)
    if packet.properties == properties.NONE:
        return frame(kind << 4, bytes((packet.reason,)))
    return frame(kind << 4, bytes((packet.reason,)), properties.encode(packet.properties))


def _connect(packet: p.Connect) -> bytes:
    will = packet.will
    flags = packet.clean_start << 1
    payload = [utf8(packet.client_id)]
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        payload.append(_properties(will.properties, packet.version))
        payload.append(utf8(will.topic))
        payload.append(binary(will.payload))
    if packet.username is not None:
        flags |= 0x80
        payload.append(utf8(packet.username))
    if packet.password is not None:
        flags |= 0x40
        payload.append(binary(packet.password))
    return frame(
        p.CONNECT << 4,
        utf8("MQTT"),
        bytes((packet.version, flags)),
        packet.keep_alive.to_bytes(2, "big"),
        _properties(packet.properties, packet.version),
        *payload,
    )


def _publish(packet: p.Publish, version: int) -> bytes:
    flags = packet.dup << 3 | packet.qos << 1 | packet.retain
    return frame(
        p.PUBLISH << 4 | flags,
        utf8(packet.topic),
        packet.packet_id.to_bytes(2, "big") if packet.qos else b"",
        _properties(packet.properties, version),
        packet.payload,
    )


def _publish_answer(packet: p.PublishAnswer, version: int) -> bytes:
    head = packet.kind << 4 | p.FLAGS.get(packet.kind, 0)
    packet_id = packet.packet_id.to_bytes(2, "big")
    if version != p.V5 or (not packet.reason and packet.properties == properties.NONE):
        return frame(head, packet_id)
    if packet.properties == properties.NONE:
        return frame(head, packet_id, bytes((packet.reason,)))
    return frame(head, packet_id, bytes((packet.reason,)), properties.encode(packet.properties))


def _options(options: p.Options) -> int:
    return (
        options.qos
        | options.no_local << 2
        | options.retain_as_published << 3
        | options.retain_handling << 4
    )
