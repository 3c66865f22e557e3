"""A store that fails when a test wants it to."""

import threading

import pytest

from barograph.domain.errors import Unavailable
from barograph.services.writer import Writer


class Gate:
    """A store behind a gate, which may also break."""

    def __init__(self, store):
        self._store = store
        self.open = threading.Event()
        self.open.set()
        self.failures = 0

    def append(self, batch):
        assert self.open.wait(120)
        if self.failures:
            self.failures -= 1
            raise Unavailable("the disk is away")
        self._store.append(batch)


@pytest.fixture
def gate(core):
    """A gate before the store, with a writer that takes 100 readings at most."""
    core.writer.close()
    gate = Gate(core.store)
    core.writer = Writer(
        gate, backlog_readings_max=100, on_commit=(core.latest.update,), telemetry=core.telemetry
    )
    return gate
