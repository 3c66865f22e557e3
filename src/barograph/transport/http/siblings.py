"""What the processes on one port tell each other for `/metrics`, each on a Unix socket of its own.

The sockets are made by who starts the processes, in a directory that only its user may enter, and
stay when a process is replaced: who asks meanwhile waits for the next one, for a moment.
"""

import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic

logger = logging.getLogger(__name__)

_ANSWER_SECONDS_MAX = 1.0
"""For all of them together, so that a scraper gets its answer in time."""
_BACKLOG = 16
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Siblings:
    """One of the processes: where it listens, and where the others do."""

    number: int
    listening: socket.socket
    others: Mapping[int, str]

    def serve(self, counted: Callable[[], bytes]) -> None:
        """Give whoever asks what is `counted` then, until the process ends."""
        Thread(target=self._serve, args=(counted,), name="siblings", daemon=True).start()

    def ask(self) -> dict[int, bytes | None]:
        """What each of the others counts, by its number; None where one does not answer."""
        until = monotonic() + _ANSWER_SECONDS_MAX
        return {number: _asked(address, until) for number, address in self.others.items()}

    def _serve(self, counted: Callable[[], bytes]) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with closing(connection), suppress(OSError):
                connection.settimeout(_ANSWER_SECONDS_MAX)
                try:
                    connection.sendall(counted())
                except OSError:
                    raise
                except Exception:
                    logger.exception("the counters cannot be told to another process")


def _asked(address: str, until: float) -> bytes | None:
    parts = []
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(max(0.01, until - monotonic()))
            connection.connect(address)
            while part := connection.recv(_CHUNK_BYTES):
                parts.append(part)
                connection.settimeout(max(0.01, until - monotonic()))
    except OSError:
        return None
    return b"".join(parts) or None


def siblings(directory: Path, count: int, opened: ExitStack) -> list[Siblings]:
    """Those of `count` processes, with sockets in `directory`, which `opened` closes."""
    addresses = {number: str(directory / str(number)) for number in range(count)}
    found = []
    for number, address in addresses.items():
        listening = opened.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(address)
        listening.listen(_BACKLOG)
        others = {one: place for one, place in addresses.items() if one != number}
        found.append(Siblings(number, listening, others))
    return found
