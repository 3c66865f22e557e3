"""The file says what the engine's own ledger says, before and after it is opened again."""

import contextlib
import logging
import queue

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.private_servers import small_disk
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.errors import ConfigurationError
from barograph.mqtt import Ledger, Message
from barograph.mqtt import journal as j
from barograph.mqtt.packets import Options
from barograph.transport.mqtt.storage import MqttStorage

KEYS = [("user:1", "a"), ("device:1", "a"), ("user:1", "b")]
times = st.floats(0, 2e9)
messages = st.builds(
    Message,
    st.sampled_from([b"t", "ü/x".encode()]),
    st.binary(max_size=8),
    st.integers(0, 2),
    st.booleans(),
    st.binary(max_size=4),
    st.none() | times,
)
wills = st.none() | st.builds(j.WillMessage, messages, st.integers(0, 9), st.none() | st.just(5))
options = st.builds(Options, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2))


@st.composite
def histories(draw):
    """Changes as the engine could name them."""
    ledger, changes = Ledger(), []

    def add(change):
        ledger.apply([change])
        changes.append(change)

    for number in range(1, draw(st.integers(1, 40))):
        key = draw(st.sampled_from(KEYS))
        session = ledger.snapshot.sessions.get(key)
        if session is None or draw(st.integers(0, 9)) == 0:
            add(j.SessionSaved(key, draw(st.integers(0, 99)), draw(st.none() | times), draw(wills)))
            continue
        match draw(st.integers(0, 8)):
            case 0:
                add(j.SubscriptionSaved(key, draw(st.sampled_from("ab")), draw(options), number))
            case 1 if session.subscriptions:
                add(j.SubscriptionRemoved(key, draw(st.sampled_from([*session.subscriptions]))))
            case 2:
                add(j.DeliveryQueued(key, number, draw(messages), 1, True, (1, 2), 0))
            case 3 if session.deliveries:
                add(j.DeliverySent(key, draw(st.sampled_from([*session.deliveries])), number))
            case 4 if session.deliveries:
                one = draw(st.sampled_from([*session.deliveries]))
                add(
                    draw(
                        st.sampled_from([j.DeliveryDone(key, one), j.DeliveryReleased(key, one, 3)])
                    )
                )
            case 5:
                add(j.ReceiptSaved(key, number))
            case 6 if session.receipts:
                add(j.ReceiptDone(key, min(session.receipts)))
            case 7:
                add(j.RetainedSaved(draw(messages)))
            case 8 if ledger.snapshot.retained:
                add(j.RetainedRemoved(next(iter(ledger.snapshot.retained))))
            case _ if number % 7 == 0:
                add(j.SessionEnded(key))
    return changes, ledger.snapshot


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), cut=st.integers(0, 40))
def test_the_file_holds_what_the_changes_mean(tmp_path_factory, history, cut):
    changes, wanted = history
    path = tmp_path_factory.mktemp("mqtt") / "mqtt.db"
    storage = MqttStorage(path)
    storage.start(lambda tags: None)
    storage.commit(changes[:cut], None)
    storage.commit(changes[cut:], None)
    storage.close()
    storage = MqttStorage(path)
    assert storage.load() == wanted
    storage.close()


def test_tags_come_back_in_order_after_the_commit(tmp_path):
    path = tmp_path / "mqtt.db"
    storage, told = MqttStorage(path), queue.Queue()
    storage.start(told.put)
    for i in range(50):
        storage.commit([j.RetainedSaved(Message(b"t%d" % i, b"", 0, True))] if i % 3 else [], i)
    tags = []
    while len(tags) < 50:
        tags += told.get(timeout=PATIENCE_SECONDS)
        reader = MqttStorage(path)
        stored = set(reader.load().retained)
        reader.close()
        assert stored >= {b"t%d" % i for i in tags if i % 3}
    assert tags == list(range(50))
    storage.close()


def test_a_full_disk_is_complained_of_once_and_what_waited_is_stored(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "barograph.transport.mqtt.storage")
    told = queue.Queue()
    with small_disk(tmp_path / "disk", 2) as disk:
        storage = MqttStorage(disk / "mqtt.db")
        storage.start(told.put)
        with (disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        message = Message(b"t", bytes(64 * 1024), 1, True, b"", None)
        storage.commit([j.RetainedSaved(message)], 1)
        until(lambda: len(caplog.records) >= 3)
        (disk / "ballast").unlink()
        assert told.get(timeout=PATIENCE_SECONDS) == [1]
        storage.close()
        again = MqttStorage(disk / "mqtt.db")
        assert list(again.load().retained) == [b"t"]
        again.close()
    loud = [record.levelname for record in caplog.records if record.levelno > logging.DEBUG]
    assert loud == ["ERROR", "WARNING"]


def test_a_file_that_is_no_database_is_refused_in_plain_words(tmp_path):
    path = tmp_path / "mqtt.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationError, match="move it away"):
        MqttStorage(path)
