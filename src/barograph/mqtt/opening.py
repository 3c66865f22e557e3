"""What a CONNECT may ask for, and what it is granted (5.0 and 3.1.1, sections 3.1 and 3.2).

Rules:
- An empty client identifier gets one assigned; 3.1.1 allows it only with Clean Session ([MQTT-3.1.3-6]
  to -8).
- No enhanced authentication is offered ([MQTT-4.12.0-1]).
- A session outlives its connection no longer than we grant; 3.1.1 with Clean Session 0 gets the
  longest (3.1.2.11.2, 3.2.2.3.2).
- The client's keep-alive holds unless 5.0 is told another ([MQTT-3.2.2-22], 3.2.2.3.14).
"""

import secrets

from barograph.mqtt.errors import PeerError
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.packets import V3, V5, Connect
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason
from barograph.mqtt.topics import check_name


def check_connect(connect: Connect, limits: MqttLimits) -> None:
    """PeerError when it asks for what nobody gets here."""
    if len(connect.client_id.encode()) > limits.client_id_bytes_max:
        raise PeerError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            f"a client identifier has at most {limits.client_id_bytes_max} bytes here",
        )
    if not connect.client_id and connect.version == V3 and not connect.clean_start:
        raise PeerError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID, "an empty identifier needs Clean Session"
        )
    if connect.properties.authentication_method is not None:
        raise PeerError(
            Reason.BAD_AUTHENTICATION_METHOD, "enhanced authentication is not offered here"
        )
    if connect.will is not None:
        check_name(connect.will.topic, limits)


def new_client_id() -> str:
    """An identifier that no other client has (3.1.3.1)."""
    return f"auto-{secrets.token_hex(10)}"


def granted_expiry(connect: Connect, limits: MqttLimits) -> int:
    """Seconds for which the session will outlive its connection."""
    longest = limits.session_expiry_seconds_max
    if connect.version == V5:
        return min(connect.properties.session_expiry or 0, longest)
    return 0 if connect.clean_start else longest


def granted_keep_alive(connect: Connect, limits: MqttLimits) -> int:
    """Seconds; 0 is none."""
    longest, asked = limits.keep_alive_seconds_max, connect.keep_alive
    if connect.version == V5 and longest and not 0 < asked <= longest:
        return longest
    return asked


def connack_properties(connect: Connect, client_id: str, limits: MqttLimits) -> Properties:
    """What CONNACK tells: our limits, and where the client does not get what it asked for."""
    expiry, keep_alive = granted_expiry(connect, limits), granted_keep_alive(connect, limits)
    return Properties(
        session_expiry=None if expiry == (connect.properties.session_expiry or 0) else expiry,
        receive_maximum=limits.receive_maximum,
        maximum_packet_size=limits.packet_bytes_max,
        topic_alias_maximum=limits.topic_alias_maximum or None,
        assigned_client_id=None if connect.client_id else client_id,
        server_keep_alive=None if keep_alive == connect.keep_alive else keep_alive,
    )
