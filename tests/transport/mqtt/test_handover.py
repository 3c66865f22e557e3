"""When messages are committed together, on a loop whose time passes at once."""

import asyncio
import selectors
from types import SimpleNamespace

from barograph.domain.batch import Batch
from barograph.services.telemetry import Telemetry
from barograph.transport.mqtt.handover import Handover, Handovers
from barograph.transport.mqtt.peer import HeldSocket
from barograph.transport.mqtt.readings import Publisher, Taken


class LeapingLoop(asyncio.SelectorEventLoop):
    """Where nothing is to be done, it is at once the time of what is due next."""

    def __init__(self):
        super().__init__(selectors.SelectSelector())
        self._now = 1_000.0
        select = self._selector.select

        def leap(timeout=None):
            self._now += timeout or 0
            return select(0)

        self._selector.select = leap

    def time(self):
        return self._now


class Writing:
    """A writer that commits at once whenever it is woken, and remembers when, and how many."""

    def __init__(self):
        self.groups = []
        self._open = []

    def submit(self, batch, receipts, tag, *, wake):
        assert not wake
        self._open.append((receipts, tag))

    def wake(self):
        tags, self._open = self._open, []
        self.groups.append((asyncio.get_running_loop().time(), len(tags)))
        if tags:
            tags[0][0]([tag for _, tag in tags], None)


def groups(sending):
    """The groups (seconds since the start, messages) that `sending(send)` makes."""
    writing = Writing()

    async def run():
        loop = asyncio.get_running_loop()
        began = loop.time()
        core = SimpleNamespace(writer=writing, telemetry=Telemetry())
        handovers = Handovers(core, None, None, lambda settled: None)

        def send(peer):
            taken = Taken([Batch([1], [1], [1.0])], messages=1)
            handovers.begin(Handover(Publisher("x"), taken, peer))

        await sending(send, HeldSocket)
        await asyncio.sleep(1)
        assert not len(handovers)
        return [(round(at - began, 3), count) for at, count in writing.groups if count]

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(run())


def test_those_who_send_now_and_then_share_a_commit():
    async def sending(send, peer):
        peers = [peer() for _ in range(1_000)]
        for _ in range(2):
            for one in peers:
                send(one)
                await asyncio.sleep(0.001)

    found = groups(sending)
    assert sum(count for _, count in found) == 2_000
    assert len(found) < 60
    assert max(count for _, count in found) <= 42


def test_one_that_waits_for_each_answer_does_not_wait_for_others():
    async def sending(send, peer):
        only = peer()
        for _ in range(20):
            send(only)
            await asyncio.sleep(0.001)

    assert groups(sending) == [(round(n / 1000, 3), 1) for n in range(20)]


def test_many_that_answer_at_once_wait_a_shorter_time():
    async def sending(send, peer):
        peers = [peer() for _ in range(100)]
        for one in peers:
            send(one)
        for _ in range(10):
            await asyncio.sleep(0.02)  # they have their answers
            for one in peers:
                send(one)

    found = groups(sending)
    # Their last answer was 10 ms before, so each round is committed when it comes.
    assert [count for _, count in found[1:]] == [100] * 10
    assert [at for at, _ in found[1:]] == [round(0.02 * n, 3) for n in range(1, 11)]


def test_one_that_waits_takes_along_those_that_send_now_and_then():
    async def sending(send, peer):
        waiting, seldom = peer(), [peer() for _ in range(40)]
        send(waiting)
        await asyncio.sleep(0.001)
        for one in seldom[:5]:
            send(one)
        send(waiting)
        await asyncio.sleep(0.001)

    assert groups(sending) == [(0.0, 1), (0.001, 6)]
