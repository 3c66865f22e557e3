"""From published messages to the batch that is stored.

The messages of one socket read make one batch. A number alone, to a topic seen before on this
connection, costs a look-up, its conversion and three appends; a flat object of numbers, perhaps with
their time, its decoding and as much for each of them. All else takes the way over a codec, to the
same result or a complaint. New devices and new metrics cost a catalog transaction and so wait for
`finish`, which runs on a thread.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from barograph.codecs import decoder_for
from barograph.codecs.value import decode_value, timed_number
from barograph.domain.batch import Batch, MetricBatch
from barograph.domain.device import Device
from barograph.domain.errors import (
    BarographError,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    TooLarge,
    Unavailable,
)
from barograph.domain.time import HOUR, MINUTE, SECOND, from_number
from barograph.domain.user import require_device
from barograph.mqtt import RETAIN, Published, Reason
from barograph.services.core import Core
from barograph.services.writer import concatenate
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.rights import Rights
from barograph.transport.mqtt.topics import Place, Topics

logger = logging.getLogger(__name__)

_TOPICS_REMEMBERED_MAX = 1_024
_COMPLAINTS_REMEMBERED_MAX = 10_000
_UNKNOWN = -1
_NAN = float("nan")
_decode_numbers = msgspec.json.Decoder(dict[str, float]).decode
"""Reads flat JSON objects of numbers."""
_NOT_NUMBERS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError)
"""What says that a payload is none: no JSON, a text in it, a wrong time, or a metric not known yet."""
_EXACT_TIME_BELOW = 1e17
"""Of a time as a 64-bit float; nanoseconds are larger."""


class Target:
    """Where the messages of a topic go."""

    __slots__ = ("objects", "place", "series", "step")

    def __init__(
        self, place: Place | None, series: int = _UNKNOWN, step: int = 0, objects: int = 0
    ) -> None:
        self.place = place
        """None where messages are of no concern to us."""
        self.series = series
        """The series, where the topic names a metric that is known."""
        self.step = step
        """What times are rounded down to (microseconds), 0 for none."""
        self.objects = objects
        """The device, where the payload names the metrics and the sender may write; else 0."""


class Publisher:
    """Who publishes, and the topics it used."""

    def __init__(self, name: str, topics_max: int = _TOPICS_REMEMBERED_MAX) -> None:
        """`topics_max`: how many topics are remembered; only a cache."""
        self.name = name
        self.topics_max = topics_max
        self.targets: dict[bytes, Target] = {}
        self.generation = -1
        """Of the registry, when the targets were found."""
        self.devices: set[int] | None = None
        """The devices for which the connection stands; None where it stands for none."""


@dataclass(slots=True)
class Taken:
    """What the messages of one read come to."""

    batches: list[Batch] = field(default_factory=list)
    refused: dict[int, Reason] = field(default_factory=dict)
    """By position; see `barograph.mqtt.Connection.acknowledge`."""
    unfinished: list[tuple[int, Place, Published, MetricBatch | None]] = field(default_factory=list)
    """Position, place, message and its readings (None: a reply) of what needs the catalog."""
    messages: int = 0
    """How many carry readings, the refused ones included."""

    def batch(self) -> Batch:
        """The readings, in order."""
        return concatenate(self.batches)


class MqttIngest:
    """Reads messages; `take` and what it calls runs on the event loop, `finish` on a thread."""

    def __init__(self, core: Core, access: MqttAccess, rights: Rights, topics: Topics) -> None:
        self._core = core
        self._access = access
        self._rights = rights
        self._topics = topics
        self._last_time = 0
        self._complained: dict[str, int] = {}

    def take_safely(self, publisher: Publisher, publishes: Sequence[Published]) -> Taken:
        """`take`; a message that no decoder was made for costs itself only."""
        try:
            return self.take(publisher, publishes)
        except Exception:
            if len(publishes) == 1:
                logger.exception("a message to %r is left out", publishes[0][0][:80])
                return Taken(refused={0: Reason.PAYLOAD_FORMAT_INVALID}, messages=1)
        whole = Taken()
        for i, one in enumerate(publishes):
            part = self.take_safely(publisher, [one])
            whole.messages += part.messages
            whole.batches += part.batches
            if part.refused:
                whole.refused[i] = part.refused[0]
            whole.unfinished += [(i, *what[1:]) for what in part.unfinished]
        return whole

    def take(  # noqa: PLR0915  # the hot path: a call per message would cost more than it tidies
        self,
        publisher: Publisher,
        publishes: Sequence[Published],
        arrivals: list[int] | None = None,
    ) -> Taken:
        """Read the messages, as far as memory answers.

        `arrivals` gets, for each, the time that it has where it brings none.
        """
        taken = Taken(messages=len(publishes))
        targets = self._targets(publisher)
        series_of = self._core.registry.series_of
        now = self._core.clock()
        # Values without a time must not replace each other: each gets a microsecond of its own.
        last = self._last_time if self._last_time < now + SECOND else now
        latest = now + int(self._core.limits.future_hours_max * HOUR)
        series: list[int] = []
        times: list[int] = []
        values: list[float] = []
        for i, one in enumerate(publishes):
            topic, payload, flags, _, _ = one
            target = targets.get(topic)
            if target is None:
                target = self._target(publisher, topic)
            if target.series != _UNKNOWN:
                try:
                    value = float(payload)
                except ValueError:
                    value = _NAN
                if value - value == 0 and b"_" not in payload:
                    last = now if now > last else last + 1
                    series.append(target.series)
                    times.append(last - last % target.step if target.step else last)
                    values.append(value)
                    if arrivals is not None:
                        arrivals.append(last)
                    continue
                timed = timed_number(payload, latest)
                if timed is not None:
                    time, value = timed
                    series.append(target.series)
                    times.append(time - time % target.step if target.step else time)
                    values.append(value)
                    if arrivals is not None:
                        last = now if now > last else last + 1
                        arrivals.append(last)
                    continue
            elif target.objects and one[4] is None:
                last = now if now > last else last + 1
                count = len(series)
                try:
                    numbers = _decode_numbers(payload)
                    given = numbers.pop("ts", None)
                    time = last if given is None else _moment(given, numbers, latest)
                    series += map(series_of(target.objects).__getitem__, numbers)
                except _NOT_NUMBERS:
                    del series[count:]
                else:
                    times += [time - time % target.step if target.step else time] * len(numbers)
                    values += numbers.values()
                    if arrivals is not None:
                        arrivals.append(last)
                    continue
            if target.place is None or (not payload and flags & RETAIN):
                # A command, say, or the removal of a retained message.
                taken.messages -= 1
                if arrivals is not None:
                    arrivals.append(last)
                continue
            last = max(now, last + 1 + payload.count(b",") + payload.count(b"\n"))
            if arrivals is not None:
                arrivals.append(last)
            known = self._read(publisher, target.place, i, one, last, taken)
            if known is not None:
                if series:
                    taken.batches.append(Batch(series, times, values))
                    series, times, values = [], [], []
                taken.batches.append(known)
        if series:
            taken.batches.append(Batch(series, times, values))
        self._last_time = last
        return taken

    def take_again(self, publisher: Publisher, one: Published, arrival: int) -> Taken:
        """Read a message that came before, with the time that it had then."""
        taken = Taken(messages=1)
        place = (self._targets(publisher).get(one[0]) or self._target(publisher, one[0])).place
        if place is None or (not one[1] and one[2] & RETAIN):
            taken.messages = 0
            return taken
        known = self._read(publisher, place, 0, one, arrival, taken)
        if known is not None:
            taken.batches.append(known)
        return taken

    def _targets(self, publisher: Publisher) -> dict[bytes, Target]:
        """What is remembered of topics and still true."""
        generation = self._core.registry.generation
        if publisher.generation != generation:
            publisher.generation = generation
            publisher.targets.clear()
        return publisher.targets

    def _read(
        self, publisher: Publisher, place: Place, i: int, one: Published, now: int, taken: Taken
    ) -> Batch | None:
        """The readings of a message, unless `taken` notes it as refused or unfinished."""
        if not place.readings:
            taken.messages -= 1
            taken.unfinished.append((i, place, one, None))
            return None
        _, payload, _, _, properties = one
        kind = properties.content_type if properties is not None else None
        try:
            readings = self._decode(place, payload, kind, now)
            known = self._known_or_not(publisher, place, readings)
        except BarographError as error:
            taken.refused[i] = self._refuse(place, one, error)
            return None
        if known is None:
            taken.unfinished.append((i, place, one, readings))
        return known

    def finish(self, publisher: Publisher, taken: Taken) -> None:
        """Make the devices and metrics that are new, and note replies.

        Raises `Unavailable`, after which it may be called again.
        """
        if taken.unfinished:
            self._core.registry.catch_up()
        while taken.unfinished:
            i, place, message, readings = taken.unfinished[0]
            try:
                device = self._device(publisher.name, place)
                if readings is None:
                    self._answered(publisher.name, device, place, message)
                else:
                    taken.batches.append(self._core.ingest.resolve(device, readings))
            except Unavailable:
                raise
            except BarographError as error:
                taken.refused[i] = self._refuse(place, message, error)
            del taken.unfinished[0]

    def stands_for(self, publisher: Publisher, device_id: int) -> None:
        """Know that the publisher's connection is the device's."""
        if publisher.devices is not None and device_id not in publisher.devices:
            publisher.devices.add(device_id)
            self._core.presence.opened(device_id)

    def _target(self, publisher: Publisher, topic: bytes) -> Target:
        place = self._topics.find(topic.decode())
        if place is None or (not place.readings and place.command is None):
            target = Target(None)
        elif place.device is None:
            return Target(place)
        else:
            series = self._core.registry.series_of(place.device.id).get(
                place.metric or "", _UNKNOWN
            )
            objects = place.device.id if place.metric is None and place.readings else 0
            target = Target(place, series, self._core.ingest.step(place.device), objects)
            if place.metric is not None and series == _UNKNOWN:
                return target
            who = self._access.principal(publisher.name)
            if who is None:
                return Target(place)
            try:
                require_device(who, place.device, write=True)
            except BarographError:
                return Target(place)
            self.stands_for(publisher, place.device.id)
        if len(publisher.targets) >= publisher.topics_max:
            publisher.targets.clear()
        publisher.targets[topic] = target
        return target

    def _decode(self, place: Place, payload: bytes, kind: str | None, now: int) -> MetricBatch:
        core = self._core
        if place.metric is None:
            decode = decoder_for((kind or "").encode())
            return decode(payload, now=now, zone=core.zone, limits=core.limits).batch
        time, value = decode_value(payload, now=now, zone=core.zone, limits=core.limits)
        texts = {0: value} if isinstance(value, str) else {}
        number = _NAN if isinstance(value, str) else value
        return MetricBatch([place.metric], [0], [now if time is None else time], [number], texts)

    def _known_or_not(
        self, publisher: Publisher, place: Place, readings: MetricBatch
    ) -> Batch | None:
        """None also for what another process may have allowed a moment ago."""
        try:
            return self._known(publisher, place, readings)
        except (Forbidden, NotFound):
            if self._core.registry.follows:
                return None
            raise

    def _known(self, publisher: Publisher, place: Place, readings: MetricBatch) -> Batch | None:
        if place.device is None:
            return None
        who = self._access.principal(publisher.name)
        if who is None:
            raise Forbidden("this account or device is no more")
        return self._core.ingest.known(require_device(who, place.device, write=True), readings)

    def _device(self, name: str, place: Place) -> Device:
        who = self._access.principal(name)
        if who is None:
            raise Forbidden("this account or device is no more")
        known = self._core.registry.device(place.key)
        if known is not None:
            return require_device(who, known, write=True)
        if not self._rights.may_create(name, place.key):
            raise NotFound(f"there is no device {place.key!r}, and it is not made by writing to it")
        return self._core.devices.find_or_create(who, place.key)

    def _answered(self, name: str, device: Device, place: Place, message: Published) -> None:
        who = self._access.principal(name)
        if who is None:
            raise Forbidden("this account or device is no more")
        self._core.commands.answered(who, device, place.command or 0, message[1])

    def _refuse(self, place: Place, message: Published, error: BarographError) -> Reason:
        """Log the refusal, once per device and minute, and say it in the standard's words."""
        now = self._core.clock()
        said = self._complained.get(place.key)
        if said is None or not said <= now < said + MINUTE:
            if len(self._complained) >= _COMPLAINTS_REMEMBERED_MAX:
                self._complained.clear()
            self._complained[place.key] = now
            logger.warning("a message of device %r is refused: %s", place.key, error)
        device = place.device or self._core.registry.device(place.key)
        if device is not None:
            self._core.refusals.keep(device.id, message[0].decode(), message[1], str(error))
        if isinstance(error, MalformedInput | InvalidInput | TooLarge):
            return Reason.PAYLOAD_FORMAT_INVALID
        if isinstance(error, Forbidden | NotFound):
            return Reason.NOT_AUTHORIZED
        return Reason.IMPLEMENTATION_SPECIFIC_ERROR


def _moment(given: float, numbers: Mapping[str, float], latest: int) -> int:
    """The time that a flat object gives beside its numbers; `ValueError` where more has to be said."""
    time = from_number(given)
    if not numbers or given >= _EXACT_TIME_BELOW or time > latest:
        raise ValueError
    return time
