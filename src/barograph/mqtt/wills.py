"""Wills: the message that a client leaves for the case that its connection is lost (3.1.2.5).

Rules:
- Kept with the session while the connection lasts ([MQTT-3.1.2-7]); removed when published, or on
  DISCONNECT with reason 0 ([MQTT-3.1.2-10], [MQTT-3.14.4-3]); DISCONNECT 0x04 publishes it.
- Published when the connection is closed otherwise and its delay is over or the session ends,
  whichever is first ([MQTT-3.1.2-8], 3.1.3.2.2); a new connection to the session within the delay
  withdraws it ([MQTT-3.1.3-9]).
- Its topic must be a topic name; its properties go with it, user properties in order
  ([MQTT-3.1.3-10]).
"""

from dataclasses import replace

from barograph.mqtt.journal import WillMessage
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Message
from barograph.mqtt.packets import Will
from barograph.mqtt.properties import FORWARDED, encode_some
from barograph.mqtt.session import Session
from barograph.mqtt.topics import check_name


def will_of(will: Will, limits: MqttLimits) -> WillMessage:
    """The will as it is kept. PeerError when its topic is none."""
    check_name(will.topic, limits)
    message = Message(
        will.topic.encode(),
        will.payload,
        will.qos,
        will.retain,
        encode_some(will.properties, FORWARDED),
    )
    return WillMessage(message, will.properties.will_delay or 0, will.properties.message_expiry)


def message_of(will: WillMessage, now: float) -> Message:
    """The message to publish now."""
    expires_at = None if will.expiry is None else now + will.expiry
    return replace(will.message, expires_at=expires_at)


def due_at(session: Session) -> float | None:
    """When the will of a session without connection is to be published; None when there is none."""
    if session.will is None or session.closed_at is None:
        return None
    return session.closed_at + min(session.will.delay, session.expiry)
