"""Messages on their way to the writer, until they are stored or given up."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from barograph.domain.batch import Batch
from barograph.domain.errors import BarographError, Overloaded, Unavailable
from barograph.mqtt import Batch as Messages
from barograph.mqtt import Reason
from barograph.services.core import Core
from barograph.transport.mqtt.peer import HeldSocket
from barograph.transport.mqtt.readings import MqttIngest, Publisher, Taken

logger = logging.getLogger(__name__)

_OVERLOADED_SECONDS = 0.05
_RETRY_SECONDS_MAX = 5.0
_FEW = 32
_GATHER_SECONDS = 0.01
"""Where more than a few clients send, their messages are committed at most so often: a commit costs
as much as many messages. Who waits for each answer is not kept waiting."""
_GATHER_SELDOM_SECONDS = 0.04
"""The same where all of them had their last answer long ago, for they send now and then."""
_SELDOM_SECONDS = 0.25
"""How long ago that is."""


@dataclass(slots=True, eq=False)
class Handover:
    """The messages of one socket read, or a will."""

    publisher: Publisher
    taken: Taken
    peer: HeldSocket | None = None
    """Who sent them; None for a will."""
    messages: Messages | None = None
    """What the engine wants acknowledged; None for a will."""
    size: int = 0
    """Bytes, as the peer owes them."""
    batch: Batch | None = None
    holding: bool = False
    """Whether the peer's socket is not read because of this."""


Settled = Callable[[list[Handover]], None]
"""Told what was stored, or refused, on the event loop."""


class Handovers:
    """Brings messages to the writer, again and again while that is overloaded or the disk full.

    Meanwhile the sender's socket is not read and nothing is acknowledged.
    """

    def __init__(
        self, core: Core, ingest: MqttIngest, threads: ThreadPoolExecutor, settled: Settled
    ) -> None:
        self._core = core
        self._ingest = ingest
        self._threads = threads
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._waking: asyncio.Handle | None = None
        self._waking_at = 0.0
        self._woke_at = 0.0
        self._recent: deque[HeldSocket | None] = deque(maxlen=_FEW)
        self._open: set[Handover] = set()
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, handover: Handover) -> None:
        """Take over the messages; `settled` is called for each that was begun."""
        taken = handover.taken
        if not taken.unfinished and not taken.batches:
            self._settled([handover])
            return
        self._open.add(handover)
        if taken.unfinished:
            self._finish(handover)
        else:
            self._submit(handover)

    def give_up(self) -> None:
        """Try nothing again: what cannot be stored at once is refused."""
        self._ending = True

    def _finish(self, handover: Handover) -> None:
        """Have new devices and metrics made, on a thread."""
        self._hold(handover)
        work = self._threads.submit(self._ingest.finish, handover.publisher, handover.taken)
        work.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._finished, handover, done.exception())
        )

    def _finished(self, handover: Handover, error: BaseException | None) -> None:
        if error is None:
            self._submit(handover)
        elif isinstance(error, Unavailable):
            self._again(handover, self._finish, error)
        else:
            logger.error("MQTT messages could not be taken in", exc_info=error)
            self._refuse(handover)

    def _submit(self, handover: Handover) -> None:
        if handover.batch is None:
            handover.batch = handover.taken.batch()
        try:
            self._core.writer.submit(handover.batch, self._committed, handover, wake=False)
        except Unavailable as error:
            self._again(handover, self._submit, error)
            return
        peer, now = handover.peer, self._loop.time()
        due = now
        if peer not in self._recent:
            seldom = peer is not None and now - peer.answered_at > _SELDOM_SECONDS
            due = self._woke_at + (_GATHER_SELDOM_SECONDS if seldom else _GATHER_SECONDS)
        self._recent.append(peer)
        if self._waking is not None:
            if due >= self._waking_at:
                return
            self._waking.cancel()
        self._waking_at = due
        if due > now:
            self._waking = self._loop.call_at(due, self._wake)
        else:
            # What else this turn of the loop brings shall make one group with it.
            self._waking = self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._waking = None
        self._woke_at = self._loop.time()
        self._core.writer.wake()

    def _committed(self, tags: list[Any], error: BarographError | None, /) -> None:
        """Receipts of the writer (`services.writer.Receipts`), on its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer, tags, error)

    def _answer(self, handovers: list[Handover], error: BarographError | None) -> None:
        if error is not None:
            for handover in handovers:
                self._again(handover, self._submit, error)
            return
        telemetry, now = self._core.telemetry, self._loop.time()
        for handover in handovers:
            self._close(handover)
            if handover.peer is not None:
                handover.peer.answered_at = now
            telemetry.mqtt_messages += handover.taken.messages - len(handover.taken.refused)
        self._settled(handovers)

    def _again(
        self, handover: Handover, step: Callable[[Handover], None], error: BarographError
    ) -> None:
        """Try once more later, unless nobody waits for it."""
        peer = handover.peer
        if self._ending or (peer is not None and peer.gone):
            self._refuse(handover)
            return
        self._hold(handover)
        pause = _OVERLOADED_SECONDS
        if not isinstance(error, Overloaded) and isinstance(error, Unavailable):
            pause = min(error.retry_after, _RETRY_SECONDS_MAX)
        self._loop.call_later(pause, partial(step, handover))

    def _refuse(self, handover: Handover) -> None:
        """Store nothing of it: the sender gets no acknowledgement and sends again."""
        self._close(handover)
        refused = handover.taken.refused
        if handover.messages is not None:
            for i in range(len(handover.messages.publishes)):
                refused.setdefault(i, Reason.UNSPECIFIED_ERROR)
        self._settled([handover])

    def _hold(self, handover: Handover) -> None:
        if not handover.holding and handover.peer is not None:
            handover.holding = True
            handover.peer.hold()

    def _close(self, handover: Handover) -> None:
        self._open.discard(handover)
        if handover.holding and handover.peer is not None:
            handover.holding = False
            handover.peer.let_go()
