"""The live stream, and how it is taken up where it broke."""

import threading

import httpx
import pytest

from barograph.client import Gap, LiveReading, NoAnswer
from barograph.client.events import EventReader

STREAM = (
    "retry: 2000\n\n"
    ": nothing new\n\n"
    'id: 7\nevent: reading\ndata: {"device_id":1,"device":"kitchen","metric":"t",'
    '"ts":"2026-05-01T12:00:00Z","value":21.5}\n\n'
    'event: gap\ndata: {"missed":3}\n\n'
)
HALF = 'id: 8\nevent: reading\ndata: {"device_id":1,'


def test_events_are_read_line_by_line():
    reader = EventReader()
    events = [event for line in STREAM.split("\n") if (event := reader.feed(line)) is not None]
    assert [type(event) for event in events] == [LiveReading, Gap]
    assert (events[0].device, events[0].value, events[1].missed) == ("kitchen", 21.5, 3)
    assert reader.last_id == "7"


def test_a_broken_stream_is_taken_up_after_the_last_whole_event(scripted):
    client, script = scripted(
        httpx.Response(200, text=STREAM + HALF), httpx.Response(200, text=STREAM)
    )
    live = client.live("kitchen", "t")
    assert [type(next(live)) for _ in range(4)] == [LiveReading, Gap] * 2
    live.close()
    first, second = script.requests
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "7"
    assert dict(first.url.params) == {"device": "kitchen", "metric": "t"}


def test_a_stream_that_never_begins_is_given_up(scripted):
    client, script = scripted(*[httpx.ConnectError("refused")] * 6)
    with pytest.raises(NoAnswer):
        next(client.live())
    assert len(script.requests) == 6


def test_a_real_stream_tells_what_is_written(client):
    client.create_device("Live", key="live")
    live = client.live("live")
    # The stream begins with the first `next`, so there must be something to tell for ever.
    with client.writer("live", seconds=0.01) as writer:
        stop = threading.Event()

        def write():
            while not stop.wait(0.02):
                writer.add(x=1.5, door="open")

        thread = threading.Thread(target=write)
        thread.start()
        try:
            told = {event.metric: event.value for event in (next(live) for _ in range(4))}
        finally:
            stop.set()
            thread.join()
            live.close()
    assert told == {"x": 1.5, "door": "open"}
