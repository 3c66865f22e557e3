"""The HTTP server's deadlines and bounds, over real sockets."""

import asyncio
import contextlib
import dataclasses
import socket
import threading
import time

import pytest

from barograph.domain.errors import ConfigurationError
from barograph.domain.limits import Limits
from barograph.transport.http.server import HttpServer, bind

LIMITS = dataclasses.replace(
    Limits(),
    header_seconds_max=0.5,
    body_idle_seconds_max=0.5,
    header_bytes_max=2048,
    connections_max=3,
    address_connections_max=3,
)


async def echo(scope, receive, send):
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    body = str(size).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port():
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(echo, sockets, LIMITS)
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    yield sockets[0].getsockname()[1]
    server.stop()
    thread.join()
    for one in sockets:
        one.close()


@contextlib.contextmanager
def connect(port):
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        yield client


def answer_of(client):
    """One answer whose body is a digit."""
    data = b""
    while not data.partition(b"\r\n\r\n")[2] and (piece := client.recv(65536)):
        data += piece
    return data


def read_all(client):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            data += piece
    return data


def test_a_request_is_answered_and_the_connection_kept(port):
    with connect(port) as client:
        for _ in range(2):
            client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
            assert answer_of(client).startswith(b"HTTP/1.1 200")


def test_a_connection_that_sends_nothing_is_closed(port):
    with connect(port) as client:
        assert read_all(client) == b""


def test_a_half_sent_header_is_given_up(port):
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: ")
        assert read_all(client).startswith(b"HTTP/1.1 408")


def test_a_header_sent_drop_by_drop_is_given_up_too(port):
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        client.settimeout(0.1)
        began = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - began < 8:
            with contextlib.suppress(TimeoutError):
                client.sendall(b"x: y\r\n")
                answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_half_sent_body_is_given_up(port):
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        assert read_all(client).startswith(b"HTTP/1.1 408")


def test_a_slow_answer_is_nobody_s_fault(port):
    with connect(port) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer_of(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "line", [b"x: " + b"y" * 4000, b"y" * 4000, b"x: " + b"y" * 4000 + b"\r\n\r\n"]
)
def test_a_header_block_over_the_limit_is_refused(port, line):
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n" + line)
        assert read_all(client).startswith(b"HTTP/1.1 431")


def test_too_many_connections_are_told_so_and_a_place_becomes_free_again(port):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(3)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert answer_of(client).startswith(b"HTTP/1.1 200")
        with connect(port) as fourth:
            assert read_all(fourth).startswith(b"HTTP/1.1 503")
    for _ in range(1000):
        with connect(port) as client, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            if answer_of(client).startswith(b"HTTP/1.1 200"):
                return
    pytest.fail("no place became free")


def test_a_taken_port_is_refused_with_what_to_do():
    taken = bind("127.0.0.1", 0)
    port = taken[0].getsockname()[1]
    with pytest.raises(ConfigurationError, match="--port 0"):
        bind("127.0.0.1", port)
    for one in taken:
        one.close()


def test_an_unknown_host_is_refused():
    with pytest.raises(ConfigurationError, match="no such address"):
        bind("nowhere.invalid", 0)
