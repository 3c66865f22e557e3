"""What connections share: sessions, their wills and their ends (5.0, chapters 3 and 4).

Rules:
- A session is found by its owner and its client identifier ([MQTT-3.1.3-2]). Owners keep apart
  what clients of different users happen to name alike; nobody takes over another's session.
- One connection per session; a new one ends the old ([MQTT-3.1.4-3]; 3.1.1 [MQTT-3.1.4-2]).
- A session with expiry 0 ends with its connection, any other when its time without one is over
  ([MQTT-4.1.0-1], [MQTT-4.1.0-2]). 3.1.1's Clean Session 0 means the longest expiry we grant.
- What the host must store and send is collected, in order, until it asks: `take`.
"""

from collections.abc import Callable
from typing import NamedTuple

from barograph.mqtt import journal, wills
from barograph.mqtt.authorizer import Authorizer
from barograph.mqtt.effects import Counts, Effects, Output, Received
from barograph.mqtt.errors import PeerError
from barograph.mqtt.journal import Change, SessionKey, Snapshot
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import RETAIN, Message, Published
from barograph.mqtt.opening import granted_expiry
from barograph.mqtt.packets import Connect, Options
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import FAILURE, Reason
from barograph.mqtt.routing import RetainedTimer, Routing
from barograph.mqtt.session import Link, Session
from barograph.mqtt.timers import Timers


class _SessionTimer(NamedTuple):
    """The will or the end of a session is due."""

    key: SessionKey


class Broker:
    """All state that connections share."""

    def __init__(self, authorizer: Authorizer, limits: MqttLimits | None = None) -> None:
        self.authorizer = authorizer
        self.limits = limits or MqttLimits()
        self.timers: Timers[Link | _SessionTimer | RetainedTimer] = Timers()
        self._sessions: dict[SessionKey, Session] = {}
        self._links: dict[Link, None] = {}
        self._changes: list[Change] = []
        self._dirty: dict[Link, None] = {}
        self._wills: list[tuple[str, Published]] = []
        self._received: list[Received] = []
        self._listening: dict[SessionKey, None] = {}
        self.routing = Routing(
            authorizer,
            self.limits,
            self._changes.append,
            self.timers.set,
        )
        """Who gets what."""

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
                case RetainedTimer(name):
                    self.routing.retained_due(name, now)
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
        self.routing.route(None, [one], now, receipt)

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
        """Publish to one session, if it subscribed to the topic."""
        session = self._sessions.get(key)
        if session is not None:
            one = (topic.encode(), payload, qos << 1, 0, properties)
            self.routing.publish_to(session, Message.of(one, now, receipt), now)

    def withdraw(self, receipt: int) -> None:
        """Give a message of the server's own to nobody more; looks at every session."""
        for session in self._sessions.values():
            session.withdraw(receipt)

    def forget_retained(self, pattern: str, gone: Callable[[str], bool], now: float) -> None:
        """Forget the retained messages that the filter matches and whose topic is `gone`."""
        self.routing.forget_retained(pattern, gone, now)

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
        return Counts(len(self._sessions), subscriptions, self.routing.retained_count)

    def rights_changed(self) -> None:
        """Forget every remembered answer of the authorizer."""
        self.routing.rights_changed()
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
            self.routing.restore_retained(message, now)
        for stored in snapshot.sessions.values():
            session = self._new_session(stored.key, stored.expiry)
            session.restore(stored)
            self._sessions[session.key] = session
            self.routing.restore_subscriptions(session)
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

    def subscribe(
        self, session: Session, name: str, options: Options, identifier: int | None, now: float
    ) -> int:
        """Subscribe the session; returns the reason code for SUBACK.

        PeerError when the filter does not follow the rules.
        """
        reason = self.routing.subscribe(session, name, options, identifier, now)
        if reason < FAILURE:
            self._listening[session.key] = None
        return reason

    # Within.

    def _new_session(self, key: SessionKey, expiry: int) -> Session:
        return Session(key, expiry, self.limits, self._changes.append, self._note_received)

    def _note_received(self, session: Session, message: Message) -> None:
        self._received.append(
            Received(message.receipt, session.key[0], tuple(session.subscriptions))
        )

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
        self.routing.remove_subscriptions(session)
        session.record(journal.SessionEnded(session.key))
        session.stored = False
        del self._sessions[session.key]
        self.timers.cancel(_SessionTimer(session.key))

    def _publish_will(self, session: Session, now: float) -> None:
        will = session.will
        if will is None:
            return
        session.will = None
        # It may have waited for long, and across a restart.
        if not self.authorizer.may_publish(session.key[0], will.message.topic.decode()):
            session.save()
            return
        message = wills.message_of(will, now)
        flags = message.qos << 1 | message.retain
        self._wills.append(
            (session.key[0], (message.topic, message.payload, flags, 0, None)),
        )
        session.save()
        self.routing.publish(message, session, now)
