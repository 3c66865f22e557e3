"""What one user lets another one see."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """That `subject_id`, a device or a dashboard, is shown to a user who does not own it."""

    subject_id: int
    user_id: int
    writes: bool = False
    """Whether the user may also write: readings to a device, changes to a dashboard."""
    created_time: int = 0
