"""What one client publishes: permission, aliases, and answers in order (5.0, 3.3, 4.3, 4.6, 4.9).

Rules:
- A topic alias is between 1 and our maximum and stands for something ([MQTT-3.3.2-8],
  [MQTT-3.3.2-9], [MQTT-3.3.2-12]); aliases end with the connection ([MQTT-3.3.2-7]).
- A PUBLISH without the right to it is refused in its answer on 5.0, and ends the connection on
  3.1.1, which has no other way to say so (3.1.1 [MQTT-3.3.5-2]).
- No more than our Receive Maximum may wait for their answer ([MQTT-3.3.4-7]); QoS 2 counts until
  PUBCOMP.
- A QoS 2 message that comes again is answered and goes nowhere ([MQTT-4.3.3-10]), also when it comes
  on a new connection while the host still has the first one.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from barograph.mqtt import packets as p
from barograph.mqtt.authorizer import Authorizer
from barograph.mqtt.encode import encode
from barograph.mqtt.errors import MisuseError, PeerError, protocol_error
from barograph.mqtt.intake import PUBACK_WORD, PUBREC_WORD, Batch, pack
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import Published
from barograph.mqtt.properties import NONE
from barograph.mqtt.reason import ALLOWED, FAILURE, Reason
from barograph.mqtt.session import Session
from barograph.mqtt.topics import check_name


class Router(Protocol):
    """Where messages go once the host has them: the broker, or nowhere further at a client."""

    @property
    def authorizer(self) -> Authorizer: ...
    @property
    def limits(self) -> MqttLimits: ...
    @property
    def counters(self) -> Counter[str]: ...
    def route(
        self, publisher: Session | None, publishes: Sequence[Published], now: float
    ) -> None: ...


class Inbound:
    """The receiving side of one open connection."""

    def __init__(
        self,
        broker: Router,
        session: Session,
        version: int,
        put: Callable[[bytes], None],
        fail: Callable[[PeerError, float], None],
    ) -> None:
        """`put` sends bytes to the publisher, `fail` ends its connection."""
        self.permitted: set[bytes] = set()
        """Topics that need no further check."""
        self.batch = Batch()
        """What is being read."""
        self.open = True
        self._broker = broker
        self._session = session
        self._version = version
        self._put = put
        self._fail = fail
        self._limits = broker.limits
        self._aliases: dict[int, str] = {}
        self._batches: deque[Batch] = deque()
        self._owed = 0

    def publish(self, publish: p.Publish) -> None:
        """Any PUBLISH that `scan` does not read."""
        properties = publish.properties
        if properties.response_topic is not None:
            check_name(properties.response_topic, self._limits)  # [MQTT-3.3.2-14]
        name = self._aliased(publish.topic, properties.topic_alias)
        check_name(name, self._limits)
        topic = name.encode()
        batch, qos, packet_id = self.batch, publish.qos, publish.packet_id
        if not self._may_publish(name, topic):
            self._unauthorized(publish, name)
            return
        if qos == 1:
            batch.owe(PUBACK_WORD, packet_id)
        elif qos == 2:
            batch.mixed = True
            if not self._session.receive(packet_id):
                batch.owe(PUBREC_WORD, packet_id, Reason.SUCCESS)  # [MQTT-4.3.3-10]
                return
            batch.owe(PUBREC_WORD, packet_id)
        flags = publish.dup << 3 | qos << 1 | publish.retain
        batch.publishes.append(
            (topic, publish.payload, flags, packet_id, None if properties is NONE else properties)
        )

    def close_batch(self, now: float) -> Batch | None:
        """What was read becomes a batch, which the host gets if there is a message in it."""
        batch = self.batch
        if not batch.publishes and not batch.words:
            return None
        self.batch = Batch()
        self._batches.append(batch)
        self._owed += len(batch.words)
        batch.settled = not batch.publishes
        if batch.settled:
            self.settle(now)
        if self._version == p.V5 and self.open:
            self._check_receive_maximum(now)
        return batch if batch.publishes else None

    def acknowledge(self, batch: Batch, refused: Mapping[int, Reason], now: float) -> None:
        """See `Connection.acknowledge`."""
        if batch.settled:
            raise MisuseError("this batch was acknowledged before")
        if batch not in self._batches:
            raise MisuseError("this batch is not of this connection")
        for position, reason in refused.items():
            if reason not in ALLOWED["PUBACK"] or not 0 <= position < len(batch.publishes):
                raise MisuseError(f"message {position} cannot be refused with {reason!r}")
        batch.refused = refused
        batch.settled = True
        self.settle(now)

    def settle(self, now: float) -> None:
        """Route and answer the settled batches at the head of the queue."""
        while self._batches and self._batches[0].settled:
            batch = self._batches[0]
            if batch.mixed and self._waits_elsewhere(batch):
                return
            self._batches.popleft()
            self._owed -= len(batch.words)
            self._broker.route(self._session, batch.accepted(), now)
            outcomes = {**batch.decided, **batch.refusals()}
            if batch.mixed:
                self._settle_receipts(batch, outcomes)
            if self.open and outcomes:
                self._confirm(batch, outcomes, now)
            elif self.open and batch.words:
                self._put(pack(batch.words))
        if not self.open and self._session.link is not None:
            self._session.link.settled_elsewhere(now)

    def close(self) -> None:
        """Nothing more can be sent. What the host still has will be routed, not answered."""
        self.open = False
        self.permitted.clear()
        self._aliases.clear()

    def _aliased(self, name: str, alias: int | None) -> str:
        """The topic name, by its alias where that stands for it (3.3.2.3.4)."""
        if alias is None:
            if not name:
                raise protocol_error("a PUBLISH has neither a topic name nor a topic alias")
            return name
        if alias > self._limits.topic_alias_maximum:
            raise PeerError(
                Reason.TOPIC_ALIAS_INVALID,
                f"the topic alias {alias} is above {self._limits.topic_alias_maximum}",
            )
        if name:
            check_name(name, self._limits)
            self._aliases[alias] = name
            return name
        if alias not in self._aliases:
            raise protocol_error(f"the topic alias {alias} stands for nothing yet")
        return self._aliases[alias]

    def _may_publish(self, name: str, topic: bytes) -> bool:
        if topic in self.permitted:
            return True
        if not self._broker.authorizer.may_publish(self._session.key[0], name):
            return False
        if len(self.permitted) >= self._limits.permitted_topics_max:
            self.permitted.clear()
        self.permitted.add(topic)
        return True

    def _unauthorized(self, publish: p.Publish, name: str) -> None:
        self._broker.counters["publishes_refused"] += 1
        if self._version != p.V5:
            raise PeerError(Reason.NOT_AUTHORIZED, f"{name[:80]!r} is not yours to publish to")
        if publish.qos:
            word = PUBACK_WORD if publish.qos == 1 else PUBREC_WORD
            self.batch.owe(word, publish.packet_id, Reason.NOT_AUTHORIZED)

    def _check_receive_maximum(self, now: float) -> None:
        if self._owed + len(self._session.receipts) <= self._limits.receive_maximum:
            return
        # Rarely here: count exactly, each QoS 2 identifier once.
        identifiers = set(self._session.receipts)
        plain = 0
        for batch in self._batches:
            for word in batch.words:
                if is_receipt(word):
                    identifiers.add(word & 0xFFFF)
                else:
                    plain += 1
        if plain + len(identifiers) > self._limits.receive_maximum:
            self._fail(
                PeerError(
                    Reason.RECEIVE_MAXIMUM_EXCEEDED,
                    f"more than {self._limits.receive_maximum} messages wait for their answer",
                ),
                now,
            )

    def _waits_elsewhere(self, batch: Batch) -> bool:
        """Whether it repeats a QoS 2 message that a former connection brought and still waits."""
        receipts = self._session.receipts
        own = {one[3] for one in batch.publishes}
        repeated = {batch.words[i] & 0xFFFF for i in batch.decided if is_receipt(batch.words[i])}
        return any(receipts.get(packet_id) is False for packet_id in repeated - own)

    def _settle_receipts(self, batch: Batch, outcomes: dict[int, Reason]) -> None:
        """Remember, or forget, the QoS 2 identifiers of the batch."""
        session = self._session
        for i, word in enumerate(batch.words):
            if not is_receipt(word):
                continue
            packet_id = word & 0xFFFF
            if i not in batch.decided:
                taken = not self._refuses(outcomes.get(i, Reason.SUCCESS))
                session.settle(packet_id, taken=taken)
            elif outcomes[i] is Reason.SUCCESS and packet_id not in session.receipts:
                # It repeats a message that was then refused: let the client send it anew.
                outcomes[i] = Reason.UNSPECIFIED_ERROR

    def _refuses(self, outcome: Reason) -> bool:
        """Whether the client will hear a no."""
        if outcome < FAILURE:
            return False
        return self._version == p.V5 or outcome is not Reason.PAYLOAD_FORMAT_INVALID

    def _confirm(self, batch: Batch, outcomes: dict[int, Reason], now: float) -> None:
        """Answer a batch in which not all is well."""
        for i, word in enumerate(batch.words):
            outcome = outcomes.get(i, Reason.SUCCESS)
            if not self._refuses(outcome):
                self._put(pack([word]))
            elif self._version == p.V5:
                answer = p.PublishAnswer(word >> 28, word & 0xFFFF, outcome)
                self._put(encode(answer, p.V5))
            else:
                self._fail(PeerError(outcome, "a message could not be taken"), now)
                return


def is_receipt(word: int) -> bool:
    """Whether an answer owed is a PUBREC."""
    return word & PUBREC_WORD == PUBREC_WORD
