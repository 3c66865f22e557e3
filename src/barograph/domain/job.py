"""Work that is asked for now and done later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["queued", "running", "done", "failed", "cancelled"]

ENDED: frozenset[Status] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """A row with a lease.

    A runner takes a job by writing its name and `lease_until` (microseconds); a lease that ran
    out says that its runner died, and the job may be taken again. `cancel_asked` is how a running
    job learns that nobody wants it any more.
    """

    id: int
    kind: str
    question: Mapping[str, Any]
    user_id: int | None
    status: Status = "queued"
    progress: float = 0.0
    result: Any = None
    error: str | None = None
    cancel_asked: bool = False
    attempts: int = 0
    lease_owner: str | None = None
    lease_until: int | None = None
    created_time: int = 0
    started_time: int | None = None
    ended_time: int | None = None
