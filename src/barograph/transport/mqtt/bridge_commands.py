"""Commands to devices by way of an external broker.

The broker keeps a command for a device that is away and has a session there. It does not say when a
device has it, so a command counts as delivered once the broker has it.
"""

import logging
from collections.abc import Callable

from barograph.domain.command import Command
from barograph.mqtt.client import Client
from barograph.mqtt.client_events import Confirmed
from barograph.mqtt.reason import FAILURE
from barograph.services.core import Core
from barograph.transport.mqtt.commanding import command_message

logger = logging.getLogger(__name__)

_QOS = 1


class BridgeCommands:
    """Everything runs on the event loop but what `confirmed` returns."""

    def __init__(self, core: Core, client: Client) -> None:
        self._core = core
        self._client = client
        self._under_way: dict[int, int] = {}
        """Number of a message to the command's id. The engine sends again what was not confirmed."""

    def publish(self, command: Command, now: float) -> None:
        """Give the broker a command, unless it is being given already, or was called off.

        One that finds no room in the engine's queue goes with the next connection.
        """
        if command.cancelled_time is not None:
            return
        device = self._core.registry.device(command.device_id)
        if device is None or command.id in self._under_way.values():
            return
        topic, payload, properties = command_message(device, command, self._core.clock())
        number = self._client.publish(topic, payload, now, qos=_QOS, properties=properties)
        if number is not None:
            self._under_way[number] = command.id

    def publish_waiting(self, now: float) -> None:
        """Give the broker what no broker or device has had."""
        for command in self._core.commands.waiting():
            self.publish(command, now)

    def confirmed(self, event: Confirmed) -> Callable[[], None] | None:
        """The broker answered: what is to be noted, on a thread."""
        command_id = self._under_way.pop(event.number, None)
        if command_id is None:
            return None
        if event.reason >= FAILURE:
            logger.warning(
                "the MQTT broker does not take command %d (0x%02X): may this user publish to "
                "devices/+/command?",
                command_id,
                event.reason,
            )
            return None
        return self._core.commands.delivered(command_id)
