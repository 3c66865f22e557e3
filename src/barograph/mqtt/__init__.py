"""The MQTT engine, 3.1.1 and 5.0, without I/O: a server's side and a client's.

Bytes come in, events and bytes come out; time is passed in; what must survive a restart is named as
changes. A host, such as the asyncio listener, owns sockets, clock and storage:

    broker = Broker(authorizer, limits)           # one for the whole server
    broker.restore(stored_snapshot, now)          # before the first connection
    deadline = broker.next_deadline()             # call broker.tick(now) then, and carry out

    def on_connect():
        connection = Connection(broker, now)      # one for each socket

    def on_bytes(data):                           # a socket read
        see_to(connection.feed(data, now))
        carry_out()

    def see_to(events):
        for event in events:
            match event:
                case ConnectRequest(connect):     # user name, password, client id …
                    see_to(connection.accept("user:7", now))     # or .refuse(Reason…, now)
                case Batch():                     # event.publishes: (topic, payload, flags, id, …)
                    store(event.publishes, then=lambda: answer(event))
                case Closed(reason, message): log(reason, message)

    def answer(batch, refused):                   # after the commit; {index: Reason} or {}
        connection.acknowledge(batch, now, refused)
        carry_out()

    def carry_out():
        while (effects := broker.take(now)) is not None:
            storage.commit(effects.changes)       # before anything is sent; mostly empty
            for connection, data, close in effects.outputs:
                write(connection, data)           # then close the transport if `close`
            ingest(effects.wills)                 # as if they had just been published
            note(effects.received)                # messages of `publish` that asked for it

The rules for the host:
- Every batch is acknowledged once, whatever became of the connection. Routing to subscribers and
  PUBACK/PUBREC happen there, in the order of arrival, whatever order the host finishes in.
- Effects are carried out in the order in which they were taken, changes before outputs. A commit
  may cover the changes of several; outputs without changes before them need not wait.
- When the socket is gone: `connection.lost(now)`. When its buffer is full or has room again:
  `pause()` and `resume(now)`.
- While CONNECT is unanswered and while too much waits to be stored, stop reading the socket.
- One thread. Nothing here blocks, reads a clock or does I/O.

Start reading at `connection.py` (one client), `broker.py` (sessions), `routing.py` (who gets what),
`journal.py` (what survives). `client.py` is the other side, for talking to a server
(`client_connection.py`: its packets). `docs/mqtt-conformance.md` lists every normative statement with
the test that holds it.
"""

from barograph.mqtt.authorizer import Authorizer
from barograph.mqtt.broker import Broker
from barograph.mqtt.connection import Connection
from barograph.mqtt.connection_events import Closed, ConnectRequest, Event
from barograph.mqtt.connection_tables import State
from barograph.mqtt.effects import Counts, Effects, Output, Received
from barograph.mqtt.errors import MisuseError, PeerError
from barograph.mqtt.intake import Batch
from barograph.mqtt.journal import Change, Ledger, Snapshot
from barograph.mqtt.limits import MqttLimits
from barograph.mqtt.message import DUP, RETAIN, Message, Published
from barograph.mqtt.properties import Properties
from barograph.mqtt.reason import Reason

__all__ = [
    "DUP",
    "RETAIN",
    "Authorizer",
    "Batch",
    "Broker",
    "Change",
    "Closed",
    "ConnectRequest",
    "Connection",
    "Counts",
    "Effects",
    "Event",
    "Ledger",
    "Message",
    "MisuseError",
    "MqttLimits",
    "Output",
    "PeerError",
    "Properties",
    "Published",
    "Reason",
    "Received",
    "Snapshot",
    "State",
]
