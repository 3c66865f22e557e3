"""The bridge between real brokers and real servers, either of which is stopped or killed.

A message's value follows from its number, and so does its time: a loss, a mix-up and a message that
counts twice all show.
"""

import contextlib
import json
import os
import threading
import time

import httpx
import msgspec
import paho.mqtt.client as paho
import pytest
import trustme
from paho.mqtt.publish import multiple
from tests.acceptance.brokers import KINDS, Mosquitto, missing
from tests.conftest import Server
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.time import from_text

START = 1_750_000_000
DEVICES = 3
UNTIMED_EVERY = 4


def require(kind):
    if problem := missing(kind):
        assert os.environ.get("CI") != "true", problem
        pytest.skip(problem)


@pytest.fixture(scope="module", params=list(KINDS))
def broker(request, tmp_path_factory):
    """One broker of each kind for the tests of this module."""
    require(request.param)
    broker = KINDS[request.param](tmp_path_factory.mktemp("brokers") / request.param)
    broker.kind = request.param
    yield broker
    broker.stop()


@pytest.fixture
def make_mosquitto(tmp_path):
    """Brokers of a test's own."""
    require("mosquitto")
    made = []

    def make(*lines, **options):
        made.append(Mosquitto(tmp_path / f"mosquitto-{len(made)}", *lines, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Barograph:
    """A server with a bridge, and its devices."""

    def __init__(self, directory, url, **settings):
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self._environment = {
            f"BAROGRAPH_MQTT_BRIDGE{name.upper()}": value
            for name, value in {"": url, **settings}.items()
        }
        self.start()

    def start(self):
        self.server = Server(self.directory, **self._environment)
        self.http = httpx.Client(base_url=self.server.url, timeout=PATIENCE_SECONDS)

    def connected(self):
        """Wait until the broker's messages arrive."""
        self.wait(lambda: self.ready()["mqtt_bridge"] == "connected")
        return self

    def ready(self):
        return self.http.get("/readyz").json()

    def wait(self, done):
        until(done, lambda: f"it:\n{self.log()[-3000:]}")

    def log(self):
        return self.server.log.read_text()

    def add(self, *keys):
        for key in keys:
            self.http.post("/api/devices", json={"key": key, "name": key}).raise_for_status()

    def kill(self):
        self.http.close()
        self.server.kill()

    def stop(self):
        self.http.close()
        assert self.server.stop() == 0, self.log()

    def count(self, prefix, metric="x"):
        found = 0
        for n in range(DEVICES):
            answer = self.http.get(f"/api/analytics/devices/{prefix}{n}", params={"stats": "count"})
            found += answer.json()["metrics"].get(metric, {"count": 0})["count"]
        return found

    def numbers(self, prefix):
        """The numbers of the messages that are stored, each checked."""
        found = []
        for n in range(DEVICES):
            answer = self.http.get(f"/api/devices/{prefix}{n}/data", params={"format": "ndjson"})
            for line in answer.content.splitlines():
                row = msgspec.json.decode(line)
                if "x" not in row:
                    continue
                number = from_text(row["ts"]) // 1_000_000 - START
                assert number % DEVICES == n
                assert row["x"] == value_of(number)
                found.append(number)
        assert len(found) == len(set(found)), "a time is there twice"
        return found


def value_of(number):
    return float(number * 7919 % 1_000_003)


@pytest.fixture
def barograph(tmp_path):
    """Starts servers with bridges; all end with the test."""
    started = []

    def start(url, name="barograph", **settings):
        started.append(Barograph(tmp_path / name, url, **settings))
        return started[-1]

    yield start
    for one in started:
        if one.server.process.poll() is None:
            one.stop()


class Publisher:
    """Publishes numbered messages at QoS 1, through whatever happens to the broker."""

    def __init__(self, broker, prefix, *, untimed=False):
        """`untimed`: every fourth message is a bare number, of the metric `u`."""
        self.prefix, self._untimed = prefix, untimed
        self.sent = 0
        self.acknowledged = set()
        self._numbers = {}
        self._room = threading.Semaphore(100)
        self._stop = threading.Event()
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, f"publisher-{prefix}", clean_session=False
        )
        self.client.username_pw_set(broker.username, broker.password)
        self.client.reconnect_delay_set(1, 1)
        self.client.max_inflight_messages_set(100)
        self.client.on_publish = self._published
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def publish(self, count):
        """Publish so many and wait for their acknowledgement."""
        for _ in range(count):
            self._next()
        self.settle()
        return self

    def begin(self):
        """Publish until `end`."""
        self._thread.start()
        return self

    def end(self):
        """Stop publishing, and wait until everything is acknowledged."""
        self._stop.set()
        self._thread.join()
        self.settle()

    def settle(self):
        until(
            lambda: len(self.acknowledged) == self.sent,
            lambda: f"{self.sent} acknowledgements: {len(self.acknowledged)} came",
        )

    def leave(self):
        self._stop.set()
        self.client.disconnect()
        self.client.loop_stop()

    def _run(self):
        while not self._stop.is_set():
            self._next()
            if self.sent % 50 == 0:
                self._stop.wait(0.2)

    def _next(self):
        self._room.acquire()
        number = self.sent
        payload = json.dumps({"value": value_of(number), "ts": START + number})
        topic = f"devices/{self.prefix}{number % DEVICES}/x"
        if self._untimed and number % UNTIMED_EVERY == 0:
            topic, payload = topic[:-1] + "u", "1"
        self._numbers[self.client.publish(topic, payload, 1).mid] = number
        self.sent += 1

    def _published(self, _client, _userdata, mid, _reason, _properties):
        while mid not in self._numbers:  # `publish` has not returned yet
            time.sleep(0.001)
        self.acknowledged.add(self._numbers.pop(mid))
        self._room.release()


@pytest.fixture
def publisher():
    """Makes publishers; all leave with the test."""
    made = []

    def make(broker, prefix, **options):
        made.append(Publisher(broker, prefix, **options))
        return made[-1]

    yield make
    for one in made:
        one.leave()


@contextlib.contextmanager
def pump(broker):
    """A device with a session at the broker, which answers its commands."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "pump", clean_session=False)
    client.username_pw_set(broker.username, broker.password)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()

    def answer(_client, _userdata, message):
        number = json.loads(message.payload)["id"]
        client.publish(f"devices/pump/command/{number}/reply", "done", 1)

    client.on_message = answer
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("devices/pump/command", 1)
    assert subscribed.wait(PATIENCE_SECONDS)
    yield
    client.disconnect()
    client.loop_stop()


def keys(prefix):
    return [f"{prefix}{n}" for n in range(DEVICES)]


class TestEitherBroker:
    def test_every_message_is_stored_once(self, broker, barograph, publisher):
        here = barograph(broker.url).connected()
        here.add(*keys("all-"))
        sent = publisher(broker, "all-").publish(2_000).sent
        here.wait(lambda: here.count("all-") >= sent)
        assert sorted(here.numbers("all-")) == list(range(sent))
        version = "MQTT 5.0" if broker.kind == "mosquitto" else "MQTT 3.1.1"
        assert version in here.log()

    def test_messages_wait_at_the_broker_while_barograph_is_away(
        self, broker, barograph, publisher
    ):
        here = barograph(broker.url).connected()
        here.add(*keys("away-"))
        source = publisher(broker, "away-").publish(50)
        here.stop()
        source.publish(200)
        here.start()
        here.wait(lambda: here.count("away-") >= 250)
        assert sorted(here.numbers("away-")) == list(range(250))

    def test_through_kills_of_barograph_each_message_is_stored_once(
        self, broker, barograph, publisher
    ):
        here = barograph(broker.url).connected()
        here.add(*keys("kill-"))
        source = publisher(broker, "kill-", untimed=True).begin()
        for round_ in range(3):
            threading.Event().wait(0.4 + 0.13 * round_)
            here.kill()
            here.start()
        here.connected()
        source.end()
        here.wait(lambda: here.count("kill-") + here.count("kill-", "u") >= source.sent)
        untimed = set(range(0, source.sent, UNTIMED_EVERY))
        assert set(here.numbers("kill-")) == set(range(source.sent)) - untimed
        # RabbitMQ does not number again as it did: what it knows no acknowledgement of is new.
        surplus = here.count("kill-", "u") - len(untimed)
        assert surplus == 0 or (broker.kind == "rabbitmq" and surplus > 0)

    def test_strangers_messages_are_counted_and_cost_nothing(self, broker, barograph, publisher):
        here = barograph(broker.url).connected()
        here.add(*keys("strange-"))
        strange = [
            ("devices/strange-0/data", b"{"),
            ("devices/strange-0/data", b"\xff\xfe\x00"),
            ("devices/strange-0/data", b"[" * 50_000),
            ("devices/strange-0/x", b"x" * 5_000),
            ("devices/strange-0/" + "y" * 200, b"1"),
            ("devices/nobody/x", b"1"),
            ("devices", b"1"),
            # Larger than Barograph takes: a 5.0 broker keeps it back, from 3.1.1 it is passed over.
            ("devices/strange-0/data", b"x" * 400_000),
        ]
        multiple(
            [(topic, payload, 1, False) for topic, payload in strange],
            "127.0.0.1",
            broker.port,
            auth={"username": broker.username, "password": broker.password},
        )
        publisher(broker, "strange-").publish(10)
        here.wait(lambda: here.count("strange-") >= 10)
        assert sorted(here.numbers("strange-")) == list(range(10))
        passed_over = broker.kind == "rabbitmq"
        refused = f"barograph_mqtt_messages_refused_total {6.0 + passed_over}"
        here.wait(lambda: refused in here.http.get("/metrics").text)
        assert here.log().count("of device 'strange-0' is refused") == 1
        assert ("limits.mqtt_packet_bytes_max" in here.log()) == passed_over
        assert broker.password not in here.log()

    def test_a_command_reaches_a_device_that_was_away_and_its_reply_comes_back(
        self, broker, barograph
    ):
        here = barograph(broker.url).connected()
        here.add("pump")
        with pump(broker):
            pass
        sent = here.http.post("/api/devices/pump/commands", json={"command": {"on": True}}).json()

        def becomes(status):
            url = f"/api/devices/pump/commands/{sent['id']}"
            return lambda: here.http.get(url).json()["status"] == status

        here.wait(becomes("delivered"))
        with pump(broker):
            here.wait(becomes("answered"))

    def test_wrong_credentials_are_told(self, broker, barograph):
        here = barograph(broker.url.replace(broker.password, "a-wrong-secret"))
        here.wait(lambda: "refused" in here.ready()["mqtt_bridge"])
        assert here.ready()["status"] == "degraded"
        assert here.http.get("/healthz").json() == {"status": "ok"}
        assert "barograph_mqtt_bridge_connected 0.0" in here.http.get("/metrics").text
        assert "a-wrong-secret" not in here.log()

    def test_through_a_restart_of_the_broker_each_message_is_stored_once(
        self, broker, barograph, publisher
    ):
        here = barograph(broker.url).connected()
        here.add(*keys("stop-"))
        source = publisher(broker, "stop-").begin()
        until(lambda: len(source.acknowledged) > 100)
        broker.stop()
        here.wait(lambda: here.ready()["status"] == "degraded")
        broker.start()
        here.connected()
        more = len(source.acknowledged) + 100
        until(lambda: len(source.acknowledged) > more)
        source.end()
        here.wait(lambda: here.count("stop-") >= source.sent)
        assert sorted(here.numbers("stop-")) == list(range(source.sent))

    def test_a_killed_broker_loses_nothing_that_it_had_on_the_disk_and_nothing_counts_twice(
        self, broker, barograph, publisher
    ):
        here = barograph(broker.url).connected()
        here.add(*keys("crash-"))
        source = publisher(broker, "crash-").begin()
        until(lambda: len(source.acknowledged) > 100)
        safe = source.acknowledged.copy()
        broker.save()
        broker.kill()
        broker.start()
        here.connected()
        source.end()
        here.wait(lambda: safe <= set(here.numbers("crash-")))


class TestWorkers:
    def test_two_share_the_messages_and_nothing_is_lost(self, make_mosquitto, barograph, publisher):
        broker = make_mosquitto()
        both = [barograph(broker.url, name, _group="workers").connected() for name in "ab"]
        for one in both:
            one.add(*keys("share-"))
        source = publisher(broker, "share-").publish(1_000)
        for one in both:
            one.wait(lambda: sum(each.count("share-") for each in both) >= source.sent)
        parts = [set(one.numbers("share-")) for one in both]
        assert not parts[0] & parts[1]
        assert parts[0] | parts[1] == set(range(source.sent))
        assert min(map(len, parts)) > 100

    def test_what_a_killed_one_had_not_acknowledged_comes_when_it_is_back(
        self, make_mosquitto, barograph, publisher
    ):
        broker = make_mosquitto()
        both = [barograph(broker.url, name, _group="workers").connected() for name in "ab"]
        for one in both:
            one.add(*keys("shot-"))
        source = publisher(broker, "shot-").begin()
        for _ in range(3):
            threading.Event().wait(0.4)
            both[0].kill()
            both[0].start()
        both[0].connected()
        source.end()
        both[0].wait(lambda: sum(each.count("shot-") for each in both) >= source.sent)
        stored = [number for one in both for number in one.numbers("shot-")]
        assert set(stored) == set(range(source.sent))

    def test_installations_do_not_take_each_others_messages(
        self, make_mosquitto, barograph, publisher
    ):
        broker = make_mosquitto()
        both = [barograph(broker.url, name).connected() for name in "ab"]
        for one in both:
            one.add(*keys("own-"))
        source = publisher(broker, "own-").publish(100)
        for one in both:
            one.wait(lambda one=one: one.count("own-") >= source.sent)


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        made = trustme.CA()
        made.cert_pem.write_to_path(tmp_path / "ca.pem")
        certificate = made.issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
        return tmp_path

    @pytest.fixture
    def broker(self, authority, make_mosquitto):
        return make_mosquitto(
            tls=(f"certfile {authority}/certificate.pem", f"keyfile {authority}/key.pem")
        )

    def test_messages_come_over_tls(self, authority, broker, barograph):
        here = barograph(
            broker.url.replace("mqtt://", "mqtts://"), _ca=str(authority / "ca.pem")
        ).connected()
        assert "mqtts://127.0.0.1" in here.log()

    def test_a_certificate_that_nobody_vouches_for_is_not_believed(self, broker, barograph):
        here = barograph(broker.url.replace("mqtt://", "mqtts://"))
        here.wait(lambda: "certificate is not trusted" in here.ready()["mqtt_bridge"])
        assert "mqtt_bridge_ca" in here.ready()["mqtt_bridge"]

    def test_tls_to_a_plain_port_is_named_so(self, make_mosquitto, barograph):
        here = barograph(make_mosquitto().url.replace("mqtt://", "mqtts://"))
        here.wait(lambda: here.ready()["mqtt_bridge"] not in {"not connected yet", "connected"})
        assert here.ready()["status"] == "degraded"
