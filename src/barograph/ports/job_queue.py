"""How a job is brought to somebody who runs it."""

from typing import Protocol


class JobQueue(Protocol):
    """Says that there is a job to take. Only a hint: the job itself is a row in the catalog."""

    def announce(self, job_id: int) -> None:
        """Called after the job's row was committed; must neither block nor raise."""
