"""MQTT over WebSocket: frames, access and bounds, on a real server."""

import contextlib
import socket

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from barograph.mqtt import packets as p
from barograph.mqtt.decode import decode
from barograph.mqtt.encode import encode
from barograph.mqtt.framing import Framing

CONNECT = p.Connect(p.V5, "", True, 0)
HELLO = encode(CONNECT, p.V5)


def publish(device, payload=b"1", packet_id=1):
    return encode(p.Publish(f"devices/{device}/x", payload, 1, packet_id=packet_id), p.V5)


class Client:
    """A WebSocket that speaks packets."""

    def __init__(self, socket):
        self.socket = socket
        self._framing, self._inbox = Framing(), []

    def receive(self):
        while not self._inbox:
            message = self.socket.recv(PATIENCE_SECONDS)
            assert isinstance(message, bytes)
            data = self._framing.join(message)
            pos = 0
            while pos < len(data):
                body, after = self._framing.find(data, pos, 1 << 24)
                if not body:
                    break
                self._inbox.append(decode(data[pos], data[body:after], p.V5))
                pos = after
            self._framing.keep(data[pos:])
        return self._inbox.pop(0)

    def end(self):
        """The code with which the server closes."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.socket.recv(PATIENCE_SECONDS)
        return self.socket.close_code


@pytest.fixture
def join(server):
    with contextlib.ExitStack() as opened:

        def client(other=None, *, path="/mqtt", subprotocols=("mqtt",), **more):
            url = (other or server).url.replace("http", "ws") + path
            offered = list(subprotocols) or None
            opening = connect(
                url,
                subprotocols=offered,
                max_size=None,
                open_timeout=PATIENCE_SECONDS,
                close_timeout=PATIENCE_SECONDS,
                ping_timeout=PATIENCE_SECONDS,
                **more,
            )
            return Client(opened.enter_context(opening))

        yield client


def test_the_subprotocol_is_mqtt_and_others_are_refused(join):
    assert join().socket.subprotocol == "mqtt"
    assert join(subprotocols=("other", "mqtt")).socket.subprotocol == "mqtt"
    for offered in ((), ("mqttv3.1",)):
        with pytest.raises(InvalidStatus) as refused:
            join(subprotocols=offered)
        assert refused.value.response.status_code == 400


def test_one_frame_may_hold_many_packets(join):
    client = join()
    client.socket.send(HELLO + b"".join(publish("many", packet_id=i) for i in range(1, 51)))
    assert client.receive().reason == 0
    assert [client.receive().packet_id for _ in range(50)] == list(range(1, 51))


def test_one_packet_may_span_frames_and_messages(join):
    client = join()
    data = HELLO + publish("span", b" " * 1000 + b"7")
    for i in range(0, len(data), 97):
        client.socket.send(data[i : i + 97])
    assert client.receive().reason == 0
    assert client.receive().packet_id == 1
    client.socket.send(data[i : i + 1] for i in range(len(HELLO), len(data)))  # one message
    assert client.receive().packet_id == 1


def test_a_message_without_end_is_no_more_than_its_frames(join):
    client = join()

    def packets():
        yield HELLO
        for i in range(1, 41):
            yield publish("endless", b" " * 100_000 + b"1", packet_id=i)

    client.socket.send(packets())
    assert client.receive().reason == 0
    assert [client.receive().packet_id for _ in range(40)] == list(range(1, 41))


def test_a_text_frame_ends_the_connection(join):
    client = join()
    client.socket.send(HELLO)
    client.receive()
    client.socket.send("text")
    assert client.end() == 1003


def test_a_frame_over_the_limit_ends_the_connection(join):
    client = join()
    client.socket.send(HELLO)
    client.receive()
    client.socket.send(b"\x00" * ((1 << 20) + 1))
    assert client.end() == 1009


def test_a_packet_over_the_limit_is_told_its_reason(join):
    client = join()
    client.socket.send(HELLO + publish("large", b"1" * 300_000))
    assert client.receive().reason == 0
    assert client.receive().reason == 0x95
    assert client.end() == 1000


def test_a_ping_is_answered_and_the_goodbye_too(join):
    client = join()
    client.socket.send(HELLO)
    assert client.socket.ping().wait(PATIENCE_SECONDS)
    client.socket.close()
    assert client.socket.close_code == 1000


def test_a_broken_frame_ends_its_connection_only(server, join):
    other = join()
    client = join()
    client.socket.socket.sendall(b"\xff\xff\xff\xff")
    assert client.end() == 1002
    other.socket.send(HELLO)
    assert other.receive().reason == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_or_a_proxy_is_never_the_operator(server, headers):
    host = server.url.removeprefix("http://")
    given = {"Host": host} | headers
    lines = [
        "GET /mqtt HTTP/1.1",
        *(f"{name}: {value}" for name, value in given.items()),
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    ]

    def answer(packet):
        """The reason of CONNACK."""
        data = encode(packet, p.V5)
        with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))) as raw:
            raw.settimeout(PATIENCE_SECONDS)
            raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            got = b""
            while b"\r\n\r\n" not in got:
                got += raw.recv(4096)
            assert got.startswith(b"HTTP/1.1 101")
            raw.sendall(bytes((0x82, 0x80 | len(data))) + bytes(4) + data)
            got = got.partition(b"\r\n\r\n")[2]
            while len(got) < 5:
                got += raw.recv(4096)
            assert got[0] == 0x82
            assert got[2] == p.CONNACK << 4
            return got[5]

    assert answer(CONNECT) == 0x87
    assert answer(p.Connect(p.V5, "", True, 0, username=server.token)) == 0


def test_this_machines_page_is_the_operator(server, join):
    client = join(origin=server.url)
    client.socket.send(HELLO)
    assert client.receive().reason == 0


def test_other_paths_are_answered_as_ever(server, join):
    with pytest.raises(InvalidStatus) as refused:
        join(path="/elsewhere")
    assert refused.value.response.status_code == 404
    assert httpx.get(f"{server.url}/mqtt", timeout=PATIENCE_SECONDS).status_code == 404
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    with httpx.Client(timeout=PATIENCE_SECONDS) as client:
        for _ in range(2):  # an offer that is not taken changes nothing
            assert client.get(f"{server.url}/healthz", headers=headers).status_code == 200


def test_a_garbled_handshake_is_refused(server):
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = httpx.get(f"{server.url}/mqtt", headers=headers, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 400


def test_upgraded_connections_are_not_counted_as_http(serve, join):
    server = serve(
        BAROGRAPH_LIMITS__CONNECTIONS_MAX="4", BAROGRAPH_LIMITS__ADDRESS_CONNECTIONS_MAX="4"
    )
    for _ in range(10):
        client = join(server)
        client.socket.send(HELLO)
        assert client.receive().reason == 0
        client.socket.close()
    assert httpx.get(f"{server.url}/healthz", timeout=PATIENCE_SECONDS).status_code == 200


def test_websocket_can_be_switched_off(serve, join):
    server = serve(BAROGRAPH_MQTT_WEBSOCKET="false")
    with pytest.raises(InvalidStatus) as refused:
        join(server)
    assert refused.value.response.status_code == 404


def test_a_stop_says_goodbye_to_websockets(serve, join):
    server = serve()
    client = join(server)
    client.socket.send(HELLO)
    client.receive()
    assert server.stop() == 0
    assert client.receive().reason == 0x8B
