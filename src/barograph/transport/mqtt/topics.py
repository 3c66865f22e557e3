"""Which topic carries readings, of which device and metric.

    devices/<device>  devices/<device>/data     objects, as in POST …/data
    devices/<device>/<metric>                   one value
    devices/<device>/command                    no readings: what the device is told
    devices/<device>/command/<id>/reply         what it answers
    a template of the settings, such as home/{device}/sensor/{metric}

A device's key may hold slashes, and so may a metric's name: the longest key that is registered
counts. Where none is, the device's key is the first level.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from barograph.domain.device import Device
from barograph.services.registry import Registry

PREFIX = "devices/"
COMMAND = "command"
_DEVICE, _METRIC, _ANY = "{device}", "{metric}", "+"
_KEY_CHARS_MAX = 128


@dataclass(frozen=True, slots=True)
class Template:
    """A pattern of topics, by level: a word, `{device}`, `{metric}`, or `+` for whatever it is."""

    levels: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """The template that `text` writes down; raises `ValueError`, which says what is right."""
        levels = tuple(text.split("/"))
        if text.startswith(("$", PREFIX)):
            raise ValueError(f"{text!r}: a template begins neither with $ nor with {PREFIX}")
        if levels.count(_DEVICE) != 1 or levels.count(_METRIC) > 1:
            raise ValueError(
                f"{text!r}: a template has one level {_DEVICE} and at most one {_METRIC}, "
                f"such as home/{_DEVICE}/sensor/{_METRIC}"
            )
        if any(
            set(level) & set("{}#+") for level in levels if level not in {_DEVICE, _METRIC, _ANY}
        ):
            raise ValueError(f"{text!r}: other levels are plain words or +")
        return cls(levels)

    @property
    def filter(self) -> str:
        """The topic filter of all topics that may fit."""
        return "/".join(_ANY if level in {_DEVICE, _METRIC} else level for level in self.levels)

    def filter_of(self, device: str) -> str:
        """The topic filter of all topics of one device that may fit."""
        return "/".join(
            device if level == _DEVICE else _ANY if level == _METRIC else level
            for level in self.levels
        )

    def match(self, levels: list[str]) -> tuple[str, str | None] | None:
        """The device and the metric that a topic of these levels names, if it fits."""
        if len(levels) != len(self.levels):
            return None
        device, metric = "", None
        for mine, given in zip(self.levels, levels, strict=True):
            if mine == _DEVICE:
                device = given
            elif mine == _METRIC:
                metric = given
            elif mine not in {given, _ANY}:
                return None
        return device, metric

    def device_of_filter(self, levels: list[str]) -> str | None:
        """The device that a topic filter of these levels names, if all that fits names only it."""
        for i, mine in enumerate(self.levels):
            if i == len(levels) or levels[i] == "#":
                return None
            if mine == _DEVICE:
                return None if levels[i] == _ANY else levels[i]
            if mine not in {levels[i], _METRIC, _ANY}:
                return None  # another word, or a wildcard where the template has a word
        return None


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic stands for."""

    key: str
    """What the topic calls the device."""
    device: Device | None
    """None where it is not registered."""
    metric: str | None = None
    """None where the payload names the metrics."""
    readings: bool = True
    """Whether messages carry readings."""
    command: int | None = None
    """The command to which messages are the reply."""


def command_topic(device: Device) -> str:
    """Where the device is told what to do."""
    return f"{PREFIX}{device.key}/{COMMAND}"


def reply_topic(device: Device, command_id: int) -> str:
    """Where the device answers a command."""
    return f"{command_topic(device)}/{command_id}/reply"


def _replied_to(levels: list[str]) -> int | None:
    if len(levels) == 2 and levels[1] == "reply" and levels[0].isascii() and levels[0].isdigit():
        return int(levels[0]) if len(levels[0]) < 19 else None
    return None


def filters_of(templates: Iterable[Template]) -> list[str]:
    """Topic filters that match every topic with readings."""
    return list(dict.fromkeys([f"{PREFIX}#", *(one.filter for one in templates)]))


class Topics:
    """Finds the place of a topic."""

    def __init__(self, registry: Registry, templates: Iterable[Template] = ()) -> None:
        self._registry = registry
        self._templates = tuple(templates)

    def find(self, topic: str) -> Place | None:
        """The place of the topic, or None for one that has to do with no device."""
        if topic.startswith(PREFIX):
            return self._below_devices(topic[len(PREFIX) :].split("/"))
        levels = topic.split("/")
        for template in self._templates:
            found = template.match(levels)
            if found is not None:
                key, metric = found
                return Place(key, self._registry.device(key), metric)
        return None

    def filters(self) -> list[str]:
        """Topic filters that match every topic with readings."""
        return filters_of(self._templates)

    def of_device(self, ref: str) -> list[str]:
        """Topic filters that match every topic of a device that is called so."""
        found = [f"{PREFIX}{ref}/#"]
        if "/" not in ref:
            found += [one.filter_of(ref) for one in self._templates]
        return found

    def of_filter(self, topic_filter: str) -> Place | None:
        """The place below which all topics lie that match the filter; None for a wider one."""
        levels = topic_filter.split("/")
        if topic_filter.startswith(PREFIX):
            plain = levels[1:]
            for i, level in enumerate(plain):
                if level in {"+", "#"}:
                    plain = plain[:i]
                    break
            return self._below_devices(plain) if plain else None
        for template in self._templates:
            key = template.device_of_filter(levels)
            if key is not None:
                return Place(key, self._registry.device(key))
        return None

    def _below_devices(self, levels: list[str]) -> Place:
        device, count = None, 1
        for n in range(len(levels), 0, -1):
            key = "/".join(levels[:n])
            if len(key) <= _KEY_CHARS_MAX:
                device = self._registry.device(key)
                if device is not None:
                    count = n
                    break
        key, rest = "/".join(levels[:count]), levels[count:]
        if not rest or rest == ["data"]:
            return Place(key, device)
        if rest[0] == COMMAND:
            return Place(key, device, readings=False, command=_replied_to(rest[1:]))
        return Place(key, device, "/".join(rest))
