"""Committed readings on their way to those who watch them live.

The bus calls on the writer's thread. From there each group of batches makes one hop to the event
loop, where it is encoded at most once and offered to every stream. All waiting places are bounded:
a stream whose reader is slow, or a loop that is, misses readings, and is told so by a `gap`.

An event's id is the reading's number on the bus plus the time (in microseconds) at which this
object was made. So ids grow over restarts too, and one of an earlier run is recognised.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import Lock

import msgspec

from barograph.domain.batch import Batch
from barograph.domain.errors import Overloaded
from barograph.domain.limits import Limits
from barograph.domain.time import format_time
from barograph.domain.user import Principal
from barograph.ports.clock import Clock
from barograph.ports.live_bus import LiveBus
from barograph.services.registry import Registry

_encode = msgspec.json.Encoder().encode


class Announced:
    """A batch as events, each made when the first stream wants it."""

    def __init__(self, registry: Registry, first_id: int, batch: Batch) -> None:
        self.first_id = first_id
        self.batch = batch
        self.places: dict[int, list[int]] = {}
        """Where in the batch each series' readings are."""
        for place, series in enumerate(batch.series):
            self.places.setdefault(int(series), []).append(place)
        self._registry = registry
        self._events: dict[int, bytes] = {}

    def event(self, place: int) -> bytes:
        """The server-sent event of the reading at `place`; empty where its device is gone."""
        event = self._events.get(place)
        if event is None:
            event = self._events[place] = self._make(place)
        return event

    def _make(self, place: int) -> bytes:
        series = self._registry.series(int(self.batch.series[place]))
        device = None if series is None else self._registry.device(series.device_id)
        if series is None or device is None:
            return b""
        text = self.batch.texts.get(place)
        data = {
            "device_id": device.id,
            "device": device.key,
            "metric": series.metric,
            "ts": format_time(int(self.batch.times[place])),
            "value": float(self.batch.values[place]) if text is None else text,
        }
        return b"id: %d\nevent: reading\ndata: %b\n\n" % (self.first_id + place, _encode(data))


class LiveStream:
    """One reader's events. Used on the event loop only."""

    def __init__(
        self, wants: Callable[[int], bool], events_max: int, holder: Hashable = None
    ) -> None:
        """`wants` says whether a series is one that the reader asked for and may see.

        `holder` has it among a bounded number of its own; None is bounded by the total only.
        """
        self.wants = wants
        self.holder = holder
        self.woken = asyncio.Event()
        self.closed = False
        self.after: int | None = None
        """The id of the last event before it; None where there is none."""
        self._events_max = events_max
        self._next_id = 0
        self._waiting: list[bytes] = []
        self._missed: int | None = 0

    def begin_at(self, next_id: int, missed: int) -> None:
        """Skip what comes before `next_id`, and say so where `missed` readings are gone since."""
        self._next_id = next_id
        if missed > 0:
            self._waiting.append(_gap(missed))

    def offer(self, announced: Announced) -> None:
        """Let the wanted readings wait; those for which there is no room are missed."""
        skip = self._next_id - announced.first_id
        if skip >= len(announced.batch):
            return
        self._next_id = announced.first_id + len(announced.batch)
        wanted = [
            place
            for series, places in announced.places.items()
            if self.wants(series)
            for place in places
            if place >= skip
        ]
        if not wanted:
            return
        wanted.sort()
        room = self._events_max - len(self._waiting) if self._missed == 0 else 0
        self._waiting += [announced.event(place) for place in wanted[:room]]
        if len(wanted) > room:
            self.miss(len(wanted) - room)
        self.woken.set()

    def miss(self, count: int | None) -> None:
        """Note that so many readings (None: nobody knows how many) will not be told."""
        self._missed = None if count is None or self._missed is None else self._missed + count
        self.woken.set()

    def skip(self, next_id: int, missed: int) -> None:
        """Note that the `missed` readings before `next_id` will not be told."""
        if next_id > self._next_id:
            self._next_id = next_id
            self.miss(missed)

    def take(self) -> bytes:
        """What is waiting, a gap at its end included."""
        events = b"".join(self._waiting)
        if self._missed != 0:
            events += _gap(self._missed)
        self._waiting.clear()
        self._missed = 0
        self.woken.clear()
        return events

    def close(self) -> None:
        """End the stream after what is waiting."""
        self.closed = True
        self.woken.set()


def _gap(missed: int | None) -> bytes:
    return b"event: gap\ndata: %b\n\n" % _encode({"missed": missed})


def holder_of(asker: Principal, registry: Registry) -> Hashable:
    """Whose stream it is that the asker opens: a device's is its owner's."""
    if asker.kind != "device":
        return asker.user_id
    device = registry.device(asker.device_id or 0)
    return (
        f"device {asker.device_id}" if device is None or device.user_id is None else device.user_id
    )


class LiveStreams:
    """All streams of one server, behind one subscription to the bus."""

    def __init__(self, bus: LiveBus, registry: Registry, clock: Clock, limits: Limits) -> None:
        self.heartbeat_seconds = 15.0
        """How often a stream says something, and its reader's rights are looked at again."""
        self.reach_seconds_max = 2.0
        """How long a reader waits here for what another process has told it already."""
        self._bus = bus
        self._registry = registry
        self._limits = limits
        self._first_id = clock() if bus.first_number is None else 0
        self._next_number = bus.sequence
        self._streams: set[LiveStream] = set()
        self._end: Callable[[], None] | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # What the writer's thread hands to the loop, under the lock.
        self._lock = Lock()
        self._arrived: deque[tuple[int, Batch]] = deque()
        self._arrived_readings = 0
        self._overrun = 0

    async def reach(self, last_id: int) -> None:
        """Wait until that event is known here too, or is known to be of another time.

        A reader may have got it from another process before it came to this one.
        """
        sequence = last_id + 1 - self._first_id
        if sequence > self._bus.sequence:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.reach_seconds_max):
                    await asyncio.wrap_future(self._bus.reach(sequence))

    def open(
        self,
        wants: Callable[[int], bool],
        last_id: int | None = None,
        holder: Hashable = None,
    ) -> LiveStream:
        """A new stream; with `last_id`, what came after that event first. On the event loop.

        Raises `Overloaded` where there are too many, in all or of that holder.
        """
        stream = LiveStream(wants, self._limits.live_backlog_events_max, holder)
        now = self._first_id + self._bus.sequence
        self.join(stream)
        if last_id is not None and self._catch_up(stream, last_id + 1 - self._first_id):
            stream.after = last_id
        elif now > 0:
            stream.after = now - 1
        return stream

    def join(self, stream: LiveStream) -> None:
        """Tell the stream what comes from now on; raises as `open` does. On the event loop."""
        if len(self._streams) >= self._limits.live_subscribers_max or self._closed:
            raise Overloaded("too many live streams are open: close some, or try again later")
        held = sum(one.holder == stream.holder for one in self._streams)
        if stream.holder is not None and held >= self._limits.user_live_subscribers_max:
            raise Overloaded("too many of your live streams are open: close some")
        self._streams.add(stream)
        if self._end is None:
            self._loop = asyncio.get_running_loop()
            self._end = self._bus.subscribe(self._heard)
            self._next_number = self._bus.sequence

    def leave(self, stream: LiveStream) -> None:
        """Forget the stream; without any, the bus is not listened to."""
        self._streams.discard(stream)
        if not self._streams and self._end is not None:
            self._end()
            self._end = None

    def close(self) -> None:
        """End every stream and open no more. On the event loop."""
        self._closed = True
        for stream in self._streams:
            stream.close()

    def _catch_up(self, stream: LiveStream, sequence: int) -> bool:
        """Whether readings from this number on are known, and so will be told or counted."""
        if not (self._bus.first_number or 0) <= sequence <= self._bus.sequence:
            stream.miss(None)
            return False
        kept = self._bus.since(sequence)
        stream.begin_at(self._first_id + sequence, kept[0][0] - sequence if kept else 0)
        for first, batch in kept:
            stream.offer(Announced(self._registry, self._first_id + first, batch))
        return True

    def _heard(self, sequence: int, batch: Batch) -> None:
        with self._lock:
            idle = not self._arrived and not self._overrun
            room = self._limits.live_backlog_events_max - self._arrived_readings
            if self._overrun or (self._arrived and len(batch) > room):
                self._overrun += len(batch)
            else:
                self._arrived.append((sequence, batch))
                self._arrived_readings += len(batch)
        if idle and self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, deque()
            overrun, self._overrun = self._overrun, 0
            self._arrived_readings = 0
        for first, batch in arrived:
            skipped, self._next_number = first - self._next_number, first + len(batch)
            if skipped > 0:
                for stream in self._streams:
                    stream.skip(self._first_id + first, skipped)
            announced = Announced(self._registry, self._first_id + first, batch)
            for stream in self._streams:
                stream.offer(announced)
        if overrun:
            self._next_number += overrun
            for stream in self._streams:
                stream.miss(overrun)
