"""Bringing commands to devices, and knowing that a device has one.

A client stands for a device if it connected as that device, or subscribed below that device only
(`devices/kitchen/#`): so a device that uses its owner's token counts too, and a dashboard that
listens to `devices/#` does not. A command is published to whoever subscribed when it is made; what
was not acknowledged then is given to clients that stand for the device when they come.
"""

from collections.abc import Callable, Iterable

import msgspec

from barograph.domain.command import Command
from barograph.domain.device import Device
from barograph.domain.time import SECOND
from barograph.mqtt import Broker, Properties, Received
from barograph.mqtt.journal import SessionKey
from barograph.services.core import Core
from barograph.transport.mqtt.topics import Topics, command_topic, reply_topic

_QOS = 1


class Commanding:
    """Everything runs on the event loop but what `received` returns."""

    def __init__(self, core: Core, topics: Topics, broker: Broker) -> None:
        self._core = core
        self._topics = topics
        self._broker = broker

    def publish(self, command: Command, now: float) -> None:
        """Publish a new command, or withdraw one that was called off."""
        if command.cancelled_time is not None:
            self._broker.withdraw(command.id)
            return
        device = self._core.registry.device(command.device_id)
        if device is not None:
            topic, payload, properties = command_message(device, command, self._core.clock())
            self._broker.publish(
                topic, payload, now, qos=_QOS, properties=properties, receipt=command.id
            )

    def listening(self, key: SessionKey, now: float) -> Iterable[int]:
        """A client subscribed or came back: give it what waits. The devices it stands for."""
        devices = self._devices(key[0], self._broker.filters(key))
        for device in devices:
            for command in self._core.commands.waiting(device.id):
                topic, payload, properties = command_message(device, command, self._core.clock())
                self._broker.publish_to(
                    key,
                    topic,
                    payload,
                    now,
                    qos=_QOS,
                    properties=properties,
                    receipt=command.id,
                )
        return [device.id for device in devices]

    def received(self, received: Received) -> Callable[[], None] | None:
        """A client has a command: what is to be noted (on a thread), if it stands for the device."""
        command = self._core.commands.waits(received.receipt)
        if command is None:
            return None
        for device in self._devices(received.principal, received.filters):
            if device.id == command.device_id:
                return self._core.commands.delivered(command.id)
        return None

    def _devices(self, principal: str, filters: Iterable[str]) -> list[Device]:
        kind, _, number = principal.partition(":")
        if kind == "device":
            device = self._core.registry.device(int(number))
            return [] if device is None else [device]
        found: dict[int, Device] = {}
        for one in filters:
            place = self._topics.of_filter(one)
            if place is not None and place.device is not None:
                found[place.device.id] = place.device
        return list(found.values())


def command_message(device: Device, command: Command, now: int) -> tuple[str, bytes, Properties]:
    """Topic, payload and properties of the message that brings a command."""
    left = max(1, (command.expires_time - now) // SECOND)
    properties = Properties(
        payload_format=1,
        message_expiry=left,
        content_type="application/json",
        response_topic=reply_topic(device, command.id),
        correlation_data=str(command.id).encode(),
    )
    payload = msgspec.json.encode({"id": command.id, "command": command.command})
    return command_topic(device), payload, properties
