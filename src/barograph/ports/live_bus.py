"""Where committed readings are announced."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from barograph.domain.batch import Batch

Listener = Callable[[int, Batch], None]
"""Gets the number of the batch's first reading, and the batch, on the thread that publishes; must
neither block nor raise."""


class LiveBus(Protocol):
    """Tells committed batches to those who listen, in the order of their commits.

    Readings are numbered in that order. The last ones are kept, so that who lost the connection can
    catch up.
    """

    @property
    def first_number(self) -> int | None:
        """The first reading's number, where numbers grow over restarts; None where they begin with 0."""

    @property
    def sequence(self) -> int:
        """The number that the next reading gets."""

    def publish(self, batch: Batch) -> None:
        """Called by the writer after the commit; must neither block nor raise."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` every batch from now on, until the returned call."""

    def since(self, sequence: int) -> list[tuple[int, Batch]]:
        """The kept batches that hold readings from `sequence` on, oldest first."""

    def reach(self, number: int) -> Future[None]:
        """Done once the readings before `number` are here, or nothing more is known of them."""
