"""The ingest path as FastAPI and its OpenAPI schema know it.

The application answers these requests before FastAPI sees them; this route describes them, and
serves them all the same where only the FastAPI part is mounted.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.types import Message

from barograph.transport.http.ingest import HttpIngest
from barograph.transport.http.problem_documents import ProblemItem, responses
from barograph.transport.http.reading_schemas import COLUMNS, READINGS

_LINES = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [READINGS, {"type": "array", "items": READINGS}, COLUMNS],
                },
            },
            "application/x-ndjson": _LINES,
            "text/csv": _LINES,
        },
    }
}


class Accepted(BaseModel):
    """What was stored."""

    accepted: int = Field(description="Readings stored, durably.")
    errors: list[ProblemItem] | None = Field(
        default=None, description="With partial=true: the entries that were left out, and why."
    )


def router(ingest: HttpIngest) -> APIRouter:
    """`POST /api/devices/{device}/data`."""
    routes = APIRouter(tags=["readings"])

    @routes.post(
        "/api/devices/{device}/data",
        status_code=201,
        response_model=Accepted,
        responses=responses(400, 401, 403, 404, 413, 415, 422, 503, 507),
        openapi_extra=_BODY,
        summary="Write readings",
    )
    async def write_readings(
        request: Request,
        device: Annotated[str, Path(description="The device's id or key.")],
        *,
        partial: Annotated[
            bool, Query(description="Store the good entries and report the bad ones.")
        ] = False,
    ) -> Response:
        """Store readings; the answer leaves when they are synced to stable storage.

        One object, an array of objects, columns, NDJSON or CSV. `Content-Encoding: gzip` and
        `zstd` are accepted. Sending the same readings again changes nothing.
        """
        del partial  # the ingest path reads the query itself
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await ingest(request.scope, request.receive, keep, device)
        if not sent:
            return Response(status_code=499)
        response = Response(sent[1]["body"], sent[0]["status"])
        response.raw_headers = list(sent[0]["headers"])
        return response

    return routes
