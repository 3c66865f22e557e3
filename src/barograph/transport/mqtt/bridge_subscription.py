"""What the bridge asks an external broker for.

Several Barographs on one catalog share the messages: `$share/<group>/…`, where the broker has shared
subscriptions. 5.0 says so in CONNACK; for 3.1.1, which cannot, only a group that is set counts, for a
broker without them takes such a filter and then sends nothing.
"""

import logging

from barograph.mqtt.client import Client
from barograph.mqtt.client_events import Connected, Subscribed
from barograph.mqtt.packets import V5, Options
from barograph.mqtt.reason import FAILURE
from barograph.transport.mqtt.bridge_options import BridgeOptions
from barograph.transport.mqtt.bridge_state import BridgeState
from barograph.transport.mqtt.topics import Topics

logger = logging.getLogger(__name__)


class BridgeSubscription:
    """The topic filters, on one connection after the other."""

    def __init__(
        self, client: Client, topics: Topics, state: BridgeState, options: BridgeOptions
    ) -> None:
        self.filters: list[str] = []
        """What is asked for on this connection."""
        self._client = client
        self._topics = topics
        self._state = state
        self._options = options

    def ask(self, event: Connected) -> bool:
        """Subscribe, and give up what is not wanted any more; False where there is nothing to ask."""
        options = Options(qos=1, retain_handling=2 if self._client.version == V5 else 0)
        self.filters = self._wanted(event)
        stale = self._state.filters.difference(self.filters)
        if stale and event.session_present:
            self._client.unsubscribe(sorted(stale))
        if self.filters:
            self._client.subscribe([(one, options) for one in self.filters])
        return bool(self.filters)

    def refusal(self, event: Subscribed) -> str:
        """Why the broker's answer will not do; empty if it does."""
        for name, reason in zip(self.filters, event.reasons, strict=False):
            if reason >= FAILURE:
                return f"the broker refuses the subscription to {name} (0x{reason:02X})"
            if not reason:
                logger.warning(
                    "the MQTT broker grants %s at QoS 0 only: messages may be lost", name
                )
        return ""

    def _wanted(self, event: Connected) -> list[str]:
        options = self._options
        group = options.group_at(event, in_5=self._client.version == V5)
        if options.group and not group:
            logger.warning(
                "the MQTT broker has no shared subscriptions: mqtt_bridge_group does nothing"
            )
        if not group and not options.first:
            return []
        prefix = f"$share/{group}/" if group else ""
        return [prefix + one for one in self._topics.filters()]
