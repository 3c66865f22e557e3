"""How the bridge is set up."""

import ssl
from dataclasses import dataclass

from barograph.mqtt.client_events import Connected
from barograph.transport.mqtt.broker_address import BrokerAddress


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """The settings of the bridge."""

    broker: BrokerAddress
    tls: ssl.SSLContext | None = None
    """Given where the address asks for TLS."""
    user: str = ""
    """Whose the messages are: the name of a user; empty: nobody's."""
    group: str = ""
    """Of the shared subscription, as set; empty: one for all that use this catalog."""
    default_group: str = "barograph"
    """That one."""
    first: bool = True
    """Whether this process takes the messages where the broker can give them to each only."""
    session_seconds: int = 0
    """How long the broker shall keep our session while we are away (5.0)."""

    def group_at(self, event: Connected, *, in_5: bool) -> str:
        """The shared subscription to use at a broker that says this of itself; empty: none.

        5.0 says in CONNACK whether there are any; for 3.1.1 only a group that is set counts.
        """
        if not in_5:
            return self.group
        shared = event.properties.shared_available != 0
        return (self.group or self.default_group) if shared else ""
