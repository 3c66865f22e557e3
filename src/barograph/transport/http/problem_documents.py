"""Problem documents as FastAPI and its OpenAPI schema know them: models, and what routes declare."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from barograph.domain.errors import BarographError, InvalidInput, MalformedInput, Problem
from barograph.transport.http.problems import MEDIA_TYPE, Headers, answer, defect, problem_response

logger = logging.getLogger(__name__)

_PLAINER = {
    "missing": "this is required",
    "extra_forbidden": "there is no such field",
    "model_attributes_type": "this should be a JSON object",
    "model_type": "this should be a JSON object",
    "dict_type": "this should be a JSON object",
    "int_type": "this should be a whole number",
    "int_parsing": "this should be a whole number",
    "int_from_float": "this should be a whole number",
    "string_type": "this should be a string",
    "string_unicode": "this should be a string without half of a surrogate pair",
}


class ProblemItem(BaseModel):
    """One thing that is wrong with the input."""

    at: str = Field(description="Where, as a path into the input; empty for all of it.")
    message: str = Field(description="What is wrong, and what would be right.")


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 shapes it."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What was wrong, and what would be right.")
    errors: list[ProblemItem] | None = Field(
        default=None, description="Each wrong place of the input."
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route documents the problems that it may answer with; 503 it always may."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in sorted({*statuses, 503})
    }


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document, and say so in its schema."""
    app.add_exception_handler(BarographError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        if "ProblemDocument" not in schemas:
            document = ProblemDocument.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            schemas.update(document.pop("$defs"))
            schemas["ProblemDocument"] = document
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to add to it


def _respond(answered: tuple[int, Headers, bytes]) -> Response:
    status, headers, body = answered
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BarographError)
    return _respond(problem_response(error, request.url.path))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    for one in found:
        if one["type"] == "json_invalid":
            why = one.get("ctx", {}).get("error", "")
            at = one["loc"][-1]
            unread = MalformedInput(f"the body is not JSON: {why} at character {at}")
            return _respond(problem_response(unread, request.url.path))
    return _respond(problem_response(invalid(found), request.url.path))


def invalid(found: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """The error that pydantic's findings about a request make, each at a place such as `body.x`."""
    return InvalidInput([Problem(_place(one["loc"]), _message(one)) for one in found])


def _place(location: Sequence[int | str]) -> str:
    """`("body", "attributes", 3, "x")` as `attributes[3].x`."""
    text = ""
    for step in location[1:]:
        text += f"[{step}]" if isinstance(step, int) else f".{step[:64]}" if text else step[:64]
    return text


def _message(error: Mapping[str, Any]) -> str:
    kind, text = error["type"], str(error["msg"])
    # Without the content type the body is not read as JSON, and arrives here as it is.
    if len(error["loc"]) == 1 and (kind == "missing" or isinstance(error.get("input"), bytes)):
        return "a JSON body is required, with Content-Type: application/json"
    return _PLAINER.get(kind) or text[:1].lower() + text[1:].removeprefix("alue error, ")


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == HTTPStatus(404).phrase:
        detail = "there is nothing at this path: see /docs"
    elif error.status_code == 405:
        detail = f"{request.method} is not among the methods of this path"
    elif error.status_code == 400:
        detail = "the body cannot be read as JSON in UTF-8"
    given = dict(error.headers or {})
    if error.status_code == 405:
        given["Allow"] = ", ".join(_methods(request))
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()
    ]
    return _respond(answer(error.status_code, detail, headers=headers, path=request.url.path))


def _methods(request: Request) -> list[str]:
    """The methods of the path, which may be spread over several routes; HEAD comes with GET."""
    methods = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
    return ["GET", "HEAD", *methods[1:]] if methods[:1] == ["GET"] else methods


async def _on_unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _respond(defect(request.url.path))
