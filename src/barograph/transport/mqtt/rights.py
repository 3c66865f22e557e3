"""Who may publish and subscribe where: a `barograph.mqtt.Authorizer`.

A device has its own topics, a user those of their devices, administrators and the operator have
all. Filters wider than one device are a user's to ask for; what then arrives is asked message by
message. Topics that begin with `$` are the server's to publish to.
"""

from barograph.domain.device import KEY, Device
from barograph.domain.errors import BarographError
from barograph.domain.user import Principal, require_device
from barograph.transport.mqtt.access import STRANGER_NAME, MqttAccess
from barograph.transport.mqtt.topics import Topics


class Rights:
    """Answers for the engine."""

    def __init__(self, access: MqttAccess, topics: Topics, *, auto_create: bool) -> None:
        """`auto_create`: whether users make devices by writing to them."""
        self._access = access
        self._topics = topics
        self._auto_create = auto_create

    def may_publish(self, principal: str, topic: str) -> bool:
        """Whether the client may publish to the topic."""
        who = self._access.principal(principal)
        if who is None or topic.startswith("$") or who.reads_only:
            return False
        place = self._topics.find(topic)
        if place is None:
            return who.is_admin
        if place.device is None:
            return who.is_admin or (place.readings and self.may_create(principal, place.key))
        return _may(who, place.device, write=True)

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether the client may subscribe with the filter."""
        who = self._access.principal(principal)
        if who is None:
            return False
        if who.is_admin:
            return True
        place = self._topics.of_filter(topic_filter)
        if place is not None and place.device is not None:
            return _may(who, place.device)
        if who.kind == "device":
            return False
        if set(topic_filter.split("/")) & {"+", "#"}:
            return True
        return place is not None and self.may_create(principal, place.key)

    def may_receive(self, principal: str, topic: str) -> bool:
        """Whether the client may see messages of the topic."""
        who = self._access.principal(principal)
        if who is None:
            return False
        if who.is_admin:
            return True
        place = self._topics.find(topic)
        return place is not None and place.device is not None and _may(who, place.device)

    def may_create(self, principal: str, key: str) -> bool:
        """Whether the client makes a device of this key by writing to it."""
        who = self._access.principal(principal)
        return (
            self._auto_create
            and principal != STRANGER_NAME
            and who is not None
            and who.kind != "device"
            and not who.reads_only
            and KEY.match(key) is not None
        )


def _may(who: Principal, device: Device, *, write: bool = False) -> bool:
    try:
        require_device(who, device, write=write)
    except BarographError:
        return False
    return True
