"""MQTT as its users have it: real servers, real clients, both versions of the protocol."""

import itertools
import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.waiting import PATIENCE_SECONDS, free_port, until

START = 1_750_000_000
V3, V5 = paho.MQTTv311, paho.MQTTv5

_names = itertools.count(1)


@pytest.fixture(params=[V3, V5], ids=["3.1.1", "5.0"])
def version(request):
    return request.param


@pytest.fixture
def name():
    """A device's key, or a part of one, that no other test uses."""
    return f"device-{next(_names)}"


class Party:
    """A paho client whose callbacks are queues."""

    def __init__(self, server, version, client_id="", *, clean=True, username=None, **more):
        options = {"clean_session": clean} if version == V3 else {}
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id,
            protocol=version,
            # Another test's server may have the port by then.
            reconnect_on_failure=False,
            **options,
        )
        self.version = version
        self.connected, self.messages, self.answers, self.ended = (queue.Queue() for _ in range(4))
        client = self.client
        client.on_connect = lambda _c, _u, flags, reason, _p: self.connected.put((flags, reason))
        client.on_message = lambda _c, _u, message: self.messages.put(message)
        client.on_publish = lambda _c, _u, mid, reason, _p: self.answers.put((mid, reason))
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self.answers.put((mid, reasons))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self.ended.put(reason)
        if username is not None:
            client.username_pw_set(username, more.pop("password", None))
        if "will" in more:
            client.will_set(*more.pop("will"))
        kept = {}
        if version == V5:
            kept["clean_start"] = clean
            if not clean:
                kept["properties"] = Properties(PacketTypes.CONNECT)
                kept["properties"].SessionExpiryInterval = 3600
        client.connect("127.0.0.1", server.mqtt_port, **kept)
        client.loop_start()
        self.flags, self.reason = self.connected.get(timeout=PATIENCE_SECONDS)

    def publish(self, topic, payload=None, qos=0, **more):
        self.client.publish(topic, payload, qos, **more).wait_for_publish(PATIENCE_SECONDS)

    def answer(self):
        return self.answers.get(timeout=PATIENCE_SECONDS)[1]

    def subscribe(self, topic, qos=1):
        self.client.subscribe(topic, qos)
        return self.answer()[0]

    def message(self):
        found = self.messages.get(timeout=PATIENCE_SECONDS)
        return found.topic, found.payload

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def break_off(self):
        """The network fails."""
        self.client.socket().shutdown(2)
        self.client.loop_stop()
        self.client._sock_close()


@pytest.fixture
def join():
    """Connects clients; all leave with the test."""
    parties = []

    def connect(*args, **options):
        party = Party(*args, **options)
        parties.append(party)
        return party

    yield connect
    for party in parties:
        party.leave()


def rows(server, device, **headers):
    answer = httpx.get(
        f"{server.url}/api/devices/{device}/data", headers=headers, timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def soon(ask, wanted):
    """What `ask` says, once it is `wanted` or patience is over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = ask()
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def latest(server, device):
    answer = httpx.get(f"{server.url}/api/devices/{device}/latest", timeout=PATIENCE_SECONDS)
    if answer.status_code == 404:
        return {}
    return {metric: one["value"] for metric, one in answer.json()["metrics"].items()}


# Readings


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_is_stored_exactly_once(server, join, version, name, qos):
    party = join(server, version)
    for i in range(200):
        party.publish(f"devices/{name}/x", f'{{"value": {i}, "ts": {START + i}}}', qos)
    party.publish(f"devices/{name}/last", "1", qos)
    assert soon(lambda: latest(server, name).get("last"), 1.0) == 1.0
    stored = [row["x"] for row in rows(server, name) if "x" in row]
    assert stored == [float(i) for i in range(200)]


def test_values_without_a_time_do_not_replace_each_other(server, join, version, name):
    party = join(server, version)
    sent = [party.client.publish(f"devices/{name}/x", str(i), 1) for i in range(300)]
    for one in sent:
        one.wait_for_publish(PATIENCE_SECONDS)
    assert sorted(row["x"] for row in rows(server, name)) == [float(i) for i in range(300)]


def test_what_is_acknowledged_is_there_for_the_next_http_request(server, join, version, name):
    party = join(server, version)
    for i in range(50):
        party.publish(f"devices/{name}/x", f'{{"value": {i}, "ts": {START + i}}}', 1)
        assert latest(server, name)["x"] == i


@pytest.mark.parametrize("topic", ["devices/{}", "devices/{}/data"])
def test_objects_are_what_they_are_over_http(server, join, version, name, topic):
    party = join(server, version)
    party.publish(topic.format(name), f'[{{"ts": {START}, "a": 1, "b": "open"}}, {{"c": true}}]', 1)
    assert rows(server, name)[0] == {"ts": "2025-06-15T15:06:40Z", "a": 1.0, "b": "open"}
    assert latest(server, name) == {"a": 1.0, "b": "open", "c": 1.0}


@pytest.mark.parametrize(
    ("payload", "value"), [("21.5", 21.5), ("on", 1.0), ("FALSE", 0.0), ("open", "open")]
)
def test_a_value_alone_is_a_number_a_switch_or_a_text(server, join, name, payload, value):
    join(server, V3).publish(f"devices/{name}/x", payload, 1)
    assert latest(server, name) == {"x": value}


def test_the_longest_registered_key_takes_the_reading(server, join, name):
    httpx.post(
        f"{server.url}/api/devices",
        json={"name": "a", "key": f"{name}/floor/1"},
        timeout=PATIENCE_SECONDS,
    )
    party = join(server, V5)
    party.publish(f"devices/{name}/floor/1/temp", "1", 1)
    party.publish(f"devices/{name}/floor/2", "2", 1)
    found = httpx.get(
        f"{server.url}/api/devices", params={"search": name}, timeout=PATIENCE_SECONDS
    ).json()
    assert {one["key"] for one in found["items"]} == {name, f"{name}/floor/1"}
    assert latest(server, name) == {"floor/2": 2.0}


def test_a_command_and_the_removal_of_a_retained_message_are_no_readings(server, join, name):
    party = join(server, V5)
    party.publish(f"devices/{name}/x", "1", 1, retain=True)
    party.answer()
    for topic, payload in ((f"devices/{name}/x", ""), (f"devices/{name}/command", "5")):
        party.publish(topic, payload, 1, retain=True)
        assert party.answer() == "Success"
    assert latest(server, name) == {"x": 1.0}


def test_an_unreadable_message_is_refused_and_the_next_one_is_stored(server, join, version, name):
    party = join(server, version)
    party.publish(f"devices/{name}/data", '{"x": [}', 1)
    answer = party.answer()
    assert answer == ("Payload format invalid" if version == V5 else "Success")
    party.publish(f"devices/{name}/data", '{"x": 3}', 2)
    assert latest(server, name) == {"x": 3.0}
    assert server.log.read_text().count(f"a message of device '{name}' is refused") == 1


def test_templates_name_device_and_metric(serve, join, version):
    server = serve(BAROGRAPH_MQTT_TOPICS='["home/{device}/sensor/{metric}", "raw/+/{device}"]')
    party = join(server, version)
    party.publish("home/kitchen/sensor/temp", "21", 1)
    party.publish("raw/zigbee/kitchen", '{"door": "open"}', 1)
    party.publish("home/kitchen/other/temp", "22", 1)
    assert latest(server, "kitchen") == {"temp": 21.0, "door": "open"}


# Subscribers


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_subscribers_get_what_devices_publish(server, join, version, name, qos):
    listener, party = join(server, version), join(server, version)
    listener.subscribe(f"devices/{name}/#", qos)
    party.publish(f"devices/{name}/x", "1", qos)
    assert listener.message() == (f"devices/{name}/x", b"1")


def test_a_retained_message_survives_a_restart(serve, join, version):
    server = serve()
    join(server, version).publish("devices/a/x", "7", 1, retain=True)
    server.kill()
    server = serve()
    listener = join(server, version)
    listener.subscribe("devices/a/+")
    assert listener.message() == ("devices/a/x", b"7")


def test_who_gets_a_removed_devices_key_gets_none_of_its_retained_messages(
    server, join, version, name
):
    with httpx.Client(base_url=f"{server.url}/api/devices/", timeout=PATIENCE_SECONDS) as devices:
        one = devices.post("", json={"name": "a", "key": name}).json()["id"]
        devices.post("", json={"name": "b", "key": f"{name}/door"}).raise_for_status()
        party = join(server, version)
        topics = [f"devices/{name}/x", f"devices/{one}/y", f"devices/{name}/door/z", "other/x"]
        for topic in topics:
            party.publish(topic, "7", 1, retain=True)
        devices.delete(name).raise_for_status()
        devices.post("", json={"name": "c", "key": name}).raise_for_status()
        listener = join(server, version)
        for topic in topics:
            listener.subscribe(topic)
        assert {listener.message()[0] for _ in range(2)} == {topics[2], topics[3]}
        # Whatever else there were would have come before this.
        party.publish(topics[0], "8", 1, retain=True)
        assert listener.message() == (topics[0], b"8")
        devices.patch(name, json={"key": f"{name}-new"}).raise_for_status()
        devices.post("", json={"name": "d", "key": name}).raise_for_status()
        late = join(server, version)
        late.subscribe(topics[0])
        party.publish(topics[0], "9", 1)
        assert late.message() == (topics[0], b"9")


def test_a_will_is_published_and_stored_when_the_network_fails(server, join, version, name):
    listener = join(server, version)
    listener.subscribe(f"devices/{name}/status")
    party = join(server, version, will=(f"devices/{name}/status", "gone", 1, True))
    party.break_off()
    assert listener.message() == (f"devices/{name}/status", b"gone")
    assert soon(lambda: latest(server, name), {"status": "gone"}) == {"status": "gone"}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_session_and_its_queue_survive_a_restart(serve, join, version, end):
    server = serve()
    sleeper = join(server, version, "sleeper", clean=False)
    sleeper.subscribe("devices/a/x")
    sleeper.leave()
    party = join(server, version)
    for i in range(20):
        party.publish("devices/a/x", str(i), 1)
    getattr(server, end)()
    server = serve()
    sleeper = join(server, version, "sleeper", clean=False)
    assert sleeper.flags.session_present
    assert [int(sleeper.message()[1]) for _ in range(20)] == list(range(20))


# Who may what


@pytest.fixture(scope="module")
def people(guarded):
    """Two users with a device each, and an administrator."""
    operator = {"Authorization": f"Bearer {guarded.token}"}
    with httpx.Client(base_url=guarded.url, headers=operator, timeout=PATIENCE_SECONDS) as client:
        found = {}
        for user, role in (("anna", "member"), ("boris", "member"), ("chief", "admin")):
            body = {
                "username": user,
                "email": f"{user}@example.org",
                "password": f"{user} has a secret",
                "role": role,
            }
            answer = client.post("/api/users", json=body)
            assert answer.status_code == 201, answer.text
            made = answer.json()
            found[user] = made["token"]
            device = client.post(
                "/api/devices",
                json={"name": user, "key": f"{user}s"},
                headers={"Authorization": f"Bearer {made['token']}"},
            ).json()
            found[f"{user}s"] = device["token"]
    return found


def test_every_kind_of_credential_lets_in(guarded, join, version, people):
    for username, password in (
        ("annas", people["annas"]),
        (people["annas"], None),
        (people["anna"], ""),
        ("anna", people["anna"]),
        ("Anna", "anna has a secret"),
    ):
        assert join(guarded, version, username=username, password=password).reason == "Success"


def test_wrong_credentials_are_refused_in_the_standards_words(guarded, join, version, people):
    assert join(guarded, version).reason == "Not authorized"
    for username, password in (
        ("annas", people["boriss"]),
        ("boris", people["anna"]),
        ("anna", "wrong"),
        ("a" * 20, None),
    ):
        reason = join(guarded, version, username=username, password=password).reason
        assert reason == "Bad user name or password"


def test_a_device_writes_to_its_own_topics_only(guarded, join, people):
    party = join(guarded, V5, username="annas", password=people["annas"])
    for topic, answer in (
        ("devices/annas/x", "Success"),
        ("devices/boriss/x", "Not authorized"),
        ("devices/new/x", "Not authorized"),
        ("elsewhere", "Not authorized"),
    ):
        party.publish(topic, "1", 1)
        assert party.answer() == answer
    for topic, granted in (
        ("devices/annas/#", True),
        ("devices/boriss/x", False),
        ("devices/+/x", False),
        ("#", False),
    ):
        assert (party.subscribe(topic) == "Granted QoS 1") is granted


def test_an_unauthorised_publish_ends_a_3_1_1_connection(guarded, join, people):
    party = join(guarded, V3, username="annas", password=people["annas"])
    party.client.publish("devices/boriss/x", "1", 1)
    assert party.ended.get(timeout=PATIENCE_SECONDS) is not None


def test_a_user_sees_their_own_devices_through_a_wide_filter(guarded, join, version, people):
    anna = join(guarded, version, username=people["anna"])
    assert anna.subscribe("devices/#") == "Granted QoS 1"
    boris = join(guarded, version, username=people["boris"])
    boris.publish("devices/boriss/x", "1", 1)
    chief = join(guarded, version, username=people["chief"])
    chief.publish("devices/annas/x", "2", 1)
    assert anna.message() == ("devices/annas/x", b"2")


def test_an_unknown_device_is_made_for_the_user_who_writes(guarded, join, people, name):
    token = people["anna"]
    join(guarded, V5, username=token).publish(f"devices/{name}/x", "1", 1)
    mine = {"Authorization": f"Bearer {token}"}
    assert rows(guarded, name, **mine)[0]["x"] == 1.0
    other = {"Authorization": f"Bearer {people['boris']}"}
    answer = httpx.get(f"{guarded.url}/api/devices/{name}", headers=other, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 404


def test_a_revoked_token_ends_the_connection(guarded, join, people, name):
    asker = {"Authorization": f"Bearer {people['anna']}"}
    made = httpx.post(
        f"{guarded.url}/api/devices", json={"name": name}, headers=asker, timeout=PATIENCE_SECONDS
    ).json()
    party = join(guarded, V5, username=made["token"])
    httpx.post(
        f"{guarded.url}/api/devices/{made['id']}/token", headers=asker, timeout=PATIENCE_SECONDS
    )
    assert party.ended.get(timeout=PATIENCE_SECONDS) == "Not authorized"


# Faults


class Sender(threading.Thread):
    """Publishes at QoS 1 until the connection breaks; notes what was acknowledged."""

    def __init__(self, server, device, first):
        super().__init__()
        self.party = Party(server, V5)
        self.device, self.first, self.acknowledged = device, first, set()
        self.sent = {}
        self.party.client.on_publish = self._acknowledged

    def _acknowledged(self, _client, _data, mid, reason, _properties):
        if reason == "Success":
            self.acknowledged.add(mid)

    def run(self):
        for i in itertools.count(self.first):
            payload = f'{{"value": {i}, "ts": {START + i}}}'
            info = self.party.client.publish(f"devices/{self.device}/x", payload, 1)
            if info.rc != paho.MQTT_ERR_SUCCESS or i - self.first >= 20_000:
                return
            self.sent[info.mid] = i
            if i % 20 == 19:
                time.sleep(0.001)


def test_what_was_acknowledged_survives_kills_exactly_once(serve):
    server = serve()
    first, acknowledged = 0, set()
    for round_ in range(5):
        sender = Sender(server, "a", first)
        sender.start()
        until(lambda one=sender, some=50 + 20 * round_: len(one.acknowledged) > some)
        server.kill()
        sender.join()
        sender.party.leave()
        acknowledged |= {sender.sent[mid] for mid in sender.acknowledged if mid in sender.sent}
        first = max(sender.sent.values()) + 2
        server = serve()
        answer = httpx.get(
            f"{server.url}/api/devices/a/data",
            params={"format": "ndjson"},
            timeout=PATIENCE_SECONDS,
        )
        stored = [
            int(line.split('"x":')[1].strip(" }").split(".")[0])
            for line in answer.text.splitlines()
        ]
        assert len(stored) == len(set(stored))
        assert acknowledged <= set(stored)
    assert len(acknowledged) > 100


def test_clients_that_reconnect_and_resend_over_kills_store_each_reading_once(serve):
    port = str(free_port())
    server = serve("--mqtt-port", port)
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2, "persistent", clean_session=False, protocol=V3
    )
    client.reconnect_delay_set(0.05, 0.2)
    client.max_inflight_messages_set(50)
    client.connect("127.0.0.1", server.mqtt_port)
    client.loop_start()
    sent, interrupted = [], 0
    while interrupted < 4:
        for _ in range(1000):
            i = len(sent)
            payload = f'{{"value": {i}, "ts": {START + i}}}'
            sent.append(client.publish("devices/a/x", payload, 1))
        sent[-900].wait_for_publish(PATIENCE_SECONDS)
        server.kill()
        interrupted += not sent[-1].is_published()  # or all was over before the kill: once more
        server = serve("--mqtt-port", port)
        sent[-1 - 400 * (interrupted < 4)].wait_for_publish(PATIENCE_SECONDS)
    for one in sent:
        one.wait_for_publish(PATIENCE_SECONDS)
    client.disconnect()
    client.loop_stop()
    answer = httpx.get(
        f"{server.url}/api/devices/a/data", params={"format": "ndjson"}, timeout=PATIENCE_SECONDS
    )
    stored = sorted(json.loads(line)["x"] for line in answer.text.splitlines())
    assert stored == [float(i) for i in range(len(sent))]


def test_a_backup_holds_sessions_and_retained_messages(serve, join, version, tmp_path):
    server = serve()
    party = join(server, version, "kept", clean=False)
    party.subscribe("devices/a/x", 1)
    party.break_off()
    other = join(server, version)
    other.publish("devices/a/x", "1", 1, retain=True)
    made = httpx.post(f"{server.url}/api/backups", timeout=PATIENCE_SECONDS)
    assert made.status_code == 201, made.text
    other.publish("devices/a/x", "2", 1)
    server.kill()
    command = [sys.executable, "-m", "barograph", "restore", made.json()["path"], "--force"]
    backup = Path(made.json()["path"]).rename(tmp_path / "backup")
    command[4] = str(backup)
    subprocess.run([*command, "--data-dir", str(tmp_path / "data")], check=True, timeout=200)
    server = serve()
    again = join(server, version, "kept", clean=False)
    assert again.flags.session_present
    assert again.message() == ("devices/a/x", b"1")
    later = join(server, version)
    later.subscribe("devices/a/+")
    assert later.message() == ("devices/a/x", b"1")


def test_a_taken_port_that_was_asked_for_is_refused_in_plain_words(server, serve):
    with pytest.raises(AssertionError, match="--mqtt-port"):
        serve("--mqtt-port", str(server.mqtt_port))


def test_another_free_port_is_taken_and_said_where_none_was_asked_for(serve):
    server = serve()
    if server.mqtt_port != 1883:
        assert "another program uses 1883" in server.log.read_text()


def test_a_stop_acknowledges_what_came_in_and_says_goodbye(serve, join):
    server = serve()
    party = join(server, V5)
    sent = [party.client.publish("devices/a/x", str(i), 1) for i in range(90)]
    sent[0].wait_for_publish(PATIENCE_SECONDS)
    assert server.stop() == 0
    assert party.ended.get(timeout=PATIENCE_SECONDS) == "Server shutting down"
    acknowledged = party.answers.qsize()
    server = serve()
    assert len(rows(server, "a")) >= acknowledged
