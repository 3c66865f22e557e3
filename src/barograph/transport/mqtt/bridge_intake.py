"""Reading what an external broker sends, the second time with the time of the first."""

import logging
from collections.abc import Sequence

from barograph.mqtt import DUP, RETAIN, Published, Reason
from barograph.transport.mqtt.arrivals import Arrivals
from barograph.transport.mqtt.readings import MqttIngest, Publisher, Taken

logger = logging.getLogger(__name__)


class BridgeIntake:
    """From messages to readings."""

    def __init__(self, ingest: MqttIngest, arrivals: Arrivals) -> None:
        self._ingest = ingest
        self._arrivals = arrivals

    def take(self, publisher: Publisher, publishes: Sequence[Published]) -> Taken:
        """The readings of the messages, whose arrival is noted.

        A retained message that comes because we subscribed is old, and was a reading when it was new.
        """
        if any(one[2] & RETAIN for one in publishes):
            publishes = [one for one in publishes if not one[2] & RETAIN]
        arrivals: list[int] = []
        if any(one[2] & DUP for one in publishes):
            taken = self._read_each(publisher, publishes, arrivals)
        else:
            taken = self._read(publisher, publishes, arrivals)
        self._arrivals.note(publishes, arrivals)
        return taken

    def _read(
        self, publisher: Publisher, publishes: Sequence[Published], arrivals: list[int]
    ) -> Taken:
        """The readings. A message that no decoder was made for must not stop those behind it."""
        try:
            return self._ingest.take(publisher, publishes, arrivals)
        except Exception:
            arrivals.clear()
            if len(publishes) > 1:
                return self._read_each(publisher, publishes, arrivals)
            logger.exception("a message to %r is left out", publishes[0][0][:80])
            arrivals.append(0)
            return Taken(refused={0: Reason.PAYLOAD_FORMAT_INVALID})

    def _read_each(
        self, publisher: Publisher, publishes: Sequence[Published], arrivals: list[int]
    ) -> Taken:
        """The readings of messages that cannot be read together."""
        whole = Taken()
        for i, one in enumerate(publishes):
            arrival = self._arrivals.of(one)
            if arrival is None:
                came: list[int] = []
                part = self._read(publisher, [one], came)
            else:
                came = [arrival]
                part = self._ingest.take_again(publisher, one, arrival)
            arrivals += came
            whole.messages += part.messages
            whole.batches += part.batches
            if part.refused:
                whole.refused[i] = part.refused[0]
            whole.unfinished += [(i, *what[1:]) for what in part.unfinished]
        return whole
