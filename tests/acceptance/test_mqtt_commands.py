"""Commands to devices over MQTT, and what is known of the devices meanwhile."""

import itertools
import json
import time

import httpx
import pytest
from tests.acceptance.mqtt_clients import V3, V5, Paho, Plan
from tests.waiting import PATIENCE_SECONDS

_names = itertools.count(1)


@pytest.fixture(params=[V3, V5], ids=["3.1.1", "5.0"])
def version(request):
    return request.param


class Pump:
    """A device, its owner's calls and its clients."""

    def __init__(self, server, version):
        self.server, self.version = server, version
        self.key = f"hall/pump-{next(_names)}"
        made = self.ask("POST", "", json={"name": self.key, "key": self.key})
        self.id, self.token = made["id"], made["token"]
        self.parties = []

    def ask(self, method, path, **more):
        device = f"/{self.id}" if hasattr(self, "id") else ""
        headers = {"Authorization": f"Bearer {self.server.token}"}
        answer = httpx.request(
            method,
            f"{self.server.url}/api/devices{device}{path}",
            headers=headers,
            **more,
            timeout=PATIENCE_SECONDS,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def join(self, *, owner=False, **more):
        """A client that acts as the device, or as its owner."""
        who = (self.server.token, "") if owner else (self.key, self.token)
        plan = Plan(self.server.mqtt_port, self.version, username=who[0], password=who[1], **more)
        self.parties.append(Paho(plan))
        return self.parties[-1]

    def leave(self, party, *, how="leave"):
        self.parties.remove(party)
        getattr(party, how)()

    def send(self, command, **more):
        return self.ask("POST", "/commands", json={"command": command, **more})

    def until(self, path, wanted):
        """What the path answers once it is `wanted`, or patience is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not wanted(found := self.ask("GET", path)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert wanted(found), found
        return found

    def becomes(self, command, status):
        return self.until(f"/commands/{command['id']}", lambda one: one["status"] == status)


@pytest.fixture
def pump(guarded, version):
    pump = Pump(guarded, version)
    yield pump
    for party in pump.parties:
        party.leave()


def test_a_command_is_delivered_and_answered(pump):
    device = pump.join()
    device.subscribe(f"devices/{pump.key}/command", 1)
    command = pump.send({"relay": "on"})
    assert command["status"] in {"queued", "delivered"}
    topic, payload, qos, retain = device.message()
    assert (topic, qos, retain) == (f"devices/{pump.key}/command", 1, False)
    assert json.loads(payload) == {"id": command["id"], "command": {"relay": "on"}}
    assert pump.becomes(command, "delivered")["delivered_time"]
    device.publish(f"devices/{pump.key}/command/{command['id']}/reply", '{"relay": "on"}', 1)
    answered = pump.ask("GET", f"/commands/{command['id']}")  # noted before it is acknowledged
    assert (answered["status"], answered["reply"]) == ("answered", {"relay": "on"})
    assert pump.ask("GET", "/commands")["items"] == [answered]


def test_a_5_0_device_is_told_where_to_answer(guarded):
    pump = Pump(guarded, V5)
    told = []
    device = pump.join()
    device._client.on_message = lambda _c, _u, one: told.append(one.properties)
    device.subscribe(f"devices/{pump.key}/command", 1)
    command = pump.send(1, expires_in=60)
    pump.becomes(command, "delivered")
    pump.leave(device)
    (properties,) = told
    assert properties.ResponseTopic == f"devices/{pump.key}/command/{command['id']}/reply"
    assert properties.CorrelationData == str(command["id"]).encode()
    assert 0 < properties.MessageExpiryInterval <= 60


def test_commands_wait_for_a_device_that_never_came(pump):
    commands = [pump.send(i) for i in range(3)]
    device = pump.join()
    device.subscribe(f"devices/{pump.key}/#", 1)
    assert [json.loads(device.message()[1])["command"] for _ in commands] == [0, 1, 2]
    for command in commands:
        pump.becomes(command, "delivered")


def test_a_session_gets_a_command_once_that_was_made_while_it_was_away(pump):
    kept = {"client_id": pump.key, "clean": False}
    device = pump.join(**kept)
    device.subscribe(f"devices/{pump.key}/command", 1)
    pump.leave(device, how="break_off")
    pump.until("", lambda one: one["connection"]["status"] == "offline")
    first = pump.send("first")
    device = pump.join(**kept)
    device.subscribe(f"devices/{pump.key}/command", 1)  # as most clients do, needed or not
    pump.becomes(first, "delivered")
    second = pump.send("second")
    got = [json.loads(device.message()[1])["command"] for _ in range(2)]
    assert got == ["first", "second"]
    pump.becomes(second, "delivered")


def test_a_command_that_was_called_off_comes_to_no_device(pump):
    kept = {"client_id": pump.key, "clean": False}
    device = pump.join(**kept)
    device.subscribe(f"devices/{pump.key}/command", 1)
    pump.leave(device, how="break_off")
    pump.until("", lambda one: one["connection"]["status"] == "offline")
    commands = [pump.send(n) for n in range(3)]
    found = pump.ask("DELETE", f"/commands/{commands[1]['id']}")
    assert (found["status"], found["id"]) == ("cancelled", commands[1]["id"])
    assert found["cancelled_time"]
    device = pump.join(**kept)
    assert [json.loads(device.message()[1])["command"] for _ in range(2)] == [0, 2]
    pump.becomes(commands[2], "delivered")
    assert pump.ask("DELETE", f"/commands/{commands[2]['id']}")["status"] == "delivered"


def test_waiting_commands_survive_a_kill(serve, version):
    server = serve("--auth", "required")
    pump = Pump(server, version)
    command = pump.send("later")
    server.kill()
    pump.server = serve("--auth", "required")
    device = pump.join()
    device.subscribe(f"devices/{pump.key}/command", 1)
    assert json.loads(device.message()[1])["command"] == "later"
    pump.becomes(command, "delivered")
    pump.leave(device)


def test_a_listener_to_all_devices_does_not_count_as_the_device(pump):
    watcher = pump.join(owner=True)
    watcher.subscribe("devices/#", 1)
    command = pump.send("on")
    assert json.loads(watcher.message()[1])["id"] == command["id"]
    device = pump.join(owner=True)
    device.subscribe(f"devices/{pump.key}/command", 1)  # with the owner's token, but this device
    assert json.loads(device.message()[1])["id"] == command["id"]
    pump.becomes(command, "delivered")


def test_an_expired_command_is_not_delivered(pump):
    short = pump.send("short", expires_in=1)
    pump.becomes(short, "expired")
    pump.send("long")
    device = pump.join()
    device.subscribe(f"devices/{pump.key}/command", 1)
    assert json.loads(device.message()[1])["command"] == "long"


def test_a_device_at_qos_0_has_a_command_when_it_was_sent(pump):
    device = pump.join()
    device.subscribe(f"devices/{pump.key}/command", 0)
    command = pump.send("on")
    assert device.message()[2] == 0
    pump.becomes(command, "delivered")


def test_replies_to_nothing_and_unreadable_messages_are_kept_for_the_devices_page(pump):
    device = pump.join()
    device.publish(f"devices/{pump.key}/x", "1", 1)
    device.publish(f"devices/{pump.key}/data", '{"x": [}', 1)
    found = pump.ask("GET", "/refused")["items"]
    assert [(one["topic"], one["payload"], one["size"]) for one in found] == [
        (f"devices/{pump.key}/data", '{"x": [}', 8)
    ]
    assert "JSON" in found[0]["message"]
    if pump.version == V5:  # on 3.1.1 it would end the connection
        device.publish(f"devices/{pump.key}/command/7000000/reply", "1", 1)
        assert pump.ask("GET", "/refused")["items"][0]["topic"].endswith("/reply")


def test_a_device_is_online_while_it_is_connected(pump):
    assert pump.ask("GET", "")["connection"] is None
    device = pump.join()
    assert pump.ask("GET", "")["connection"]["status"] == "online"
    pump.leave(device)
    gone = pump.until("", lambda one: one["connection"]["status"] == "offline")
    assert "disconnected" in gone["connection"]["detail"]
    owner = pump.join(owner=True)
    owner.publish(f"devices/{pump.key}/x", "1", 1)
    owner.publish(f"devices/{pump.key}/x", "2", 1)
    assert pump.ask("GET", "")["connection"]["status"] == "online"
    pump.leave(owner, how="break_off")
    gone = pump.until("", lambda one: one["connection"]["status"] == "offline")
    assert "lost" in gone["connection"]["detail"]
    assert gone["last_seen"]


def test_metrics_and_sys_tell_of_mqtt(guarded):
    pump = Pump(guarded, V5)
    watcher = pump.join(owner=True)
    watcher.subscribe("$SYS/#", 0)
    watcher.publish(f"devices/{pump.key}/x", "1", 1)
    told = {}
    while "$SYS/broker/publish/messages/dropped" not in told:
        topic, payload, _, _ = watcher.message()
        told[topic] = payload
    assert told["$SYS/broker/version"].startswith("barograph ")
    assert int(told["$SYS/broker/clients/connected"]) >= 1
    assert int(told["$SYS/broker/subscriptions/count"]) >= 1
    headers = {"Authorization": f"Bearer {guarded.token}"}
    seen = httpx.get(f"{guarded.url}/metrics", headers=headers, timeout=PATIENCE_SECONDS).text
    counts = dict(
        line.rsplit(" ", 1) for line in seen.splitlines() if line.startswith("barograph_")
    )
    assert float(counts["barograph_mqtt_connections"]) >= 1
    assert float(counts["barograph_mqtt_received_total"]) >= 1
    assert float(counts["barograph_mqtt_connects_total"]) >= 1
    pump.leave(watcher)
