"""Whose the messages of an external broker are."""

import asyncio

from barograph.domain.errors import BarographError
from barograph.services.core import Core
from barograph.transport.mqtt.access import STRANGER_NAME, MqttAccess
from barograph.transport.mqtt.bridge_line import NotNow


class BridgeUser:
    """The user that the settings name, or nobody."""

    def __init__(self, core: Core, access: MqttAccess, username: str) -> None:
        """`username` is empty where the messages are nobody's."""
        self._core = core
        self._access = access
        self._username = username

    async def publisher_name(self) -> str:
        """Who the messages are from, as `MqttAccess` knows them; raises `NotNow`."""
        name = self._username
        if not name:
            return STRANGER_NAME
        try:
            user = await asyncio.to_thread(self._core.catalog.users.find, name)
        except BarographError as error:
            raise NotNow(str(error)) from None
        if user is None:
            raise NotNow(f"there is no user {name!r} (mqtt_bridge_user)")
        if user.role == "viewer":
            raise NotNow(f"the user {name!r} (mqtt_bridge_user) is a viewer and writes nothing")
        return f"user:{user.id}"

    def may_write(self, publisher_name: str) -> bool:
        """Whether that is still somebody who may write."""
        who = self._access.principal(publisher_name)
        return who is not None and who.role != "viewer"
