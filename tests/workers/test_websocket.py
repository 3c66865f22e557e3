"""MQTT over WebSocket, whichever process a connection comes to."""

import os
import signal
import socket
from urllib.parse import urlsplit

import pytest
from tests.acceptance.mqtt_clients import V3, V5, Paho, Plan
from tests.waiting import PATIENCE_SECONDS, until
from tests.workers.conftest import workers
from tests.workers.test_agreement import make_device, ok
from tests.workers.test_supervision import children
from websockets.sync.client import connect

from barograph.mqtt import packets as p
from barograph.mqtt.encode import encode


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with workers(tmp_path_factory.mktemp("workers"), "postgresql") as server:
        yield server


def opened_to(server, number):
    """A connection to the process of that number, which has answered a request already."""
    host = urlsplit(server.url)

    def opened():
        made = socket.create_connection(("127.0.0.1", host.port), PATIENCE_SECONDS)
        made.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"}" not in answer and (more := made.recv(4096)):
            answer += more
        if f'"worker":{number}'.encode() in answer.replace(b" ", b""):
            return made
        made.close()
        return None

    return until(opened, lambda: f"process {number}")


@pytest.mark.parametrize("number", [0, 1])
def test_a_connection_to_any_process_is_served(server, pair, number):
    device = make_device(pair[0])
    hello = encode(
        p.Connect(p.V5, "", True, 0, username=device["key"], password=device["token"].encode()),
        p.V5,
    )
    message = encode(p.Publish(f"devices/{device['key']}/x", b"7", 1, packet_id=1), p.V5)
    url = server.url.replace("http://", "ws://") + "/mqtt"
    with connect(
        url, sock=opened_to(server, number), subprotocols=["mqtt"], open_timeout=PATIENCE_SECONDS
    ) as line:
        line.send(hello)
        assert line.recv(PATIENCE_SECONDS)[3] == 0  # CONNACK
        line.send(message)
        assert line.recv(PATIENCE_SECONDS)[:4] == b"\x40\x02\x00\x01"
    for client in pair:
        newest = ok(client.get(f"/api/devices/{device['key']}/latest"))["metrics"]
        assert newest["x"]["value"] == 7


@pytest.mark.parametrize("version", [V3, V5])
def test_a_real_client_is_served_wherever_it_comes(server, pair, version):
    device = make_device(pair[0])
    plan = Plan(
        urlsplit(server.url).port,
        version,
        "websocket",
        username=device["key"],
        password=device["token"],
    )
    topic = f"devices/{device['key']}/x"
    listener = Paho(plan)
    listener.subscribe(topic, 1)
    for n in range(6):
        publisher = Paho(Plan(**{**plan.__dict__, "client_id": f"publisher-{n}"}))
        publisher.publish(topic, str(n), 1)
        assert listener.message()[:2] == (topic, str(n))
        publisher.leave()
    listener.leave()


def test_what_is_no_websocket_of_mqtt_is_refused_by_all(server):
    for number in (0, 1):
        with opened_to(server, number) as opened:
            opened.sendall(
                b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://elsewhere\r\n\r\n"
            )
            # Without the subprotocol nobody speaks MQTT.
            assert b" 4" in opened.recv(4096)[8:12]


def test_connections_wait_for_the_process_that_serves_mqtt(tmp_path):
    with workers(tmp_path, "postgresql") as server:
        waiting = opened_to(server, 1)
        first, _ = children(server)
        os.kill(first, signal.SIGKILL)
        url = server.url.replace("http://", "ws://") + "/mqtt"
        with connect(
            url, sock=waiting, subprotocols=["mqtt"], open_timeout=PATIENCE_SECONDS
        ) as line:
            line.send(encode(p.Connect(p.V5, "", True, 0, username=server.token), p.V5))
            assert line.recv(PATIENCE_SECONDS)[3] == 0


def test_every_process_tells_who_is_connected_and_what_was_refused(server, pair):
    device = make_device(pair[0])
    plan = Plan(
        server.mqtt_port, V5, username=device["key"], password=device["token"], client_id="told"
    )
    path = f"/api/devices/{device['id']}"
    connected = Paho(plan)
    for client in pair:
        found = until(lambda client=client: ok(client.get(path))["connection"])
        assert found["status"] == "online"
    connected._client.publish(f"devices/{device['key']}/data", b"{nonsense", 1)
    for client in pair:
        (one,) = until(lambda client=client: ok(client.get(f"{path}/refused"))["items"])
        assert one["payload"] == "{nonsense"
    connected.leave()
    for client in pair:
        until(lambda client=client: ok(client.get(path))["connection"]["status"] == "offline")
