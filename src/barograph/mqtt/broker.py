"""The routing core: sessions, subscriptions, retained messages and wills (5.0, chapters 3 and 4).

Rules:
- A session is found by its owner and its client identifier ([MQTT-3.1.3-2]). Owners keep apart
  what clients of different users happen to name alike; nobody takes over another's session.
- One connection per session; a new one ends the old ([MQTT-3.1.4-3]; 3.1.1 [MQTT-3.1.4-2]).
- A session with expiry 0 ends with its connection, any other when its time without one is over
  ([MQTT-4.1.0-1], [MQTT-4.1.0-2]). 3.1.1's Clean Session 0 means the longest expiry we grant.
- The order of messages on a topic is the order in which they came ([MQTT-4.6.0-5], -6).
- What the host must store and send is collected, in order, until it asks: `take`.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from barograph.mqtt import journal, wills
from barograph.mqtt.errors import PeerError
from barograph.mqtt.journal import Change, SessionKey, Snapshot
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import RETAIN, Message, Published
from barograph.mqtt.opening import granted_expiry
from barograph.mqtt.packets import Connect, Options
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason
from barograph.mqtt.retained import Retained
from barograph.mqtt.session import Link, Session
from barograph.mqtt.subscriptions import Route, Subscriptions
from barograph.mqtt.timers import Timers
from barograph.mqtt.topics import check_filter


class Authorizer(Protocol):
    """Who may what. Answers are remembered until `Broker.rights_changed`.

    `principal` is what the host gave to `Connection.accept`; it is stored with the session, so it
    must mean the same after a restart.
    """

    def may_publish(self, principal: str, topic: str) -> bool: ...

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether the filter (without `$share/<name>/`) may be asked for at all."""

    def may_receive(self, principal: str, topic: str) -> bool:
        """Whether messages of this topic may go to a subscriber whose filter matches."""


class Output(NamedTuple):
    """Bytes for one connection, after which it is to be closed or not."""

    connection: Link
    data: bytes
    close: bool


class Received(NamedTuple):
    """A client acknowledged a message (or was sent it, at QoS 0)."""

    receipt: int
    principal: str
    filters: tuple[str, ...]
    """What the session has subscribed to."""


class Counts(NamedTuple):
    """How much of everything there is."""

    sessions: int
    subscriptions: int
    retained: int


@dataclass(slots=True)
class Effects:
    """What the host has to do: store `changes`, then send `outputs`, and take in `wills`."""

    changes: list[Change]
    outputs: list[Output]
    wills: list[tuple[str, Published]] = field(default_factory=list)
    """Wills that were published, with their principal; subscribers have them already."""
    received: list["Received"] = field(default_factory=list)
    """Messages with a receipt that a client now has."""
    listening: list[SessionKey] = field(default_factory=list)
    """Sessions that subscribed, or came back with subscriptions; once for each time."""


class _SessionTimer(NamedTuple):
    """The will or the end of a session is due."""

    key: SessionKey


class _RetainedTimer(NamedTuple):
    """The expiry of a retained message is due."""

    name: str


def assigned_client_id() -> str:
    """An identifier that no other client has (3.1.3.1)."""
    return f"auto-{secrets.token_hex(10)}"


class Broker:
    """All state that connections share."""

    def __init__(
        self,
        authorizer: Authorizer,
        limits: MqttLimits | None = None,
        *,
        new_client_id: Callable[[], str] = assigned_client_id,
    ) -> None:
        self.authorizer = authorizer
        self.limits = limits or MqttLimits()
        self.new_client_id = new_client_id
        self.timers: Timers[Link | _SessionTimer | _RetainedTimer] = Timers()
        self.counters: Counter[str] = Counter()
        """What was dropped or refused, by kind; each is also worth a line in the host's log."""
        self.delivered = 0
        """Messages given to sessions."""
        self._sessions: dict[SessionKey, Session] = {}
        self._links: dict[Link, None] = {}
        self._subscriptions = Subscriptions(authorizer.may_receive, self.limits.routes_max)
        self._changes: list[Change] = []
        self._dirty: dict[Link, None] = {}
        self._wills: list[tuple[str, Published]] = []
        self._received: list[Received] = []
        self._listening: dict[SessionKey, None] = {}
        self._retained = Retained(self.limits, self._changes.append)

    # For the host.

    def take(self, now: float) -> Effects | None:
        """What is to be stored and sent, or None. Call until it is None."""
        if not (self._changes or self._dirty or self._wills or self._received or self._listening):
            return None
        dirty, self._dirty = self._dirty, {}
        outputs = [Output(link, link.take_output(now), link.closed) for link in dirty]
        changes, self._changes[:] = self._changes[:], []
        published, self._wills = self._wills, []
        received, self._received = self._received, []
        listening, self._listening = self._listening, {}
        return Effects(changes, outputs, published, received, list(listening))

    def tick(self, now: float) -> None:
        """Do what is due: keep-alive, session expiry, wills, retained messages' expiry."""
        for key in self.timers.pop(now):
            match key:
                case _SessionTimer(session_key):
                    self._session_due(session_key, now)
                case _RetainedTimer(name):
                    if self._retained.get(name, now) is None:
                        self._retained.remove(name)
                    else:
                        self._time_retained(name, now)
                case _:
                    key.due(now)

    def next_deadline(self) -> float | None:
        """When `tick` may have something to do; None while nothing can become due."""
        return self.timers.next()

    def publish(
        self,
        topic: str,
        payload: bytes,
        now: float,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        receipt: int = 0,
    ) -> None:
        """Publish a message of the server's own, such as a command to a device."""
        flags = qos << 1 | (RETAIN if retain else 0)
        one = (topic.encode(), payload, flags, 0, properties)
        self.route(None, [one], now, receipt)

    def publish_to(
        self,
        key: SessionKey,
        topic: str,
        payload: bytes,
        now: float,
        *,
        qos: int,
        properties: Properties | None,
        receipt: int,
    ) -> None:
        """Publish to one session, if it subscribed to the topic and does not have this yet."""
        session = self._sessions.get(key)
        route = self._subscriptions.route(topic.encode())
        if session is None or route is None or session.holds(receipt):
            return
        for target in route.targets:
            if target.session is session:
                one = (topic.encode(), payload, qos << 1, 0, properties)
                alone = Route(route.name, [target], [])
                self._deliver(alone, Message.of(one, now, receipt), None, now)

    def link(self, key: SessionKey) -> Link | None:
        """The connection of a session, if it has one."""
        session = self._sessions.get(key)
        return None if session is None else session.link

    def filters(self, key: SessionKey) -> tuple[str, ...]:
        """What a session has subscribed to."""
        session = self._sessions.get(key)
        return () if session is None else tuple(session.subscriptions)

    def counts(self) -> Counts:
        """How much of everything there is now; looks at every session."""
        subscriptions = sum(len(one.subscriptions) for one in self._sessions.values())
        return Counts(len(self._sessions), subscriptions, len(self._retained))

    def rights_changed(self) -> None:
        """Forget every remembered answer of the authorizer."""
        self._subscriptions.forget_routes()
        for link in self._links:
            link.forget_rights()

    def connections(self, principal: str) -> list[Link]:
        """The connections that act for `principal`, for the host to end."""
        return [
            session.link
            for session in self._sessions.values()
            if session.key[0] == principal and session.link is not None
        ]

    def end_sessions(self, principal: str, now: float) -> None:
        """Forget all sessions of a principal that is no more; no will is published."""
        for session in [one for one in self._sessions.values() if one.key[0] == principal]:
            session.will = None
            if session.link is not None:
                session.link.end(
                    Reason.ADMINISTRATIVE_ACTION, "this account or device was removed", now
                )
            if session.key in self._sessions:
                self._end_session(session, now)

    def shut_down(self, now: float) -> None:
        """End every connection. Wills stay in the journal until the next start (3.1.2.5)."""
        for link in list(self._links):
            link.end(Reason.SERVER_SHUTTING_DOWN, "the server is shutting down", now)

    def restore(self, snapshot: Snapshot, now: float) -> None:
        """Take up what was stored, before any connection; those that were open are lost."""
        for message in snapshot.retained.values():
            self._retained.restore(message)
            self._time_retained(message.topic.decode(), now)
        for stored in snapshot.sessions.values():
            session = self._new_session(stored.key, stored.expiry)
            session.restore(stored)
            self._sessions[session.key] = session
            for name, (options, identifier) in session.subscriptions.items():
                group, inner = check_filter(name, self.limits)
                self._subscriptions.add(session, group, inner, options, identifier)
        for session in list(self._sessions.values()):
            self._connection_lost(session, now)

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    # For connections.

    def add_link(self, link: Link) -> None:
        self._links[link] = None

    def mark(self, link: Link) -> None:
        """`link` has something to send, or wants to be closed."""
        self._dirty[link] = None

    def open_session(
        self, link: Link, connect: Connect, client_id: str, principal: str, now: float
    ) -> tuple[Session, bool]:
        """The session for an accepted CONNECT, and whether it was there before.

        PeerError when it cannot be had: the will is not one, or not allowed, or there are too many
        sessions.
        """
        key = (principal, client_id)
        will = None if connect.will is None else wills.will_of(connect.will, self.limits)
        if will is not None and not self.authorizer.may_publish(
            principal, will.message.topic.decode()
        ):
            raise PeerError(Reason.NOT_AUTHORIZED, "the will's topic is not yours to publish to")
        session = self._sessions.get(key)
        if session is None and len(self._sessions) >= self.limits.sessions_max:
            raise PeerError(Reason.QUOTA_EXCEEDED, "the server has no room for another session")
        if session is not None and session.link is not None:
            session.link.end(Reason.SESSION_TAKEN_OVER, "this client connected again", now)
            session = self._sessions.get(key)  # one with expiry 0 ended with its connection
        if session is not None and connect.clean_start:
            self._end_session(session, now)  # [MQTT-3.1.2-4]
            session = None
        present = session is not None
        expiry = granted_expiry(connect, self.limits)
        if session is None:
            session = self._new_session(key, expiry)
            self._sessions[key] = session
        session.expiry, session.closed_at, session.will = expiry, None, will
        session.save()
        session.link = link
        if session.subscriptions:
            self._listening[key] = None
        self.timers.cancel(_SessionTimer(key))
        return session, present

    def link_lost(self, link: Link, session: Session | None, now: float) -> None:
        """The connection is over. What becomes of the session and its will is decided here."""
        self._links.pop(link, None)
        self.timers.cancel(link)
        if session is not None and session.link is link:
            session.detach()
            self._connection_lost(session, now)

    def shut_link(self, link: Link, session: Session | None) -> None:
        """The connection is over because the server stops: nothing becomes of the will yet."""
        self._links.pop(link, None)
        self.timers.cancel(link)
        if session is not None and session.link is link:
            session.detach()

    def route(
        self,
        publisher: Session | None,
        published: Iterable[Published],
        now: float,
        receipt: int = 0,
    ) -> None:
        """Give the messages to whom they concern, in order."""
        find = self._subscriptions.route
        for one in published:
            route = find(one[0])
            if route is None and not one[2] & RETAIN:
                continue
            message = Message.of(one, now, receipt)
            if message.retain:
                self._retain(message, now)
            if route is not None:
                self._deliver(route, message, publisher, now)

    def subscribe(
        self, session: Session, name: str, options: Options, identifier: int | None, now: float
    ) -> int:
        """Subscribe the session; returns the reason code for SUBACK.

        PeerError when the filter does not follow the rules.
        """
        group, inner = check_filter(name, self.limits)
        if group is not None and options.no_local:
            # [MQTT-3.8.3-4]
            raise PeerError(Reason.PROTOCOL_ERROR, "a shared subscription cannot be no-local")
        if not self.authorizer.may_subscribe(session.key[0], inner):
            return Reason.NOT_AUTHORIZED
        new = name not in session.subscriptions
        if new and len(session.subscriptions) >= self.limits.subscriptions_max:
            return Reason.QUOTA_EXCEEDED
        session.subscribe(name, options, identifier)
        self._listening[session.key] = None
        self._subscriptions.add(session, group, inner, options, identifier)
        # A shared subscription gets no retained messages (3.3.1.3, 4.8.2).
        if group is None and (
            options.retain_handling == 0 or (options.retain_handling == 1 and new)
        ):
            session.backlog.extend(
                (topic, options.qos, identifier) for topic in self._retained.match(inner, now)
            )
        return options.qos

    def unsubscribe(self, session: Session, name: str) -> int:
        """Unsubscribe the session; returns the reason code for UNSUBACK."""
        if not session.unsubscribe(name):
            return Reason.NO_SUBSCRIPTION_EXISTED
        group, inner = check_filter(name, self.limits)
        self._subscriptions.remove(session, group, inner)
        return Reason.SUCCESS

    def pump(self, session: Session, now: float) -> None:
        """Send the session what waits for it, as far as its connection takes it."""
        session.pump(now)
        link = session.link
        while session.backlog and link is not None and link.writable:
            name, granted, identifier = session.backlog[0]
            message = self._retained.get(name, now)
            qos = min(granted, message.qos) if message is not None else 0
            if qos and not session.ready:
                return
            session.backlog.popleft()
            if message is None or not self.authorizer.may_receive(session.key[0], name):
                continue
            identifiers = () if identifier is None else (identifier,)
            self._offer(session, message, qos, now, retain=True, identifiers=identifiers)

    # Within.

    def _new_session(self, key: SessionKey, expiry: int) -> Session:
        return Session(key, expiry, self.limits, self._changes.append, self._note_received)

    def _note_received(self, session: Session, message: Message) -> None:
        self._received.append(
            Received(message.receipt, session.key[0], tuple(session.subscriptions))
        )

    def _deliver(
        self, route: Route, message: Message, publisher: Session | None, now: float
    ) -> None:
        for target in route.targets:
            one = target.for_own() if target.session is publisher else target
            if one is not None:
                self._offer(
                    one.session,
                    message,
                    min(message.qos, one.qos),
                    now,
                    retain=message.retain and one.retain,
                    identifiers=one.identifiers,
                )
        for group in route.groups:
            chosen = self._subscriptions.chosen(group, route.name)
            if chosen is not None:
                self._offer(
                    chosen.session,
                    message,
                    min(message.qos, chosen.options.qos),
                    now,
                    retain=message.retain and chosen.options.retain_as_published,
                    identifiers=() if chosen.identifier is None else (chosen.identifier,),
                )

    def _offer(
        self,
        session: Session,
        message: Message,
        qos: int,
        now: float,
        *,
        retain: bool,
        identifiers: tuple[int, ...],
    ) -> None:
        if session.offer(message, qos, now, retain=retain, identifiers=identifiers):
            self.delivered += 1
        else:
            self.counters["messages_dropped"] += 1

    def _retain(self, message: Message, now: float) -> None:
        if not self._retained.set(message):
            self.counters["retained_refused"] += 1
        elif message.expires_at is not None:
            self._time_retained(message.topic.decode(), now)

    def _time_retained(self, name: str, now: float) -> None:
        message = self._retained.get(name, now)
        if message is not None and message.expires_at is not None:
            self.timers.set(_RetainedTimer(name), message.expires_at)

    def _connection_lost(self, session: Session, now: float) -> None:
        """The session has no connection; since now, unless it is known otherwise."""
        if session.closed_at is None:
            session.closed_at = now
            session.save()
        self._session_due(session.key, now)

    def _session_due(self, key: SessionKey, now: float) -> None:
        session = self._sessions.get(key)
        if session is None or session.closed_at is None:
            return
        will_at = wills.due_at(session)
        if will_at is not None and will_at <= now:
            self._publish_will(session, now)
            will_at = None
        end_at = session.closed_at + session.expiry
        if end_at <= now:
            self._end_session(session, now)
        else:
            self.timers.set(_SessionTimer(key), end_at if will_at is None else will_at)

    def _end_session(self, session: Session, now: float) -> None:
        if session.will is not None:
            self._publish_will(session, now)
        for name in session.subscriptions:
            group, inner = check_filter(name, self.limits)
            self._subscriptions.remove(session, group, inner)
        session.record(journal.SessionEnded(session.key))
        session.stored = False
        del self._sessions[session.key]
        self.timers.cancel(_SessionTimer(session.key))

    def _publish_will(self, session: Session, now: float) -> None:
        will = session.will
        if will is None:
            return
        session.will = None
        message = wills.message_of(will, now)
        flags = message.qos << 1 | message.retain
        self._wills.append(
            (session.key[0], (message.topic, message.payload, flags, 0, None)),
        )
        session.save()
        if message.retain:
            self._retain(message, now)
        route = self._subscriptions.route(message.topic)
        if route is not None:
            self._deliver(route, message, session, now)
