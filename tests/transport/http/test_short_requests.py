"""Short requests, whose heads a connection remembers, over real sockets."""

import asyncio
import contextlib
import dataclasses
import socket
import threading
import time

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.limits import Limits
from barograph.transport.http.server import HttpServer, bind

LIMITS = dataclasses.replace(
    Limits(), header_seconds_max=60, body_idle_seconds_max=60, idle_seconds_max=60
)


MUCH = b"x" * 65_536


class Echo:
    """Answers POSTs below /short with their bodies, on a later turn of the loop."""

    def __init__(self):
        self.prepared = []
        self.asgi = 0
        self.asked = 0
        self.much = 0
        self.delay = 0.0

    def prepare(self, scope):
        if scope["method"] != "POST" or not scope["path"].startswith("/short"):
            return None
        self.prepared.append(scope["path"])
        return scope["path"].encode()

    def __call__(self, prepared, body, respond):
        self.asked += 1
        if body == b"refuse":
            respond(400, b"", b"at once")
        elif body == b"defect":
            raise RuntimeError(prepared)
        elif body == b"much":
            self.much += 1
            respond(400, b"", MUCH)
        elif body == b"hand on":
            return False
        else:
            asyncio.get_running_loop().call_later(
                self.delay, respond, 200, b"", prepared + b" " + body
            )
        return True


def asgi(echo):
    """Answers what the shortcut does, for requests that could not take it."""

    async def app(scope, receive, send):
        echo.asgi += 1
        told, more = b"", True
        while more:
            message = await receive()
            told, more = told + message["body"], message["more_body"]
        path = scope["path"].encode()
        if told == b"refuse":
            body = b"at once"
        elif told == b"much":
            body = MUCH
        elif path.startswith(b"/short") and told != b"hand on":
            body = path + b" " + told
        else:
            body = b"asgi %d" % len(told)
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return app


@contextlib.contextmanager
def serving(limits=LIMITS):
    echo = Echo()
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(asgi(echo), sockets, limits, echo)
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    try:
        until(lambda: server.started)
        yield echo, sockets[0].getsockname()[1], server
    finally:
        server.stop()
        thread.join()
        for one in sockets:
            one.close()


@contextlib.contextmanager
def connect(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


@pytest.fixture(scope="module")
def running():
    with serving() as running:
        yield running


@pytest.fixture
def echo(running):
    echo = running[0]
    echo.prepared.clear()
    echo.asgi = echo.asked = echo.much = 0
    echo.delay = 0.0
    return echo


@pytest.fixture
def client(running):
    with connect(running[1]) as client:
        yield client


def post(body, path=b"/short", more=b""):
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path,
        more,
        len(body),
        body,
    )


def answers(client, count):
    """The bodies of so many answers."""
    found = []
    with client.makefile("rb") as file:
        while len(found) < count:
            assert file.readline().startswith(b"HTTP/1.1 "), found
            length = 0
            while (line := file.readline().lower()) not in {b"\r\n", b""}:
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            found.append(file.read(length))
    return found


def ask(client, data, count=1):
    client.sendall(data)
    return answers(client, count)


def test_the_same_head_is_understood_once(client, echo):
    for body in (b"1", b"2", b"3"):
        assert ask(client, post(body)) == [b"/short " + body]
    assert echo.prepared == ["/short"]


def test_a_head_that_differs_is_understood_anew(client, echo):
    assert ask(client, post(b"1")) == [b"/short 1"]
    assert ask(client, post(b"1", b"/shorx")) == [b"asgi 1"]
    assert ask(client, post(b"1", b"/short/a")) == [b"/short/a 1"]
    assert ask(client, post(b"1", b"/short/b")) == [b"/short/b 1"]
    assert ask(client, post(b"22", b"/short/")) == [b"/short/ 22"]
    assert ask(client, post(b"1", b"/short/a")) == [b"/short/a 1"]


def test_bodies_of_a_few_lengths_are_all_remembered(client, echo):
    bodies = [b"1", b"22", b"333"] * 3
    assert [ask(client, post(body)) for body in bodies] == [[b"/short " + body] for body in bodies]
    assert len(echo.prepared) == 3


def test_more_lengths_than_are_remembered_are_answered_all_the_same(client, echo):
    bodies = [b"x" * length for length in range(1, 12)] * 2
    assert [ask(client, post(body)) for body in bodies] == [[b"/short " + body] for body in bodies]


def test_what_follows_at_once_waits_for_its_turn(client, echo):
    ask(client, post(b"0"))
    echo.delay = 0.02
    client.sendall(post(b"1"))
    time.sleep(0.005)
    client.sendall(post(b"2") + post(b"3") + b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"4"))
    assert answers(client, 5) == [b"/short 1", b"/short 2", b"/short 3", b"asgi 0", b"/short 4"]


def test_a_refusal_at_once_lets_the_connection_go_on(client, echo):
    ask(client, post(b"before"))
    assert ask(client, post(b"refuse")) == [b"at once"]
    assert ask(client, post(b"after.")) == [b"/short after."]


def test_what_the_shortcut_declines_goes_to_asgi(client, echo):
    ask(client, post(b"before!"))
    assert ask(client, post(b"hand on")) == [b"asgi 7"]
    assert ask(client, post(b"after..")) == [b"/short after.."]
    assert echo.asgi == 1


def test_a_defect_of_the_shortcut_is_logged_and_the_request_goes_to_asgi(client, echo, caplog):
    for _ in range(2):
        client.sendall(post(b"defect"))
        assert answers(client, 1) == [b"/short defect"]
    client.sendall(post(b"no one"))  # as long, and so answered by what is remembered
    assert answers(client, 1) == [b"/short no one"]
    client.sendall(post(b"defect"))
    assert answers(client, 1) == [b"/short defect"]
    assert echo.asgi == 3
    assert {str(record.exc_info[1]) for record in caplog.records} == {"b'/short'"}


def test_a_request_that_asks_to_close_is_the_last(client, echo):
    ask(client, post(b"1"))
    assert ask(client, post(b"2", more=b"Connection: close\r\n")) == [b"/short 2"]
    assert client.recv(1) == b""


def test_an_idle_connection_is_closed_after_remembered_requests_too():
    hasty = dataclasses.replace(LIMITS, idle_seconds_max=5)
    with serving(hasty) as (_, port, _), connect(port) as client:
        ask(client, post(b"1"))
        ask(client, post(b"2"))
        assert client.recv(1) == b""


def test_a_server_that_stops_answers_first():
    with serving() as (echo, port, server), connect(port) as client:
        ask(client, post(b"1"))
        echo.delay = 0.5
        client.sendall(post(b"2"))
        until(lambda: echo.asked == 2)
        server.stop()
        assert answers(client, 1) == [b"/short 2"]
        assert client.recv(1) == b""


REQUESTS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3).map(post),
        st.just(post(b"refuse")),
        st.just(post(b"hand on")),
        st.just(post(b"ab", b"/other")),
        st.just(post(b"ab", b"/short/1")),
        st.just(b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n"),
    ),
    min_size=2,
    max_size=8,
)


def expected(request):
    path, body = request.split(b" ")[1], request.partition(b"\r\n\r\n")[2]
    if body == b"refuse":
        return b"at once"
    if body == b"hand on" or not path.startswith(b"/short"):
        return b"asgi %d" % len(body)
    return path + b" " + body


@given(requests=REQUESTS, data=st.data())
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_however_the_bytes_are_cut_the_answers_are_the_same(running, requests, data):
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6), "cuts"))
    waits = data.draw(st.lists(st.booleans(), min_size=7, max_size=7), "waits")
    with connect(running[1]) as client:
        for start, stop, wait in zip([0, *cuts], [*cuts, len(whole)], waits, strict=False):
            client.sendall(whole[start:stop])
            if wait:
                time.sleep(0.001)
        assert answers(client, len(requests)) == [expected(request) for request in requests]


def test_a_credential_that_was_taken_back_is_refused_on_the_same_connection(guarded):
    token = guarded.token
    url = guarded.url
    admin = {"Authorization": f"Bearer {token}"}
    device = httpx.post(
        f"{url}/api/devices/", json={"name": "short"}, headers=admin, timeout=PATIENCE_SECONDS
    ).json()
    with httpx.Client(
        headers={"Authorization": f"Bearer {device['token']}"}, timeout=PATIENCE_SECONDS
    ) as sender:
        path = f"{url}/api/devices/{device['id']}/data"
        assert [sender.post(path, json={"x": n}).status_code for n in range(4)] == [201] * 4
        httpx.post(
            f"{url}/api/devices/{device['id']}/token", headers=admin, timeout=PATIENCE_SECONDS
        ).raise_for_status()
        assert sender.post(path, json={"x": 5}).status_code == 401
        httpx.delete(
            f"{url}/api/devices/{device['id']}", headers=admin, timeout=PATIENCE_SECONDS
        ).raise_for_status()
        assert sender.post(path, json={"x": 6}).status_code == 401


def test_who_takes_no_answers_is_not_given_more(client, echo):
    # Their answers are more than the sockets' buffers hold, and would wait in the server's memory.
    count = 400
    client.sendall(post(b"much") * count)
    assert answers(client, count) == [MUCH] * count
    assert echo.much < count
    assert echo.asgi + echo.much == count
