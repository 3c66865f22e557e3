"""Who did what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that somebody made, as it is told later.

    `actor` and `subject` are what they were called then; their ids may be of something that is
    gone. `action` is a kind of thing and a verb, such as `device.delete`. `detail` has what was
    changed, never a secret.
    """

    id: int
    time: int
    actor: str
    action: str
    subject: str
    actor_id: int | None = None
    """The user's id; None for the local operator and for devices."""
    subject_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
