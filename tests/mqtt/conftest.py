"""A broker with clients, in memory: the host's part played as the package's docstring says."""

import copy

import pytest

from barograph.mqtt import Batch, Broker, Closed, Connection, ConnectRequest, Ledger, MqttLimits
from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing
from barograph.mqtt.limits import PACKET_BYTES_END
from barograph.mqtt.properties import Properties


class Everything:
    """Everybody may do everything, but for what a test denies: (right, principal, topic)."""

    def __init__(self):
        self.denied = set()

    def may_publish(self, principal, topic):
        return ("publish", principal, topic) not in self.denied

    def may_subscribe(self, principal, topic_filter):
        return ("subscribe", principal, topic_filter) not in self.denied

    def may_receive(self, principal, topic):
        return ("receive", principal, topic) not in self.denied


class Peer:
    """The far end of one connection."""

    def __init__(self, world, version):
        self.world = world
        self.version = version
        self.connection = Connection(world.broker, world.now)
        self.inbox = []
        self.closed = False
        self.requests = []
        self.batches = []
        self.ended = None
        self.automatic = True
        self.refusals = {}
        self.principal = "user"
        self._framing = Framing()
        world.peers[self.connection] = self

    def send_bytes(self, data):
        self._see_to(self.connection.feed(data, self.world.now))
        self.world.carry_out()

    def send(self, *packets):
        self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    def _see_to(self, events):
        for event in events:
            match event:
                case ConnectRequest():
                    self.requests.append(event.connect)
                    if self.automatic:
                        self._see_to(self.connection.accept(self.principal, self.world.now))
                case Batch():
                    self.world.taken.extend(event.publishes)
                    self.batches.append(event)
                    if self.automatic:
                        self.acknowledge()
                case Closed():
                    self.ended = event

    def accept(self):
        self._see_to(self.connection.accept(self.principal, self.world.now))
        self.world.carry_out()

    def refuse(self, reason):
        self._see_to(self.connection.refuse(reason, self.world.now))
        self.world.carry_out()

    def acknowledge(self, batch=None, refused=None):
        batch = batch or self.batches[0]
        self.batches.remove(batch)
        self.connection.acknowledge(batch, self.world.now, refused or self.refusals)
        self.world.carry_out()

    def deliver(self, data, close):
        data = self._framing.join(data)
        pos = 0
        while pos < len(data):
            body, after = self._framing.find(data, pos, PACKET_BYTES_END)
            assert body, "the engine sent half a packet"
            self.inbox.append(decode(data[pos], data[body:after], self.version))
            pos = after
        self.closed = self.closed or close

    def take(self, kind=None):
        """The packets that came since the last call; of one type, if given."""
        got, self.inbox = self.inbox, []
        return [one for one in got if kind is None or isinstance(one, kind)]

    def publish(self, topic, payload=b"x", qos=0, packet_id=0, **more):
        packet_id = packet_id or (1 if qos else 0)
        properties = more.pop("properties", p.NONE)
        self.send(
            p.Publish(topic, payload, qos, packet_id=packet_id, properties=properties, **more)
        )

    def subscribe(self, *filters, qos=0, identifier=None, **options):
        properties = Properties(subscription_identifiers=(identifier,) if identifier else ())
        pairs = tuple((one, p.Options(qos, **options)) for one in filters)
        self.send(p.Subscribe(1, pairs, properties))
        return [one for one in self.inbox if isinstance(one, p.Suback)][-1].reasons

    def messages(self):
        """Topic and payload of the PUBLISHes that came since the last call."""
        return [(one.topic, one.payload) for one in self.take(p.Publish)]

    def drop(self):
        """The network fails."""
        self.connection.lost(self.world.now)
        self.closed = True
        self.world.carry_out()


class World:
    """The broker, its host, its storage and its clock."""

    def __init__(self, **limits):
        self.limits = MqttLimits(**limits)
        self.rights = Everything()
        self.broker = Broker(self.rights, self.limits)
        self.ledger = Ledger()
        self.now = 1000.0
        self.peers = {}
        self.taken = []
        self.wills = []
        self.changes = []

    def carry_out(self):
        while (effects := self.broker.take(self.now)) is not None:
            self.ledger.apply(effects.changes)
            self.changes.extend(effects.changes)
            self.wills.extend(effects.wills)
            for connection, data, close in effects.outputs:
                self.peers[connection].deliver(data, close)

    def advance(self, seconds):
        self.now += seconds
        self.broker.tick(self.now)
        self.carry_out()

    def peer(self, version=p.V5):
        return Peer(self, version)

    def join(self, client_id="c", version=p.V5, *, clean=True, principal="user", **more):
        """A connection with its CONNECT sent and answered; the answer is in `connack`."""
        peer = self.peer(version)
        peer.principal = principal
        properties = more.pop("properties", None) or Properties(
            **{key: more.pop(key) for key in list(more) if key in Properties.__dataclass_fields__}
        )
        keep_alive = more.pop("keep_alive", 0)
        peer.send(p.Connect(version, client_id, clean, keep_alive, properties=properties, **more))
        answers = [one for one in peer.inbox if isinstance(one, p.Connack)]
        peer.connack = answers[0] if answers else None
        peer.inbox = [one for one in peer.inbox if one is not peer.connack]
        return peer

    def restart(self):
        """The process is killed and starts again from what was stored."""
        self.peers = {}
        self.ledger = Ledger(copy.deepcopy(self.ledger.snapshot))
        self.broker = Broker(self.rights, self.limits)
        self.broker.restore(copy.deepcopy(self.ledger.snapshot), self.now)
        self.carry_out()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def make_world():
    """Worlds with other limits, or several of them."""
    return World


@pytest.fixture(params=[p.V3, p.V5], ids=["3.1.1", "5.0"])
def version(request):
    return request.param
