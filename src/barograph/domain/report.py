"""Reports: questions that are asked again and again, what they yielded, and where that is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Form = Literal["html", "pdf", "csv", "xlsx", "parquet", "json"]
"""What a report can be downloaded as."""

FORMS: tuple[Form, ...] = ("html", "pdf", "csv", "xlsx", "parquet", "json")

Way = Literal["email", "webhook"]
DeliveryStatus = Literal["waiting", "sent", "failed"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A report that is made again and again.

    `question` is what `services.report_question` keeps; `asker` is who the report is made for, as
    jobs keep it. `next_time` is when it is due (microseconds), None while it is disabled. Who
    asks for the due report takes a lease until `lease_until`.
    """

    id: int
    name: str
    question: Mapping[str, Any]
    cron: str
    user_id: int | None = None
    asker: Mapping[str, Any] = field(default_factory=dict)
    email: tuple[str, ...] = ()
    webhook: tuple[str, ...] = ()
    formats: tuple[Form, ...] = ("pdf",)
    """What is attached to an e-mail."""
    enabled: bool = True
    created_time: int = 0
    next_time: int | None = None
    last_time: int | None = None
    """Which moment the last report was made for."""
    last_job_id: int | None = None
    last_error: str | None = None
    """Why the last report could not even be asked for."""
    lease_until: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One that was made. Its figures are kept apart, see `ports.work.Reports.document`.

    `key` is the same however often the job that makes it runs, so that it is made once.
    """

    id: int
    key: str
    name: str
    question: Mapping[str, Any]
    user_id: int | None = None
    schedule_id: int | None = None
    created_time: int = 0
    document_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A report on its way to somebody: an e-mail address, or the name of a webhook."""

    id: int
    report_id: int
    way: Way
    target: str
    formats: tuple[Form, ...] = ()
    status: DeliveryStatus = "waiting"
    attempts: int = 0
    next_time: int | None = None
    """When it is tried (again); None once it is sent or given up."""
    ended_time: int | None = None
    error: str | None = None
    """What went wrong the last time."""
