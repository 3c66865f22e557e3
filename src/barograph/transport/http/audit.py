"""`/api/audit`: who did what."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from barograph.domain.audit import AuditEntry
from barograph.domain.period import Period
from barograph.domain.time import format_time
from barograph.services.audit import KINDS
from barograph.services.core import Core
from barograph.services.names import NAME_CHARS_MAX
from barograph.services.parameters import Parameters, moment
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import END_TIME, START_TIME, query
from barograph.transport.http.schemas import Offset, PageOf, Search, Time, page_limit
from barograph.transport.http.users import Asker

Kind = Literal[KINDS]  # type: ignore[valid-type]  # a tuple makes a Literal of its members


class AuditBody(BaseModel):
    """One thing that somebody did."""

    id: int
    time: Time
    actor: str = Field(description="What who did it was called then.")
    actor_id: int | None
    action: str = Field(description="The kind of thing and a verb, such as `device.delete`.")
    subject: str = Field(description="What the thing was called then.")
    subject_id: int | None
    detail: dict[str, Any] = Field(description="What was changed; never a secret.")


def router(core: Core) -> APIRouter:
    """`GET /api/audit`."""
    routes = APIRouter(prefix="/api/audit", tags=["audit"])
    most = page_limit(core.limits)

    @routes.get(
        "",
        responses=responses(401, 403, 422),
        openapi_extra={"parameters": [START_TIME, END_TIME]},
    )
    def list_audit(
        request: Request,
        asker: Asker,
        actor: Annotated[str | None, Query(max_length=2 * NAME_CHARS_MAX)] = None,
        kind: Annotated[Kind | None, Query(description="What was acted upon.")] = None,
        search: Search = "",
        limit: int = most,
        offset: Offset = 0,
    ) -> PageOf[AuditBody]:
        """Who did what, the newest first; for administrators."""
        page = core.accounts.audit.list(
            asker,
            actor=actor,
            kind=kind,
            search=search,
            period=period_of(core, query(request)),
            limit=limit,
            offset=offset,
        )
        return PageOf(
            items=[_entry(entry) for entry in page.items],
            total=page.total,
            limit=limit,
            offset=offset,
        )

    return routes


def period_of(core: Core, given: dict[str, object]) -> Period:
    """The period between `start_time` and `end_time`; raises `InvalidInput`."""
    parameters = Parameters(given)
    read = moment(core.clock(), core.zone)
    start = parameters.read("start_time", read, None)
    end = parameters.read("end_time", read, None)
    parameters.check()
    return Period(start, end)


def _entry(entry: AuditEntry) -> AuditBody:
    return AuditBody(
        id=entry.id,
        time=format_time(entry.time),
        actor=entry.actor,
        actor_id=entry.actor_id,
        action=entry.action,
        subject=entry.subject,
        subject_id=entry.subject_id,
        detail=dict(entry.detail),
    )
