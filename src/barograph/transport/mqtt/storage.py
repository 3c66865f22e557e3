"""Keeps what the engine must not forget, in a SQLite file: sessions, queues, retained messages.

Changes are committed in groups by one thread, synced (`synchronous=FULL`: less lost acknowledged
rows when the power failed); who handed them over is told after the commit, in order. What a change
means says `barograph.mqtt.Ledger`, to which the tests hold this file.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import msgspec

from barograph.domain.errors import ConfigurationError, Unavailable
from barograph.mqtt import journal as j
from barograph.mqtt.message import Message
from barograph.mqtt.packets import Options

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_TRIES_PER_COMPLAINT = 60
"""A line a second would fill what is left of a disk that is nearly full."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    principal TEXT, client TEXT, expiry INTEGER NOT NULL, closed_at REAL, will BLOB,
    PRIMARY KEY (principal, client)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    principal TEXT, client TEXT, filter TEXT, options BLOB NOT NULL, identifier INTEGER,
    PRIMARY KEY (principal, client, filter)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    principal TEXT, client TEXT, number INTEGER, message BLOB NOT NULL, qos INTEGER NOT NULL,
    retain INTEGER NOT NULL, identifiers BLOB NOT NULL, packet_id INTEGER NOT NULL,
    released INTEGER NOT NULL, PRIMARY KEY (principal, client, number));
CREATE TABLE IF NOT EXISTS receipts (
    principal TEXT, client TEXT, packet_id INTEGER,
    PRIMARY KEY (principal, client, packet_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retained (topic BLOB PRIMARY KEY, message BLOB NOT NULL);
"""
_OF_SESSION = ("sessions", "subscriptions", "deliveries", "receipts")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode

Told = Callable[[list[Any]], None]
"""Gets the tags of committed changes, on the storage's thread; must neither block nor raise."""


class MqttStorage:
    """The file and its thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises `ConfigurationError` where that cannot be."""
        self._path = path
        self._changed = Condition()
        self._waiting: list[tuple[Sequence[j.Change], Any]] = []
        self._under_way = 0
        self._failures = 0
        self._closing = False
        self._told: Told | None = None
        self._thread: Thread | None = None
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(
                f"{path}: the MQTT sessions cannot be read ({error}); if the file is damaged, move "
                "it away: clients connect anew, and readings are not in it"
            ) from None

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    @property
    def backlog(self) -> int:
        """Changes handed over but not committed."""
        return sum(len(changes) for changes, _ in self._waiting) + self._under_way

    def load(self) -> j.Snapshot:
        """All that is stored. Before `start`."""
        ask = self._database.execute
        found = j.Snapshot()
        for principal, client, expiry, closed_at, will in ask("SELECT * FROM sessions"):
            key = (principal, client)
            kept = None if will is None else _will_of(will)
            found.sessions[key] = j.StoredSession(key, expiry, closed_at, kept)
        for principal, client, name, options, identifier in ask("SELECT * FROM subscriptions"):
            session = found.sessions[principal, client]
            session.subscriptions[name] = (Options(*_unpack(options)), identifier)
        for row in ask("SELECT * FROM deliveries ORDER BY number"):
            principal, client, number, message, qos, retain, identifiers, packet_id, released = row
            found.sessions[principal, client].deliveries[number] = j.StoredDelivery(
                number,
                _message_of(message),
                qos,
                bool(retain),
                tuple(_unpack(identifiers)),
                packet_id,
                released,
            )
        for principal, client, packet_id in ask("SELECT * FROM receipts"):
            found.sessions[principal, client].receipts.add(packet_id)
        for topic, message in ask("SELECT * FROM retained"):
            found.retained[topic] = _message_of(message)
        return found

    def start(self, told: Told) -> None:
        """Begin to take changes."""
        self._told = told
        self._thread = Thread(target=self._run, name="barograph-mqtt-storage", daemon=True)
        self._thread.start()

    def commit(self, changes: Sequence[j.Change], tag: Any) -> None:
        """Store the changes and then give back `tag`; none wait for what was handed over before."""
        with self._changed:
            self._waiting.append((changes, tag))
            self._changed.notify()

    def stop(self) -> None:
        """Commit what was handed over, and take no more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """`stop`, and close the file."""
        self.stop()
        self._database.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting:
                    return
                group, self._waiting = self._waiting, []
                self._under_way = sum(len(changes) for changes, _ in group)
            while not self._store([one for changes, _ in group for one in changes]):
                with self._changed:
                    if self._closing:
                        logger.error("MQTT sessions could not be stored before the end")
                        return
                    self._changed.wait(_RETRY_SECONDS)
            self._under_way = 0
            if self._told is not None:
                self._told([tag for _, tag in group])

    def _store(self, changes: list[j.Change]) -> bool:
        if not changes:
            return True
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            for statement, row in _statements(changes):
                database.execute(statement, row)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            loud = self._failures % _TRIES_PER_COMPLAINT == 0
            logger.log(
                logging.ERROR if loud else logging.DEBUG,
                "MQTT sessions cannot be stored, which is tried again: %s",
                error,
            )
            self._failures += 1
            if database.in_transaction:
                database.execute("ROLLBACK")
            return False
        if self._failures:
            self._failures = 0
            logger.warning("MQTT sessions are stored again")
        return True


def copy(path: Path, target: Path) -> None:
    """Write a consistent copy of the file to the new file `target`, beside running changes.

    Does nothing where there is no file; raises `Unavailable` where it cannot be copied.
    """
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise Unavailable(f"the MQTT sessions in {path} cannot be copied: {error}") from error


def _statements(changes: list[j.Change]) -> Iterable[tuple[str, tuple[Any, ...]]]:
    row: tuple[Any, ...]
    # Most messages are delivered at once: what was queued and done within a group is not written.
    done = {(one.key, one.number) for one in changes if isinstance(one, j.DeliveryDone)}
    brief = done & {(one.key, one.number) for one in changes if isinstance(one, j.DeliveryQueued)}
    for change in changes:
        match change:
            case j.SessionSaved(key, expiry, closed_at, will):
                row = (*key, expiry, closed_at, None if will is None else _will_bytes(will))
                yield "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", row
            case j.SessionEnded(key):
                for table in _OF_SESSION:
                    yield f"DELETE FROM {table} WHERE principal = ? AND client = ?", key  # noqa: S608  # our own names
            case j.SubscriptionSaved(key, name, options, identifier):
                packed = _pack(
                    (
                        options.qos,
                        options.no_local,
                        options.retain_as_published,
                        options.retain_handling,
                    )
                )
                row = (*key, name, packed, identifier)
                yield "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?)", row
            case j.SubscriptionRemoved(key, name):
                yield (
                    "DELETE FROM subscriptions WHERE principal = ? AND client = ? AND filter = ?",
                    (*key, name),
                )
            case j.ReceiptSaved(key, packet_id):
                yield "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?)", (*key, packet_id)
            case j.ReceiptDone(key, packet_id):
                yield (
                    "DELETE FROM receipts WHERE principal = ? AND client = ? AND packet_id = ?",
                    (*key, packet_id),
                )
            case j.RetainedSaved(message):
                row = (message.topic, _message_bytes(message))
                yield "INSERT OR REPLACE INTO retained VALUES (?, ?)", row
            case j.RetainedRemoved(topic):
                yield "DELETE FROM retained WHERE topic = ?", (topic,)
            case _ if (change.key, change.number) not in brief:
                yield _of_delivery(change)


_THIS = "WHERE principal = ? AND client = ? AND number = ?"


def _of_delivery(
    change: j.DeliveryQueued | j.DeliverySent | j.DeliveryReleased | j.DeliveryDone,
) -> tuple[str, tuple[Any, ...]]:
    this = (*change.key, change.number)
    match change:
        case j.DeliveryQueued(_, _, message, qos, retain, identifiers, packet_id):
            row = (_message_bytes(message), qos, retain, _pack(identifiers), packet_id, 0)
            return (
                "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                this + row,
            )
        case j.DeliverySent(_, _, packet_id):
            return f"UPDATE deliveries SET packet_id = ? {_THIS}", (packet_id, *this)  # noqa: S608  # our own text
        case j.DeliveryReleased(_, _, order):
            return f"UPDATE deliveries SET released = ? {_THIS}", (order, *this)  # noqa: S608  # our own text
        case j.DeliveryDone():
            return f"DELETE FROM deliveries {_THIS}", this  # noqa: S608  # our own text


def _fields(message: Message) -> tuple[Any, ...]:
    return (
        message.topic,
        message.payload,
        message.qos,
        message.retain,
        message.properties,
        message.expires_at,
        message.receipt,
    )


def _message_bytes(message: Message) -> bytes:
    return _pack(_fields(message))


def _message_of(packed: bytes) -> Message:
    return Message(*_unpack(packed))


def _will_bytes(will: j.WillMessage) -> bytes:
    return _pack((_fields(will.message), will.delay, will.expiry))


def _will_of(packed: bytes) -> j.WillMessage:
    fields, delay, expiry = _unpack(packed)
    return j.WillMessage(Message(*fields), delay, expiry)
