"""The stream of readings; the application is driven as a server would, on one event loop."""

import asyncio
import dataclasses
import json
import re
from concurrent.futures import Future
from hashlib import sha256

import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.batch import Batch
from barograph.domain.errors import Overloaded
from barograph.domain.time import from_text
from barograph.domain.user import OPERATOR, Principal
from barograph.services.live import InProcessLiveBus
from barograph.transport.http.live_streams import LiveStreams, holder_of

T0 = from_text("2026-01-01T00:00:00Z")


class Watcher:
    """One reader of `/api/live`, which reads only when the test says so."""

    def __init__(self, application, query="", headers=None):
        self._sent = asyncio.Queue()
        self._received = asyncio.Queue()
        self._text = ""
        self._room = asyncio.Event()
        self._room.set()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/live",
            "raw_path": b"/api/live",
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "client": ("203.0.113.7", 50_000),
            "server": ("barograph", 80),
        }
        self._received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.create_task(application(scope, self._received.get, self._send))

    async def _send(self, message):
        await self._room.wait()
        await self._sent.put(message)

    async def begin(self):
        start = await self._sent.get()
        self.status = start["status"]
        self.headers = dict(start["headers"])
        self.first = await self._sent.get()
        return self

    def pause(self):
        self._room.clear()

    def go_on(self):
        self._room.set()

    async def leave(self):
        self._received.put_nowait({"type": "http.disconnect"})
        await self.task

    async def events(self, count):
        """The next `count` events as (id, event, data)."""
        found = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < count:
                while "\n\n" not in self._text:
                    message = await self._sent.get()
                    assert message.get("more_body"), f"the stream ended after {found}"
                    self._text += message["body"].decode()
                block, _, self._text = self._text.partition("\n\n")
                fields = dict(line.split(": ", 1) for line in block.splitlines())
                if "event" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    found.append((number, fields["event"], json.loads(fields["data"])))
        return found


@pytest.fixture
def watch(application):
    """Runs a test's coroutine with a function that begins to watch."""

    def run(main):
        async def with_watchers():
            watchers = []

            async def begin(query="", headers=None):
                watchers.append(Watcher(application, query, headers))
                return await watchers[-1].begin()

            try:
                await main(begin)
            finally:
                for watcher in watchers:
                    watcher.go_on()
                    if not watcher.task.done():
                        await watcher.leave()

        asyncio.run(with_watchers())

    return run


@pytest.fixture
def headers(sign_in, fleet):
    return sign_in(fleet.user("root", role="admin"))


def digest_of(headers):
    return sha256(headers["Authorization"].removeprefix("Bearer ").encode()).digest()


def values(events):
    return [data["value"] for _, event, data in events if event == "reading"]


def test_each_committed_reading_is_an_event(watch, headers, fleet, core):
    device = fleet.device("kitchen")

    async def main(begin):
        watcher = await begin(headers=headers)
        assert watcher.status == 200
        assert watcher.headers[b"content-type"].startswith(b"text/event-stream")
        assert watcher.headers[b"cache-control"] == b"no-store"
        series = core.registry.ensure_series(device.id, ["x"])["x"]
        await asyncio.to_thread(core.writer.write, Batch.of([(series, T0, 1.5)]))
        fleet.send(device, "door", [(T0, "open")])
        (one, kind, data), (two, _, door) = await watcher.events(2)
        assert kind == "reading"
        assert data == {
            "device_id": device.id,
            "device": device.key,
            "metric": "x",
            "ts": "2026-01-01T00:00:00Z",
            "value": 1.5,
        }
        assert door["value"] == "open"
        assert two == one + 1

    watch(main)


def test_only_what_was_asked_for_is_told(watch, headers, fleet):
    kitchen, cellar = fleet.device("kitchen"), fleet.device("cellar")

    async def main(begin):
        watcher = await begin(f"device={kitchen.id}&metric=t*", headers)
        fleet.send(cellar, "temperature", [(T0, 1.0)])
        fleet.send(kitchen, "humidity", [(T0, 2.0)])
        fleet.send(kitchen, "temperature", [(T0, 3.0)])
        assert values(await watcher.events(1)) == [3.0]

    watch(main)


def test_nobody_hears_of_another_users_devices(watch, sign_in, fleet):
    anna = fleet.user("anna")
    hers, other = fleet.device(owner=anna), fleet.device()

    async def main(begin):
        watcher = await begin(headers=sign_in(anna))
        its = await begin(headers=sign_in(Principal("device", device_id=other.id)))
        fleet.send(other, "x", [(T0, 1.0)])
        fleet.send(hers, "x", [(T0, 2.0)])
        fleet.send(other, "x", [(T0, 3.0)])
        assert values(await watcher.events(1)) == [2.0]
        assert values(await its.events(2)) == [1.0, 3.0]

    watch(main)


@pytest.mark.parametrize("by_query", [True, False])
def test_a_reader_that_comes_back_is_told_what_it_missed(watch, headers, fleet, by_query):
    device = fleet.device()

    async def main(begin):
        watcher = await begin(headers=headers)
        fleet.send(device, "x", [(T0 + i, float(i)) for i in range(3)])
        last, _, _ = (await watcher.events(2))[-1]
        await watcher.leave()
        fleet.send(device, "x", [(T0 + 3, 3.0)])
        query = f"last_event_id={last}" if by_query else ""
        resumed = {} if by_query else {"Last-Event-ID": str(last)}
        again = await begin(query, {**headers, **resumed})
        fleet.send(device, "x", [(T0 + 4, 4.0)])
        events = await again.events(3)
        assert values(events) == [2.0, 3.0, 4.0]
        assert [number for number, _, _ in events] == [last + 1, last + 2, last + 3]

    watch(main)


def test_a_reader_that_lost_the_stream_before_its_first_event_misses_nothing(watch, headers, fleet):
    device = fleet.device()

    async def main(begin):
        fleet.send(device, "x", [(T0, 0.0)])
        watcher = await begin(headers=headers)
        place = re.search(r"^id: (\d+)$", watcher.first["body"].decode(), re.MULTILINE)[1]
        await watcher.leave()
        fleet.send(device, "x", [(T0 + 1, 1.0)])
        again = await begin(headers={**headers, "Last-Event-ID": place})
        assert f"id: {place}\n" in again.first["body"].decode()
        fleet.send(device, "x", [(T0 + 2, 2.0)])
        assert values(await again.events(2)) == [1.0, 2.0]

    watch(main)


def test_what_cannot_be_told_any_more_is_a_gap(watch, headers, fleet, core):
    device = fleet.device()
    many = core.limits.live_backlog_events_max

    async def main(begin):
        watcher = await begin(headers=headers)
        fleet.send(device, "x", [(T0, 0.0)])
        ((last, _, _),) = await watcher.events(1)
        await watcher.leave()
        fleet.send(device, "x", [(T0 + 1, 1.0)])
        fleet.send(device, "x", [(T0 + i, 2.0) for i in range(many)])
        again = await begin(f"last_event_id={last}", headers)
        (gap, first) = await again.events(2)
        assert gap[1:] == ("gap", {"missed": 1})
        assert first[0] == last + 2

    watch(main)


@pytest.mark.parametrize("last", [0, 5, 10**17])
def test_an_id_of_another_run_is_a_gap_of_unknown_size(watch, headers, fleet, last):
    device = fleet.device()

    async def main(begin):
        watcher = await begin(f"last_event_id={last}", headers)
        fleet.send(device, "x", [(T0, 1.0)])
        gap, reading = await watcher.events(2)
        assert gap[1:] == ("gap", {"missed": None})
        assert values([reading]) == [1.0]

    watch(main)


class Behind(InProcessLiveBus):
    """The bus of one of several processes, to which the others' readings come when sought."""

    def __init__(self, coming):
        super().__init__(100, 7)
        self._coming = coming

    def reach(self, number):
        reached = Future()
        if self._coming is not None:
            self.publish(self._coming)
            reached.set_result(None)
        return reached


def test_what_another_process_has_told_already_is_waited_for(core, fleet):
    series = fleet.send(fleet.device(), "x", [(T0, 0.0)])
    bus = Behind(Batch.of([(series, T0 + i, float(i)) for i in range(3)]))

    async def main():
        streams = LiveStreams(bus, core.registry, core.clock, core.limits)
        await streams.reach(8)  # of 7, 8 and 9
        stream = streams.open(lambda series: True, 8)
        assert (stream.after, stream.take().partition(b"\n")[0]) == (8, b"id: 9")
        streams.leave(stream)

    asyncio.run(main())


def test_what_does_not_come_is_waited_for_only_so_long(core):
    async def main():
        streams = LiveStreams(Behind(None), core.registry, core.clock, core.limits)
        streams.reach_seconds_max = 0.01
        await streams.reach(8)
        stream = streams.open(lambda series: True, 8)
        assert stream.take() == b'event: gap\ndata: {"missed":null}\n\n'
        streams.leave(stream)

    asyncio.run(main())


@pytest.fixture
def little_room(core):
    core.limits = dataclasses.replace(core.limits, live_backlog_events_max=100)


def test_a_slow_reader_gets_a_gap_and_memory_stays_bounded(
    little_room, watch, headers, fleet, core
):
    device = fleet.device()
    room = core.limits.live_backlog_events_max

    async def main(begin):
        watcher = await begin(headers=headers)
        watcher.pause()
        for batch in range(4):
            fleet.send(device, "x", [(T0 + batch * room + i, float(batch)) for i in range(room)])
            for _ in range(20):
                await asyncio.sleep(0)  # lets the loop hand the batch to the stream
        watcher.go_on()
        events = []
        while not any(kind == "gap" for _, kind, _ in events):
            events += await watcher.events(1)
        told = len(values(events))
        assert room <= told <= 2 * room
        assert events[-1][2]["missed"] == 4 * room - told
        fleet.send(device, "x", [(T0, -1.0)])
        assert values(await watcher.events(1)) == [-1.0]

    watch(main)


def test_a_loop_that_stands_still_misses_readings_but_says_so(core, fleet):
    series = fleet.send(fleet.device(), "x", [(T0, 0.0)])
    limits = dataclasses.replace(core.limits, live_backlog_events_max=5)
    bus = InProcessLiveBus(5)

    async def main():
        streams = LiveStreams(bus, core.registry, core.clock, limits)
        stream = streams.open(lambda series: True)
        for number in range(4):  # nothing of this is told before the loop goes on
            bus.publish(Batch.of([(series, T0 + number * 2 + i, 1.0) for i in range(2)]))
        await stream.woken.wait()
        told = stream.take()
        assert told.count(b"event: reading") == 4
        assert told.endswith(b'event: gap\ndata: {"missed":4}\n\n')
        streams.leave(stream)

    asyncio.run(main())


def test_streams_are_bounded_in_number_and_counted_out(core):
    limits = dataclasses.replace(core.limits, live_subscribers_max=2)

    async def main():
        streams = LiveStreams(core.live, core.registry, core.clock, limits)
        one, two = (streams.open(lambda series: True) for _ in range(2))
        with pytest.raises(Overloaded):
            streams.open(lambda series: True)
        streams.leave(one)
        streams.leave(streams.open(lambda series: True))
        streams.leave(two)

    asyncio.run(main())


def test_one_user_s_streams_and_its_devices_are_bounded_together(core, fleet):
    limits = dataclasses.replace(core.limits, user_live_subscribers_max=2)
    anna, bob = fleet.user("anna"), fleet.user("bob")
    kitchen, attic = fleet.device("kitchen", anna), fleet.device("attic", None)

    async def main():
        streams = LiveStreams(core.live, core.registry, core.clock, limits)

        def open_as(asker):
            return streams.open(lambda series: True, None, holder_of(asker, core.registry))

        one = open_as(anna)
        open_as(Principal("device", device_id=kitchen.id))
        for asker in (anna, Principal("device", device_id=kitchen.id)):
            with pytest.raises(Overloaded, match="of your live streams"):
                open_as(asker)
        open_as(bob)
        open_as(Principal("device", device_id=attic.id))
        for _ in range(3):
            open_as(OPERATOR)
        streams.leave(one)
        open_as(anna)

    asyncio.run(main())


def test_a_user_with_too_many_streams_is_told_when_to_try_again(watch, headers, application, core):
    async def main(begin):
        for _ in range(core.limits.user_live_subscribers_max):
            await begin(headers=headers)
        refused = Watcher(application, headers=headers)
        assert (await refused.begin()).status == 503
        assert refused.headers[b"retry-after"] == b"1"

    watch(main)


def test_stopping_the_server_ends_the_streams(watch, headers, application):
    async def main(begin):
        watcher = await begin(headers=headers)
        application.streams.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await watcher.task
        late = Watcher(application, headers=headers)
        assert (await late.begin()).status == 503

    watch(main)


def test_a_stream_ends_soon_after_its_token_is_revoked(watch, headers, core, application):
    application.streams.heartbeat_seconds = 0.05

    async def main(begin):
        watcher = await begin(headers=headers)
        core.registry.drop_user(core.registry.principal(digest_of(headers)).user_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await watcher.task

    watch(main)


@pytest.mark.parametrize(
    ("query", "status"),
    [("device=none", 404), ("last_event_id=x", 422), (f"metric={'x' * 200}", 422)],
)
def test_a_wrong_question_begins_no_stream(watch, headers, query, status):
    async def main(begin):
        assert (await begin(query, headers)).status == status

    watch(main)


def test_a_stranger_hears_nothing(watch):
    async def main(begin):
        assert (await begin()).status == 401

    watch(main)
