"""Keeps a process's memory of the catalog true while other processes change it.

A change is heard of at the next look, so a moment after its commit. Who must know at once
(`Registry.catch_up`) looks for itself.
"""

import logging
from threading import Event, Thread

from barograph.domain.errors import BarographError
from barograph.services.registry import Registry

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25


class Follower:
    """A thread that looks for other processes' changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ending = Event()
        self._thread = Thread(target=self._follow, name="barograph-follower", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()

    def _follow(self) -> None:
        failing = False
        while not self._ending.wait(_LOOK_SECONDS):
            try:
                self._registry.catch_up()
            except BarographError as error:
                if not failing:
                    logger.warning("Other processes' changes are not heard of: %s", error)
                failing = True
            except Exception:
                logger.exception("Other processes' changes are not heard of")
            else:
                failing = False
