"""`/api/jobs`: how far the asked-for work is, its results, and calling it off."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from barograph.domain.job import Job, Status
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import answer, page_answer
from barograph.transport.http.schemas import Offset, PageOf, PathId, Time, page_limit, time_text
from barograph.transport.http.users import Asker


class JobLine(BaseModel):
    """A job without its result."""

    id: int
    kind: str
    status: Status
    progress: Annotated[float, Field(ge=0, le=1, description="How much of it is done.")]
    question: Annotated[dict[str, Any], Field(description="What was asked, times made absolute.")]
    error: Annotated[str | None, Field(description="Why it failed.")]
    created_time: Time
    started_time: Time | None
    ended_time: Time | None


class JobBody(JobLine):
    """A job."""

    result: Annotated[Any, Field(description="The answer, once `status` is `done`.")] = None


def _line(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "progress": 1.0 if job.status == "done" else job.progress,
        "question": job.question["question"],
        "error": job.error,
        "created_time": time_text(job.created_time),
        "started_time": time_text(job.started_time),
        "ended_time": time_text(job.ended_time),
    }


def router(core: Core) -> APIRouter:
    """The jobs of who asks; administrators see all."""
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"])
    most = page_limit(core.limits)

    @routes.get(
        "",
        response_model=PageOf[JobLine],
        responses=responses(401, 403, 422),
        summary="List jobs, the newest first",
    )
    def list_jobs(
        asker: Asker,
        limit: int = most,
        offset: Offset = 0,
    ) -> Response:
        """Your jobs without their results."""
        page = core.jobs.list(asker, limit=limit, offset=offset)
        items = [_line(job) for job in page.items]
        return page_answer(items, page.total, limit, offset)

    @routes.get(
        "/{job:int}",
        response_model=JobBody,
        responses=responses(401, 403, 404, 422),
        summary="Look at a job",
    )
    def get_job(job: PathId, asker: Asker) -> Response:
        """Its status, how far it is, and its result once there is one."""
        found = core.jobs.get(asker, job)
        return answer({**_line(found), "result": found.result})

    @routes.delete(
        "/{job:int}",
        response_model=JobLine,
        responses=responses(401, 403, 404, 422),
        summary="Call a job off",
    )
    def cancel_job(job: PathId, asker: Asker) -> Response:
        """A waiting job ends at once, a running one within seconds; an ended one stays."""
        return answer(_line(core.jobs.cancel(asker, job)))

    return routes
