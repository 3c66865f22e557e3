"""Messages through a network that drops, and a server that is killed, at any moment.

A publisher and a subscriber with lasting sessions follow the standard; bytes travel when the test
says so, and what is under way is lost with its connection. Whatever happens, once all is calm the
subscriber has every message of QoS 2 exactly once and every message of QoS 1 at least once, and what
was confirmed to the publisher is in both sets.
"""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.mqtt import Batch, Broker, Connection, ConnectRequest, Ledger
from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing
from barograph.mqtt.limits import PACKET_BYTES_END
from barograph.mqtt.properties import Properties


class Everything:
    may_publish = may_subscribe = may_receive = staticmethod(lambda *_: True)


class Server:
    """The broker and its host, of which only the ledger survives."""

    def __init__(self):
        self.ledger = Ledger()
        self.clients = []
        self.start()

    def start(self):
        self.broker = Broker(Everything())
        self.broker.restore(copy.deepcopy(self.ledger.snapshot), 0.0)
        self.batches = []

    def kill(self, *, between):
        """Die at once, or between storing changes and sending what follows from them."""
        if between:
            effects = self.broker.take(0.0)
            if effects is not None:
                self.ledger.apply(effects.changes)
        for client in self.clients:
            client.cut()
        self.start()

    def carry_out(self):
        while (effects := self.broker.take(0.0)) is not None:
            self.ledger.apply(effects.changes)
            for connection, data, close in effects.outputs:
                for client in self.clients:
                    if client.connection is connection:
                        client.incoming += data
                        client.closing = client.closing or close

    def see_to(self, connection, events):
        for event in events:
            match event:
                case ConnectRequest():
                    self.see_to(connection, connection.accept("user", 0.0))
                case Batch():
                    self.batches.append((connection, event))

    def acknowledge(self, which):
        if self.batches:
            connection, batch = self.batches.pop(which % len(self.batches))
            connection.acknowledge(batch, 0.0)


class Client:
    """A client that follows the standard; its session survives everything."""

    def __init__(self, server, name, version):
        self.server, self.name, self.version = server, name, version
        server.clients.append(self)
        self.open = {}  # identifier → (payload, QoS), not yet answered
        self.released = []
        self.held = set()  # identifiers of QoS 2 messages received, not yet released
        self.got = []
        self.confirmed = set()
        self.connection = None
        self.ready = False
        self.dial()

    def dial(self):
        self.connection = Connection(self.server.broker, 0.0)
        self.framing, self.ready, self.closing = Framing(), False, False
        self.incoming, self.outgoing = bytearray(), bytearray()
        extra = Properties(session_expiry=1000) if self.version == p.V5 else p.NONE
        self.say(p.Connect(self.version, self.name, False, 0, properties=extra))

    def cut(self):
        """The network fails; everything under way is lost."""
        if self.connection is not None:
            self.connection.lost(0.0)
        self.connection = None

    def say(self, *packets):
        for packet in packets:
            self.outgoing += encode(packet, self.version)

    def publish(self, payload, qos):
        packet_id = next(one for one in range(1, 1000) if one not in {*self.open, *self.released})
        self.open[packet_id] = (payload, qos)
        if self.ready:
            self.say(p.Publish("a", payload, qos, packet_id=packet_id))

    def to_server(self, count):
        if self.connection is not None:
            data, self.outgoing = bytes(self.outgoing[:count]), self.outgoing[count:]
            self.server.see_to(self.connection, self.connection.feed(data, 0.0))

    def from_server(self, count):
        if self.connection is None:
            return
        data = self.framing.join(bytes(self.incoming[:count]))
        self.incoming = self.incoming[count:]
        pos = 0
        while pos < len(data):
            body, after = self.framing.find(data, pos, PACKET_BYTES_END)
            if not body:
                self.framing.keep(data[pos:])
                break
            self.hear(decode(data[pos], data[body:after], self.version))
            pos = after
        if self.closing and not self.incoming:
            self.cut()

    def hear(self, packet):
        match packet:
            case p.Connack():
                assert packet.reason == 0
                self.ready = True
                if not packet.session_present:
                    assert not self.got
                    self.held.clear()
                self.say(*(p.PublishAnswer(p.PUBREL, one) for one in self.released))
                self.say(
                    *(
                        p.Publish("a", payload, qos, dup=True, packet_id=packet_id)
                        for packet_id, (payload, qos) in self.open.items()
                    )
                )
            case p.Publish(qos=1):
                self.got.append(packet.payload)
                self.say(p.PublishAnswer(p.PUBACK, packet.packet_id))
            case p.Publish(qos=2):
                if packet.packet_id not in self.held:
                    self.held.add(packet.packet_id)
                    self.got.append(packet.payload)
                self.say(p.PublishAnswer(p.PUBREC, packet.packet_id))
            case p.PublishAnswer(p.PUBACK):
                self.confirmed.add(self.open.pop(packet.packet_id)[0])
            case p.PublishAnswer(p.PUBREC):
                if packet.packet_id in self.open:
                    self.confirmed.add(self.open.pop(packet.packet_id)[0])
                    self.released.append(packet.packet_id)
                self.say(p.PublishAnswer(p.PUBREL, packet.packet_id))
            case p.PublishAnswer(p.PUBREL):
                self.held.discard(packet.packet_id)
                self.say(p.PublishAnswer(p.PUBCOMP, packet.packet_id))
            case p.PublishAnswer(p.PUBCOMP):
                if packet.packet_id in self.released:
                    self.released.remove(packet.packet_id)


def flow(server, clients, moves):
    """Some moves of an undisturbed exchange, so that a fault meets it at any point."""
    publisher, subscriber = clients
    order = (
        lambda: publisher.to_server(100_000),
        lambda: server.acknowledge(0),
        server.carry_out,
        lambda: subscriber.from_server(100_000),
        lambda: subscriber.to_server(100_000),
        server.carry_out,
        lambda: publisher.from_server(100_000),
    )
    for i in range(moves):
        order[i % len(order)]()


sizes = st.integers(1, 40)
steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 2)),
    st.tuples(st.just("publish"), st.just(2)),
    st.tuples(st.just("flow"), st.integers(1, 14)),
    st.tuples(st.just("flow"), st.integers(1, 14)),
    st.tuples(st.sampled_from(["up", "down"]), st.integers(0, 1), sizes),
    st.tuples(st.sampled_from(["up", "down"]), st.integers(0, 1), st.just(10_000)),
    st.tuples(st.just("acknowledge"), st.integers(0, 5)),
    st.just(("carry out",)),
    st.tuples(st.sampled_from(["cut", "dial", "dial"]), st.integers(0, 1)),
    st.tuples(st.just("kill"), st.booleans()),
)


def settle(server, clients):
    """Let everything arrive."""
    for _ in range(20):
        for client in clients:
            if client.connection is None:
                client.dial()
            client.to_server(100_000)
        while server.batches:
            server.acknowledge(0)
        server.carry_out()
        for client in clients:
            client.from_server(100_000)
            client.to_server(100_000)
        server.carry_out()


@given(st.sampled_from([p.V3, p.V5]), st.lists(steps, max_size=60))
@settings(max_examples=120, deadline=None)
def test_nothing_acknowledged_is_lost_and_qos_2_comes_once(version, plan):
    server = Server()
    publisher, subscriber = (Client(server, name, version) for name in ("p", "s"))
    clients = [publisher, subscriber]
    settle(server, clients)
    subscriber.say(p.Subscribe(1, (("a", p.Options(2)),)))
    settle(server, clients)
    sent = {1: [], 2: []}
    for step in plan:
        match step:
            case ("publish", qos):
                payload = b"%d/%d" % (qos, len(sent[qos]))
                sent[qos].append(payload)
                publisher.publish(payload, qos)
            case ("flow", moves):
                flow(server, clients, moves)
            case ("up", which, count):
                clients[which].to_server(count)
            case ("down", which, count):
                clients[which].from_server(count)
            case ("acknowledge", which):
                server.acknowledge(which)
            case ("carry out",):
                server.carry_out()
            case ("cut", which):
                clients[which].cut()
            case ("dial", which):
                if clients[which].connection is None:
                    clients[which].dial()
            case ("kill", between):
                server.kill(between=between)
    settle(server, clients)
    assert not publisher.open
    assert not publisher.released
    got = subscriber.got
    assert publisher.confirmed == {*sent[1], *sent[2]} == set(got)
    for payload in sent[2]:
        assert got.count(payload) == 1
    assert [one for one in got if one[:1] == b"2"] == sent[2]  # and in order
