"""Who gets which message: subscriptions and retained messages (5.0, sections 3.3, 3.8, 3.10, 4.6).

Rules:
- The order of messages on a topic is the order in which they came ([MQTT-4.6.0-5], -6).
- A new subscription gets the retained messages that it matches, unless it is shared or asks for none
  ([MQTT-3.3.1-9] to -11), as its connection takes them.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from barograph.mqtt.authorizer import Authorizer
from barograph.mqtt.errors import PeerError
from barograph.mqtt.journal import Change
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import RETAIN, Message, Published
from barograph.mqtt.packets import Options
from barograph.mqtt.reason import Reason
from barograph.mqtt.retained import Retained
from barograph.mqtt.session import Session
from barograph.mqtt.subscriptions import Route, Subscriptions
from barograph.mqtt.topics import check_filter


class RetainedTimer(NamedTuple):
    """The expiry of a retained message is due."""

    name: str


class Routing:
    """All subscriptions and retained messages."""

    def __init__(
        self,
        authorizer: Authorizer,
        limits: MqttLimits,
        record: Callable[[Change], None],
        set_timer: Callable[[RetainedTimer, float], None],
    ) -> None:
        """`record` names changes to the journal; `retained_due` is to be called at a timer's time."""
        self.authorizer = authorizer
        self.limits = limits
        self.counters: Counter[str] = Counter()
        """What was dropped or refused, by kind; each is also worth a line in the host's log."""
        self.delivered = 0
        """Messages given to sessions."""
        self._set_timer = set_timer
        self._subscriptions = Subscriptions(authorizer.may_receive, limits.routes_max)
        self._retained = Retained(limits, record)

    @property
    def retained_count(self) -> int:
        """How many topics have a retained message."""
        return len(self._retained)

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
            self._give(route, Message.of(one, now, receipt), publisher, now)

    def publish(self, message: Message, publisher: Session | None, now: float) -> None:
        """Give one message to whom it concerns."""
        self._give(self._subscriptions.route(message.topic), message, publisher, now)

    def publish_to(self, session: Session, message: Message, now: float) -> None:
        """Give a message to one session, if that subscribed to its topic."""
        route = self._subscriptions.route(message.topic)
        if route is None:
            return
        for target in route.targets:
            if target.session is session:
                self._deliver(Route(route.name, [target], []), message, None, now)

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

    def restore_subscriptions(self, session: Session) -> None:
        """Take up the subscriptions of a session that was stored."""
        for name, (options, identifier) in session.subscriptions.items():
            group, inner = check_filter(name, self.limits)
            self._subscriptions.add(session, group, inner, options, identifier)

    def remove_subscriptions(self, session: Session) -> None:
        """The session ends."""
        for name in session.subscriptions:
            group, inner = check_filter(name, self.limits)
            self._subscriptions.remove(session, group, inner)

    def rights_changed(self) -> None:
        """Forget what the authorizer answered."""
        self._subscriptions.forget_routes()

    def restore_retained(self, message: Message, now: float) -> None:
        """Take up a retained message that was stored."""
        self._retained.restore(message)
        self._time_retained(message.topic.decode(), now)

    def forget_retained(self, pattern: str, gone: Callable[[str], bool], now: float) -> None:
        """Forget the retained messages that the filter matches and whose topic is `gone`."""
        for name in [one for one in self._retained.match(pattern, now) if gone(one)]:
            self._retained.remove(name)

    def retained_due(self, name: str, now: float) -> None:
        """The time of a topic's retained message may be over."""
        if self._retained.get(name, now) is None:
            self._retained.remove(name)
        else:
            self._time_retained(name, now)

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

    def _give(
        self, route: Route | None, message: Message, publisher: Session | None, now: float
    ) -> None:
        if message.retain:
            self._retain(message, now)
        if route is not None:
            self._deliver(route, message, publisher, now)

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
        if message.receipt and session.holds(message.receipt):
            return
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
            self._set_timer(RetainedTimer(name), message.expires_at)
