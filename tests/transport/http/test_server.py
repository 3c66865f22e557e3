"""The HTTP server's deadlines and bounds, over real sockets."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import threading
import time
from http import HTTPStatus

import pytest
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.errors import ConfigurationError
from barograph.domain.limits import Limits
from barograph.transport.http.server import HttpServer, bind

LIMITS = dataclasses.replace(
    Limits(),
    header_seconds_max=60,
    body_idle_seconds_max=60,
    answer_idle_seconds_max=60,
    header_bytes_max=2048,
    connections_max=3,
    address_connections_max=3,
)
HASTY = dataclasses.replace(
    LIMITS, header_seconds_max=1, body_idle_seconds_max=1, answer_idle_seconds_max=1
)
"""For tests of what is given up, which wait for it; in all others nothing may be too late."""


PIECE = b"x" * 65_536
PIECES = 512
"""More than the buffers of two sockets hold."""


async def pour(send):
    """An answer that takes its time."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body"})


async def echo(scope, receive, send):
    if scope["path"] == "/long":
        return await pour(send)
    size = 0
    while scope["path"] != "/early":
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message["body"])
        if not message["more_body"]:
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(4)
    if scope["path"] == "/headers":
        size = len(scope["headers"])
    body = str(size).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})
    return None


@contextlib.contextmanager
def serving(limits):
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(echo, sockets, limits, websockets={b"/socket": asyncio.Protocol})
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    try:
        until(lambda: server.started)
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        thread.join()
        for one in sockets:
            one.close()


@pytest.fixture
def port():
    with serving(LIMITS) as port:
        yield port


@pytest.fixture
def hasty():
    """The port of a server with little patience."""
    with serving(HASTY) as port:
        yield port


@contextlib.contextmanager
def connect(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
        yield client


def answer_of(client):
    """One answer whose body is a digit."""
    data = b""
    while not data.partition(b"\r\n\r\n")[2] and (piece := client.recv(65536)):
        data += piece
    return data


def send_on(client, data):
    """Send what may be too late already; an answer that has come is still there to be read."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(data)


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


def test_a_connection_that_sends_nothing_is_closed(hasty):
    with connect(hasty) as client:
        assert read_all(client) == b""


def test_a_half_sent_header_is_given_up(hasty):
    with connect(hasty) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: ")
        assert "did not come in time" in problem_of(read_all(client), 408)["detail"]


def test_a_header_sent_drop_by_drop_is_given_up_too(hasty):
    with connect(hasty) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        client.settimeout(0.3)
        answer = b""
        for _ in range(LIMITS.header_bytes_max // 8):  # or it would be too long
            send_on(client, b"x: y\r\n")
            with contextlib.suppress(TimeoutError):
                answer = client.recv(65536)
                break
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_half_sent_body_is_given_up():
    hasty = dataclasses.replace(LIMITS, body_idle_seconds_max=1)
    with serving(hasty) as port, connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        assert read_all(client).startswith(b"HTTP/1.1 408")


def test_a_body_that_stops_after_its_answer_is_given_up_too(hasty):
    with connect(hasty) as client:
        client.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        assert answer_of(client).startswith(b"HTTP/1.1 200")
        client.sendall(b"a")
        assert read_all(client) == b""  # and not a second answer to the one request


@pytest.mark.parametrize("line", [b"connection: close\r\n", b""])
def test_who_sends_a_long_body_before_it_reads_gets_the_answer(port, line):
    with connect(port) as client:
        size = len(PIECE) * PIECES
        head = b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%b\r\n" % (size, line)
        client.sendall(head)
        for _ in range(PIECES):
            client.sendall(PIECE)
        if not line:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert read_all(client).count(b"200 OK") == 1 + (not line)


def test_what_follows_a_long_body_that_was_not_to_be_followed_is_not_answered(port):
    with connect(port) as client:
        head = b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
        client.sendall(head)
        begun = client.recv(1)
        client.sendall(b"12345GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (begun + read_all(client)).count(b"200 OK") == 1


def test_blank_lines_are_no_request(hasty):
    with connect(hasty) as client:
        client.settimeout(0.1)
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - began < PATIENCE_SECONDS:
                client.sendall(b"\r\n")
                with contextlib.suppress(TimeoutError):
                    if client.recv(65536) == b"":
                        return
            pytest.fail("the connection is still open")


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"3\r\nabc\r\n0\r\n", b"x: y\r\n"), (b"0\r\nx: ", b"yyyyyy"), (b"3;", b"yyyyyy")],
    ids=["trailers", "a trailer", "a chunk's extension"],
)
def test_what_follows_a_body_or_stands_between_its_pieces_has_an_end(port, begin, more):
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + begin)
        client.settimeout(0.02)
        sent, answer = 0, b""
        while not answer and sent < 400_000:
            send_on(client, more * 200)
            sent += 200 * len(more)
            with contextlib.suppress(TimeoutError):
                answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 431")


def test_many_small_pieces_of_a_body_are_no_long_trailer(port):
    with connect(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(1_000):  # each a read of its own, more often than not
            client.sendall(b"1\r\n")
            client.sendall(b"a\r\n")
        client.sendall(b"0\r\n\r\n")
        assert answer_of(client).endswith(b"1000")


def test_a_trailer_is_no_header(port):
    with connect(port) as client:
        client.sendall(
            b"POST /headers HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nauthorization: another\r\n\r\n"
        )
        assert answer_of(client).endswith(b"\r\n\r\n2")


def test_a_head_that_begins_behind_a_long_body_is_no_longer_for_that(port):
    with connect(port) as client:
        request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n" + b"a" * 4000
        client.sendall(request + request[:20])
        assert answer_of(client).endswith(b"4000")
        client.sendall(request[20:])
        assert answer_of(client).endswith(b"4000")


def test_an_offer_of_another_protocol_is_ignored_and_the_body_read(port):
    with connect(port) as client:
        for _ in range(2):  # as Java's client does, with the first request on a connection
            client.sendall(
                b"POST / HTTP/1.1\r\nconnection: Upgrade, HTTP2-Settings\r\nhost: x\r\n"
                b"http2-settings: AAEAAEAA\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"
            )
            assert answer_of(client).endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("cut", [1, 40, 90, 150])
def test_such_an_offer_may_come_in_pieces_and_with_others_behind_it(port, cut):
    request = (
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        b"content-length: 3\r\n\r\nabc"
    ) * 3
    with connect(port) as client, client.makefile("rb") as answers:
        client.sendall(request[:cut])
        client.sendall(request[cut:])
        for _ in range(3):
            lines = []
            while (line := answers.readline()) != b"\r\n":
                lines.append(line)
            assert lines[0].startswith(b"HTTP/1.1 200")
            assert answers.read(1) == b"3"


def problem_of(answer, status):
    """The problem document that refuses a request and ends its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().splitlines()
    headers = dict(line.split(": ") for line in lines)
    assert first == f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    problem = json.loads(body)
    assert problem["status"] == status
    return problem


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: one\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_answered_with_a_problem_document(port, request_bytes):
    with connect(port) as client:
        client.sendall(request_bytes)
        assert "not a request of HTTP/1.1" in problem_of(read_all(client), 400)["detail"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET http://x/ HTTP/1.1\r\nx-host: x\r\n",
        b"GET http://x/ HTTP/1.1\r\nhost: localhost\r\n",
        b"GET http://x?://localhost/ HTTP/1.1\r\nhost: localhost\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nHost: x\r\n",
        b"GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n",
        b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n",
        b"GET /socket HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
    ],
)
def test_a_request_that_does_not_name_one_host_is_refused(port, head):
    with connect(port) as client:
        client.sendall(head + b"\r\nabc")
        assert "exactly one host" in problem_of(read_all(client), 400)["detail"]


@pytest.mark.parametrize("target", [b"http://X:80/", b"/?of=http://y/", b"//y/z"])
def test_a_target_may_be_a_whole_address_of_that_host(port, target):
    with connect(port) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: x:80\r\nconnection: close\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "lines", [b"HTTP/1.0\r\n", b"HTTP/1.0\r\nhost: x\r\n", b"HTTP/1.1\r\nhost:\r\n"]
)
def test_a_request_of_the_first_http_need_not_name_a_host_nor_another_any(port, lines):
    with connect(port) as client:
        client.sendall(b"GET / " + lines + b"connection: close\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200")


def test_a_tunnel_is_not_dug(port):
    with connect(port) as client:
        client.sendall(b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 400")


def test_a_reader_that_goes_on_slowly_gets_all_of_a_long_answer():
    patient = dataclasses.replace(LIMITS, answer_idle_seconds_max=6)
    with serving(patient) as port, connect(port) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        began, size = time.monotonic(), 0
        while piece := client.recv(1 << 20):
            size += len(piece)
            if time.monotonic() - began < 7:  # longer than nothing may be taken
                threading.Event().wait(0.15)
        assert size > PIECES * len(PIECE)


def test_readers_that_stop_are_given_up_also_while_they_begin_another_request(hasty):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(connect(hasty))
            client.sendall(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\nGET / HT")
        wait_for_a_place(hasty)


def test_a_slow_answer_is_nobody_s_fault():
    hasty = dataclasses.replace(
        LIMITS, header_seconds_max=3, body_idle_seconds_max=3, answer_idle_seconds_max=3
    )
    with serving(hasty) as port, connect(port) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer_of(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "line", [b"x: " + b"y" * 4000, b"y" * 4000, b"x: " + b"y" * 4000 + b"\r\n\r\n"]
)
def test_a_header_block_over_the_limit_is_refused(port, line):
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n" + line)
        assert "longer than" in problem_of(read_all(client), 431)["detail"]


def head_of(size, field):
    """A request's head of `size` bytes, mostly of headers like `field`."""
    head = b"GET / HTTP/1.1\r\nhost: x\r\n"
    while len(head) + 2 * len(field) + len(b"z: \r\n\r\n") <= size:
        head += field
    head += b"z: %s\r\n\r\n" % (b"z" * (size - len(head) - len(b"z: \r\n\r\n")))
    assert len(head) == size
    return head


@pytest.mark.parametrize(
    "field", [b"x: " + b"y" * 500 + b"\r\n", b"a: b\r\n"], ids=["long", "short"]
)
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_header_block_is_counted_to_the_byte(port, field, pieces):
    for size, status in ((2047, b"200"), (2048, b"200"), (2049, b"431"), (3000, b"431")):
        with connect(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head = head_of(size, field)
            for at in range(pieces):
                if at:  # a read of its own, more often than not
                    threading.Event().wait(0.05)
                client.sendall(head[at * size // pieces : (at + 1) * size // pieces])
            assert answer_of(client).startswith(b"HTTP/1.1 " + status), size


def test_too_many_connections_are_told_so_and_a_place_becomes_free_again(port):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(3)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert answer_of(client).startswith(b"HTTP/1.1 200")
        with connect(port) as fourth:
            assert "too many connections" in problem_of(read_all(fourth), 503)["detail"]
    wait_for_a_place(port)


def wait_for_a_place(port):
    def answered():
        with connect(port) as client, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            return answer_of(client).startswith(b"HTTP/1.1 200")

    until(answered, lambda: "a place")


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
