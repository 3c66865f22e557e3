"""Pages that users compose of panels, and questions that they keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

PanelKind = Literal["line", "bar", "stat", "gauge", "table", "states", "text"]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels, owned by a user; by nobody where the local operator made it.

    Its panels are JSON objects of the form that `services.panels` reads. What they show is read with
    the rights of the owner, so that sharing the page shares what is on it. `revision` grows with
    each change: who saves names the one that the change began with.
    """

    id: int
    name: str
    panels: Sequence[Mapping[str, Any]] = ()
    user_id: int | None = None
    revision: int = 1
    created_time: int = 0
    changed_time: int = 0


@dataclass(frozen=True, slots=True)
class DashboardLink:
    """A secret address where anybody reads the dashboard. Only its SHA-256 is kept."""

    id: int
    dashboard_id: int
    digest: bytes
    name: str = ""
    created_time: int = 0
    expires_time: int | None = None


@dataclass(frozen=True, slots=True)
class SavedQuestion:
    """A question of analytics under a name; `question` has the parameters that the API takes."""

    id: int
    name: str
    question: Mapping[str, Any]
    user_id: int | None = None
    created_time: int = 0
