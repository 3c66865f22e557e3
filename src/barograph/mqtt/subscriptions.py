"""Who gets a message (5.0, sections 3.3.4, 3.8, 4.7, 4.8).

Rules:
- A client gets one copy, at the highest QoS of its matching subscriptions ([MQTT-3.3.4-2]), with
  the identifiers of all of them ([MQTT-3.3.4-4]).
- A subscription with No Local does not count for the session's own messages ([MQTT-3.8.3-3]).
- Of a shared subscription one member gets it (4.8.2), and each matching group counts by itself.
- What matches a topic is found once and remembered until a subscription or a right changes.
"""

from collections.abc import Callable
from typing import Final

from barograph.mqtt.packets import Options
from barograph.mqtt.session import Session
from barograph.mqtt.topics import FilterTree


class Subscription:
    """One filter of one session."""

    __slots__ = ("identifier", "options", "session")

    def __init__(self, session: Session, options: Options, identifier: int | None) -> None:
        self.session = session
        self.options = options
        self.identifier = identifier


class Group:
    """The members of one shared subscription, in turn."""

    __slots__ = ("members", "turn")

    def __init__(self) -> None:
        self.members: dict[int, Subscription] = {}
        self.turn = 0

    def choose(self, allowed: Callable[[Session], bool]) -> Subscription | None:
        """The member whose turn it is: one that is ready, else a connected one, else any."""
        members = [one for one in self.members.values() if allowed(one.session)]
        if not members:
            return None
        self.turn += 1
        start = self.turn % len(members)
        order = members[start:] + members[:start]
        for one in order:
            if one.session.ready:
                return one
        return next((one for one in order if one.session.link is not None), order[0])


class Target:
    """A session that gets the messages of a topic, by these of its subscriptions."""

    __slots__ = ("identifiers", "local", "parts", "qos", "retain", "session")

    def __init__(self, parts: list[Subscription]) -> None:
        self.parts = parts
        self.session = parts[0].session
        self.qos = max(one.options.qos for one in parts)
        self.retain = any(one.options.retain_as_published for one in parts)
        self.identifiers = tuple(one.identifier for one in parts if one.identifier is not None)
        self.local = all(not one.options.no_local for one in parts)

    def for_own(self) -> "Target | None":
        """The target as it is for a message that the session itself published."""
        if self.local:
            return self
        parts = [one for one in self.parts if not one.options.no_local]
        return Target(parts) if parts else None


class Route:
    """All that get the messages of one topic."""

    __slots__ = ("groups", "name", "targets")

    def __init__(self, name: str, targets: list[Target], groups: list[Group]) -> None:
        self.name = name
        self.targets = targets
        self.groups = groups


class _Entry:
    """Everything subscribed with one filter."""

    __slots__ = ("groups", "plain")

    def __init__(self) -> None:
        self.plain: dict[int, Subscription] = {}
        self.groups: dict[str, Group] = {}


UNKNOWN: Final = object()


class Subscriptions:
    """All subscriptions of all sessions."""

    def __init__(self, may_receive: Callable[[str, str], bool], routes_max: int) -> None:
        """`may_receive(principal, topic)` says who may see what."""
        self._tree: FilterTree[_Entry] = FilterTree()
        self._may_receive = may_receive
        self._routes: dict[bytes, Route | None] = {}
        self._routes_max = routes_max

    def add(
        self,
        session: Session,
        group: str | None,
        inner: str,
        options: Options,
        identifier: int | None,
    ) -> None:
        """Add or replace ([MQTT-3.8.4-3]) the session's subscription to `inner` in `group`."""
        entry = self._tree.get(inner)
        if entry is None:
            entry = _Entry()
            self._tree.set(inner, entry)
        shared = None if group is None else entry.groups.setdefault(group, Group())
        members = entry.plain if shared is None else shared.members
        members[id(session)] = Subscription(session, options, identifier)
        self._routes.clear()

    def remove(self, session: Session, group: str | None, inner: str) -> None:
        """Remove the session's subscription to `inner` in `group`, which exists."""
        entry = self._tree.get(inner)
        if entry is None:
            return
        if group is None:
            entry.plain.pop(id(session), None)
        elif group in entry.groups:
            entry.groups[group].members.pop(id(session), None)
            if not entry.groups[group].members:
                del entry.groups[group]
        if not entry.plain and not entry.groups:
            self._tree.remove(inner)
        self._routes.clear()

    def forget_routes(self) -> None:
        """The rights have changed."""
        self._routes.clear()

    def route(self, topic: bytes) -> Route | None:
        """Who gets messages of `topic`; None when nobody does."""
        found = self._routes.get(topic, UNKNOWN)
        if found is UNKNOWN:
            found = self._find(topic.decode())
            if len(self._routes) >= self._routes_max:
                self._routes.clear()
            self._routes[topic] = found
        assert found is None or isinstance(found, Route)
        return found

    def _find(self, name: str) -> Route | None:
        by_session: dict[int, list[Subscription]] = {}
        groups: list[Group] = []
        for entry in self._tree.match(name):
            for key, one in entry.plain.items():
                by_session.setdefault(key, []).append(one)
            groups.extend(entry.groups.values())
        targets = [
            Target(parts)
            for parts in by_session.values()
            if self._may_receive(parts[0].session.key[0], name)
        ]
        return Route(name, targets, groups) if targets or groups else None

    def chosen(self, group: Group, name: str) -> Subscription | None:
        """The member of `group` that gets a message of topic `name`."""
        return group.choose(lambda session: self._may_receive(session.key[0], name))
