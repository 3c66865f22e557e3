"""Where committed readings are announced."""

from collections.abc import Callable
from typing import Protocol

from barograph.domain.batch import Batch


class LiveBus(Protocol):
    """Tells committed batches to those who listen, in the order of their commits."""

    def publish(self, batch: Batch) -> None:
        """Called by the writer after the commit; must neither block nor raise."""

    def subscribe(self, listener: Callable[[int, Batch], None]) -> Callable[[], None]:
        """Call `listener(sequence, batch)` for each batch from now on, on the writer's thread.

        `sequence` is the number of the batch's first reading since the bus began. Returns the
        call that ends it. A listener must neither block nor raise.
        """

    def since(self, sequence: int) -> list[tuple[int, Batch]]:
        """The retained batches that hold readings from `sequence` on, oldest first."""
