"""Several processes on one port: starts them, keeps them running, and ends them.

Each has a listening socket of its own (SO_REUSEPORT, so that the kernel shares the connections out),
which stays open here: connections that come while a process is replaced wait for the next one. A
process that finds its supervisor gone ends by itself.

The supervisor imports all that the others need, opens no connection and starts no thread. So on Linux
they are forked: they begin within a moment and share what was imported.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

_STEADY_SECONDS = 10.0
"""Whoever lived so long is replaced at once; others after a pause that grows."""
_PAUSE_SECONDS_MAX = 30.0
_END_SECONDS_MAX = 40.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class _Child:
    """One of the processes."""

    number: int
    process: BaseProcess | None = None
    link: Connection | None = None
    began: float = 0.0
    due: float = 0.0
    """When it is to be started (again)."""
    deaths: int = 0
    said: dict[str, Any] | None = field(default=None)
    """What it said when it was ready."""


class Supervisor:
    """Runs `work(number, link, *arguments(number))` in `count` processes."""

    def __init__(
        self,
        count: int,
        work: Callable[..., None],
        arguments: Callable[[int], tuple[Any, ...]],
    ) -> None:
        """`work` must be importable by its name. It begins with `Link(link)`."""
        self._forks = sys.platform == "linux"
        self._context: Any = multiprocessing.get_context("fork" if self._forks else "spawn")
        self._work = work
        self._arguments = arguments
        self._children = [_Child(number) for number in range(count)]
        self._stopping: float | None = None

    def run(self, when_ready: Callable[[dict[str, Any]], None]) -> int:
        """Until SIGINT or SIGTERM; the exit status, 2 where a process could not begin at all.

        `when_ready` gets what the first process said, once all are ready.
        """
        before = {number: signal.signal(number, self._on_stop) for number in _SIGNALS}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            return self._supervise(when_ready)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _supervise(self, when_ready: Callable[[dict[str, Any]], None]) -> int:
        status, told = 0, False
        while True:
            self._start_due()
            running = [child for child in self._children if child.process is not None]
            if not running and self._stopping is not None:
                return status
            ended = self._wait(running)
            if not told and all(child.said is not None for child in self._children):
                told = True
                when_ready(self._children[0].said or {})
            for child in ended:
                code = self._bury(child)
                if self._stopping is None and not told:
                    status = code or 1  # its settings cannot work: nor will they the next time
                    self._stop_all()
            if self._stopping is not None and monotonic() > self._stopping:
                self._kill_all()

    def _start_due(self) -> None:
        for child in self._children:
            if child.process is None and self._stopping is None and child.due <= monotonic():
                self._start(child)

    def _start(self, child: _Child) -> None:
        here, there = self._context.Pipe()
        # A fork has our ends of all links. Open there, they would keep the others from noticing
        # that we are gone.
        ours = [one.link for one in self._children if one.link is not None]
        process = self._context.Process(
            target=_begin,
            args=(
                [here, *ours] if self._forks else [],
                self._work,
                (child.number, there, *self._arguments(child.number)),
            ),
            name=f"worker-{child.number}",
        )
        child.process, child.link, child.began = process, here, monotonic()
        process.start()
        there.close()
        if self._stopping is not None:  # it was asked for while the process was unknown
            process.terminate()

    def _wait(self, running: list[_Child]) -> list[_Child]:
        """Those that ended, after something happened."""
        sentinels = {child.process.sentinel: child for child in running if child.process}
        links = {child.link: child for child in running if child.link and child.said is None}
        pauses = [child.due - monotonic() for child in self._children if child.process is None]
        if self._stopping is not None:
            pauses = [self._stopping - monotonic()]
        happened = wait([*sentinels, *links], max(0.0, min(pauses, default=1.0)))
        for one in happened:
            if isinstance(one, Connection):
                with suppress(EOFError, OSError):
                    links[one].said = one.recv()
        return [sentinels[one] for one in happened if isinstance(one, int)]

    def _bury(self, child: _Child) -> int:
        """Forget the process that ended; its exit status."""
        process, link = child.process, child.link
        assert process is not None
        assert link is not None
        process.join()
        code = process.exitcode or 0
        link.close()
        child.process = child.link = None
        lived = monotonic() - child.began
        child.deaths = 0 if lived > _STEADY_SECONDS else child.deaths + 1
        pause = min(_PAUSE_SECONDS_MAX, 2.0 ** (child.deaths - 1)) if child.deaths > 1 else 0.0
        child.due = monotonic() + pause
        if self._stopping is None:
            logger.error(
                "worker %d ended (%s) and is started again%s",
                child.number,
                f"signal {-code}" if code < 0 else f"status {code}",
                f" in {pause:g} s" if pause else "",
            )
        return code if code >= 0 else 1

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop_all()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._send(signal.SIGHUP)

    def _stop_all(self) -> None:
        if self._stopping is None:
            self._stopping = monotonic() + _END_SECONDS_MAX
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process is not None and child.process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(child.process.pid, number)

    def _kill_all(self) -> None:
        for child in self._children:
            if child.process is not None:
                logger.error("worker %d did not end in time and is killed", child.number)
                child.process.kill()
        self._stopping = monotonic() + _END_SECONDS_MAX


def _begin(others: list[Connection], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    for one in others:
        one.close()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    work(*arguments)


class Link:
    """A worker's side: says that it is ready, and ends the process when the supervisor is gone."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._watch, name="supervisor-watch", daemon=True).start()

    def ready(self, said: dict[str, Any]) -> None:
        """Say that connections are served."""
        with suppress(OSError):
            self._link.send(said)

    def _watch(self) -> None:
        with suppress(EOFError, OSError):
            self._link.recv()
        # Nothing is ever sent this way: the supervisor is gone.
        os.kill(os.getpid(), signal.SIGTERM)
