"""Leaving a connection, over real sockets, on both event loops that serve."""

import asyncio
import socket
import threading
from collections import deque

import pytest
import uvloop
from tests.waiting import PATIENCE_SECONDS

from barograph.transport import leaving

WORD = b"no" * 8_000_000
FLOOD = bytes(1 << 20)
FLOODS = 32
"""Both are more than the buffers of two sockets hold."""


class Refusing(asyncio.Protocol):
    """Answers the first bytes, without reading more, and leaves."""

    def __init__(self, lost):
        self._lost = lost

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._transport.pause_reading()
        self._transport.write(WORD)
        leaving.leave(self._transport, self)
        leaving.leave(self._transport, self)

    def connection_lost(self, exc):
        self._lost.set()


@pytest.fixture
def lost():
    """Set when the server's connection is over."""
    return threading.Event()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def client(request, lost):
    """Connected to a server of such."""
    bound = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    loops = []

    async def serve():
        loops.append(asyncio.get_running_loop())
        server = await loops[0].create_server(lambda: Refusing(lost), sock=bound)
        await stop.wait()
        server.close()

    def run():
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    client = socket.create_connection(bound.getsockname(), timeout=PATIENCE_SECONDS)
    yield client
    client.close()
    loops[0].call_soon_threadsafe(stop.set)
    thread.join()


def read_all(client):
    data = b""
    while part := client.recv(1 << 16):
        data += part
    return data


def test_who_sends_all_before_it_reads_gets_the_answer(client):
    for _ in range(FLOODS):
        client.sendall(FLOOD)
    assert read_all(client) == WORD


def test_the_connection_ends_when_the_client_closes(client, lost, monkeypatch):
    monkeypatch.setattr(leaving, "_SILENT_SECONDS_MAX", PATIENCE_SECONDS)
    client.sendall(b"?")
    assert read_all(client) == WORD
    assert not lost.is_set()
    client.close()
    assert lost.wait(PATIENCE_SECONDS)


def test_who_is_silent_and_stays_is_dropped(client, lost, monkeypatch):
    monkeypatch.setattr(leaving, "_SILENT_SECONDS_MAX", 0.1)
    client.sendall(b"?")
    assert read_all(client) == WORD
    assert lost.wait(PATIENCE_SECONDS)


def test_who_never_stops_sending_is_dropped(client, lost, monkeypatch):
    monkeypatch.setattr(leaving, "_SILENT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(leaving, "_SECONDS_MAX", 0.5)
    sending = iter(lambda: client.sendall(FLOOD), False)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        deque(sending, maxlen=0)
    assert lost.wait(PATIENCE_SECONDS)


def test_who_takes_nothing_is_dropped(client, lost, monkeypatch):
    monkeypatch.setattr(leaving, "_SILENT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(leaving, "_SECONDS_MAX", 0.5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"?")
    assert lost.wait(PATIENCE_SECONDS)
