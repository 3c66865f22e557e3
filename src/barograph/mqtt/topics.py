"""Topic names and filters, and finding one by the other (5.0 and 3.1.1, section 4.7; 5.0, 4.8.2).

Rules:
- A name or filter has at least one character, no U+0000 and at most 65,535 bytes ([MQTT-4.7.3-1]
  to -3; the reader of strings holds the latter two); our own bounds are in `MqttLimits`.
- A name has no wildcard ([MQTT-4.7.0-1], [MQTT-3.3.2-2]); in a filter `#` is a whole, last level
  and `+` a whole level ([MQTT-4.7.1-1], [MQTT-4.7.1-2]).
- `a/#` also matches `a`; a filter that begins with a wildcard matches no name that begins with `$`
  ([MQTT-4.7.2-1]).
- Comparing is by character, without normalising anything ([MQTT-4.7.3-4]); `/` makes levels, empty
  ones included.
- `$share/name/filter` is a shared subscription: the name has one character or more, and none of
  `/`, `+`, `#` ([MQTT-4.8.2-1], [MQTT-4.8.2-2]). We take it from 3.1.1 clients too, as common
  brokers do.
"""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from barograph.mqtt.errors import PeerError
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.reason import Reason

T = TypeVar("T")

SHARE_PREFIX: Final = "$share/"


def _fault(text: str, limits: MqttLimits) -> str | None:
    if not text:
        return "is empty"
    if len(text.encode()) > limits.topic_bytes_max:
        return f"is longer than {limits.topic_bytes_max} bytes"
    if text.count("/") >= limits.topic_levels_max:
        return f"has more than {limits.topic_levels_max} levels"
    return None


def check_name(name: str, limits: MqttLimits) -> None:
    """PeerError (topic name invalid) unless messages can be published to `name` here."""
    fault = _fault(name, limits)
    if fault is None and ("+" in name or "#" in name):
        fault = "has a wildcard, which only a filter may have"
    if fault is not None:
        raise PeerError(Reason.TOPIC_NAME_INVALID, f"the topic name {name[:80]!r} {fault}")


def check_filter(text: str, limits: MqttLimits) -> tuple[str | None, str]:
    """The group of a shared subscription, or None, and the filter proper.

    PeerError (topic filter invalid) unless it follows the rules.
    """
    group, inner = None, text
    fault = _fault(text, limits)
    if fault is None and text.startswith(SHARE_PREFIX):
        group, slash, inner = text[len(SHARE_PREFIX) :].partition("/")
        if not group or not slash or not inner or "+" in group or "#" in group:
            fault = "is not $share/<name>/<filter> with a name free of wildcards"
    if fault is None:
        levels = inner.split("/")
        last = len(levels) - 1
        for i, level in enumerate(levels):
            if "#" in level and (level != "#" or i != last):
                fault = "has a # that is not the whole last level"
            elif "+" in level and level != "+":
                fault = "has a + that is not a whole level"
    if fault is not None:
        raise PeerError(Reason.TOPIC_FILTER_INVALID, f"the topic filter {text[:80]!r} {fault}")
    return group, inner


def matches(pattern: str, name: str) -> bool:
    """Whether the filter (not a shared one) matches the name; for a single pair."""
    if name.startswith("$") and pattern[:1] in {"#", "+"}:
        return False
    levels = name.split("/")
    wanted = pattern.split("/")
    for i, want in enumerate(wanted):
        if want == "#":
            return True
        if i == len(levels) or want not in {"+", levels[i]}:
            return False
    return len(wanted) == len(levels)


class _Node(Generic[T]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.value: T | None = None


class _Tree(Generic[T]):
    """Values by path; what both trees share. Empty branches are removed."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def get(self, path: str) -> T | None:
        node = self._root
        for level in path.split("/"):
            child = node.children.get(level)
            if child is None:
                return None
            node = child
        return node.value

    def set(self, path: str, value: T) -> None:
        node = self._root
        for level in path.split("/"):
            child = node.children.get(level)
            if child is None:
                child = node.children[level] = _Node()
            node = child
        node.value = value

    def remove(self, path: str) -> T | None:
        """Forget what is kept at `path`, and return it."""
        node = self._root
        way = []
        for level in path.split("/"):
            child = node.children.get(level)
            if child is None:
                return None
            way.append((node, level))
            node = child
        value, node.value = node.value, None
        for parent, level in reversed(way):
            child = parent.children[level]
            if child.children or child.value is not None:
                break
            del parent.children[level]
        return value


class FilterTree(_Tree[T]):
    """Values by topic filter; finds those whose filter matches a name."""

    def match(self, name: str) -> list[T]:
        found: list[T] = []
        wild = not name.startswith("$")  # [MQTT-4.7.2-1]
        nodes = [self._root]
        for level in name.split("/"):
            following = []
            for node in nodes:
                children = node.children
                if wild:
                    rest = children.get("#")
                    if rest is not None and rest.value is not None:
                        found.append(rest.value)
                    one = children.get("+")
                    if one is not None:
                        following.append(one)
                same = children.get(level)
                if same is not None:
                    following.append(same)
            nodes = following
            wild = True
        for node in nodes:
            if node.value is not None:
                found.append(node.value)
            rest = node.children.get("#")
            if rest is not None and rest.value is not None:
                found.append(rest.value)  # `a/#` matches `a` (4.7.1.2)
        return found


class NameTree(_Tree[T]):
    """Values by topic name; finds those whose name a filter matches."""

    def match(self, pattern: str) -> Iterator[T]:
        wanted = pattern.split("/")
        nodes = [self._root]
        for i, want in enumerate(wanted):
            if want == "#":
                yield from _below(nodes, hidden=i == 0)
                return
            following: list[_Node[T]] = []
            for node in nodes:
                if want == "+":
                    following.extend(
                        child
                        for level, child in node.children.items()
                        if i or not level.startswith("$")
                    )
                elif want in node.children:
                    following.append(node.children[want])
            nodes = following
        for node in nodes:
            if node.value is not None:
                yield node.value


def _below(nodes: list[_Node[T]], *, hidden: bool) -> Iterator[T]:
    """All values at and below `nodes`; `hidden` leaves out first levels that begin with `$`."""
    stack = nodes
    if hidden:
        stack = [
            child
            for node in nodes
            for level, child in node.children.items()
            if not level.startswith("$")
        ]
    while stack:
        node = stack.pop()
        if node.value is not None:
            yield node.value
        stack.extend(node.children.values())
