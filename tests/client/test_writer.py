"""The writer that gathers readings."""

import asyncio
from decimal import Decimal

import httpx
import pytest
from tests.waiting import until

from barograph.client import AsyncClient, NotFound, Writer


def test_everything_is_written_by_the_end(client):
    client.create_device("Much", key="much")
    with client.writer("much", rows_max=100) as writer:
        for i in range(1_234):
            writer.add(x=i)
    assert writer.accepted == 1_234
    assert client.summary("much", stats="count,sum")["x"] == {
        "count": 1_234,
        "sum": sum(range(1_234)),
    }


def test_flush_returns_when_all_is_stored(client):
    client.create_device("Flushed", key="flushed")
    with client.writer("flushed", seconds=60) as writer:
        writer.add({"x": 1}, ts="2026-05-01T12:00:00Z")
        writer.add(x=2)
        writer.flush()
        assert len(client.read("flushed")) == 2


def test_a_few_are_written_after_a_while(client):
    client.create_device("Few", key="few")
    with client.writer("few", seconds=0.05) as writer:
        writer.add(x=1)
        until(lambda: writer.accepted)
        assert client.latest("few").metrics["x"].value == 1


def add_and_flush(writer):
    writer.add(x=1)
    writer.flush()


def test_what_cannot_be_written_is_told_and_kept(client):
    writer = client.writer("nobody", seconds=60)
    with pytest.raises(NotFound), writer:
        add_and_flush(writer)
    assert writer.unwritten[0]["x"] == 1
    with pytest.raises(NotFound):
        writer.add(x=2)


def test_the_error_is_raised_at_the_end_too(client):
    writer = client.writer("nobody", seconds=60)
    with pytest.raises(NotFound), writer:
        writer.add(x=1)


def test_what_is_no_reading_is_refused_at_once(client):
    with client.writer("much") as writer, pytest.raises(ValueError, match="finite"):
        writer.add(x=float("nan"))
    assert writer.accepted == 0


def test_what_no_body_can_hold_is_refused_at_once(client):
    with client.writer("nobody", seconds=60) as writer:
        for value in (Decimal("1.5"), b"on", object(), [1]):
            with pytest.raises(ValueError, match=r"cannot be the value|for each metric"):
                writer.add({"x": value})
        assert writer.unwritten == ()


def test_an_error_that_nobody_foresaw_is_told_and_the_rows_kept():
    def write(rows):
        raise MemoryError(len(rows))

    writer = Writer(write, rows_max=10, seconds=60)
    with pytest.raises(MemoryError), writer:
        add_and_flush(writer)
    assert len(writer.unwritten) == 1


def test_a_retried_body_holds_the_same_times(scripted):
    client, script = scripted(httpx.ReadTimeout("late"), httpx.Response(201, json={"accepted": 2}))
    with client.writer("kitchen", seconds=60) as writer:
        writer.add(x=1)
        writer.add(x=2)
    assert script.requests[0].content == script.requests[1].content


async def add_to_nobody(writer):
    async with writer:
        await writer.add(x=1)
        await writer.flush()


def test_the_async_writer_does_the_same(server, client):
    client.create_device("Async", key="async")

    async def write():
        async with AsyncClient(server.url) as ours:
            async with ours.writer("async", rows_max=100, seconds=0.05) as writer:
                for i in range(1_000):
                    await writer.add(x=i)
                await writer.flush()
                assert writer.accepted == 1_000
                await writer.add(x=1)
            assert writer.accepted == 1_001
            lost = ours.writer("nobody")
            with pytest.raises(NotFound):
                await add_to_nobody(lost)
            assert lost.unwritten[0]["x"] == 1

    asyncio.run(write())
    assert client.summary("async", stats="count")["x"] == {"count": 1_001}
