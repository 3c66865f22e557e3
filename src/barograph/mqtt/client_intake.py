"""Where the messages that a client gets go: nowhere further, for its host has them already."""

from collections import Counter
from collections.abc import Iterable

from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Published
from barograph.mqtt.session import Session


class _AnyTopic:
    """An `Authorizer`: what the server sends is what we asked for."""

    def may_publish(self, principal: str, topic: str) -> bool:
        del principal, topic
        return True

    may_subscribe = may_receive = may_publish


class HostHasThem:
    """A `Router`: messages go nowhere further, for the host has them already."""

    def __init__(self, limits: MqttLimits) -> None:
        self.limits = limits
        self.authorizer = _AnyTopic()
        self.counters: Counter[str] = Counter()

    def route(self, publisher: Session | None, publishes: Iterable[Published], now: float) -> None:
        """See `inbound.Router`."""
