"""Requests and answers as the older systems' clients send and expect them.

These clients send JSON under any content type, or none; so a body is read as what it is.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Message

from barograph.codecs.json_text import check_depth, parse
from barograph.domain.errors import MalformedInput
from barograph.domain.limits import Limits
from barograph.transport.http.problem_documents import invalid
from barograph.transport.http.request_body import read_body

Model = TypeVar("Model", bound=BaseModel)

_FIELDS_MAX = 10
_WHOLE_BELOW = 2**53
_MULTIPART = "multipart/form-data"


def body_reader(limits: Limits) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that gives the whole body; raises `TooLarge`."""

    async def read(request: Request) -> bytes:
        # Nobody reads the answer to a request whose sender went away.
        return await read_body(request.scope, request.receive, limits.body_bytes_max) or b""

    return read


def form_reader(limits: Limits) -> Callable[[Request], Awaitable[bytes]]:
    """`body_reader` for clients that may put the JSON into a form field named `data`."""
    read = body_reader(limits)

    async def read_form(request: Request) -> bytes:
        body = await read(request)
        kind = request.headers.get("content-type", "").lower()
        if not kind.startswith(_MULTIPART) or not body.lstrip().startswith(b"--"):
            return _url_encoded(body)

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            async with Request(request.scope, again).form(
                max_files=1, max_fields=_FIELDS_MAX, max_part_size=limits.body_bytes_max
            ) as form:
                data = form.get("data", "")
                return data.encode() if isinstance(data, str) else await data.read()
        except HTTPException as error:
            raise MalformedInput(f"the form cannot be read: {error.detail}") from None

    return read_form


def _url_encoded(body: bytes) -> bytes:
    """The field `data`, or the body itself, which may be JSON whatever its content type says."""
    if not body.startswith(b"data=") and (b"&data=" not in body or body.lstrip()[:1] in b'{["'):
        return body
    try:
        fields = parse_qs(body.decode(), max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise MalformedInput(f"the form cannot be read: {error}") from None
    return "".join(fields.get("data", [])[-1:]).encode()


def read_json(body: bytes, limits: Limits) -> Any:
    """The body's JSON; raises `MalformedInput`, `TooLarge`."""
    value = parse(body, limits)
    if isinstance(value, dict | list):
        check_depth(value, limits.json_depth_max)
    return value


def read_model(model: type[Model], body: bytes, limits: Limits) -> Model:
    """The body's JSON as a `model`; raises `MalformedInput`, `TooLarge`, `InvalidInput`."""
    try:
        return model.model_validate(read_json(body, limits))
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise invalid(found) from None


def body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """How a route that reads a `model` by itself documents that."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def whole(value: float | str) -> float | str:
    """The value as these clients expect it: 27, not 27.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_BELOW:
        return int(value)
    return value
