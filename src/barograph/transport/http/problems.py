"""Errors as problem documents (RFC 9457): the one place that maps them to HTTP.

The routes' part of it is in `problem_documents.py`; this one is of use without FastAPI.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from barograph.codecs import UnsupportedEncoding
from barograph.domain.errors import (
    BarographError,
    Conflict,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: Mapping[type[BarographError], int] = {
    MalformedInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedEncoding: 415,
    InvalidInput: 422,
    TooManyRequests: 429,
    Unavailable: 503,
    StorageFull: 507,
}

_OF_DEALER = frozenset({"/auth", "/register", "/stock", "/auto"})
"""Here, and below `/auto/`, the car dealer's clients look for the message in `Error`."""
_OF_TEMPERATURE = frozenset({"/devices", "/stats"})
"""Paths that only the temperature service has, whose clients know no problem documents. While it is
turned off nothing is there, which is 404."""

Headers = list[tuple[bytes, bytes]]


def status_of(error: BarographError) -> int:
    """The HTTP status that answers `error`."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def problem_response(error: BarographError, path: str = "") -> tuple[int, Headers, bytes]:
    """Status, headers and body that answer `error` at the request's `path`."""
    status = status_of(error)
    errors = None
    if isinstance(error, InvalidInput):
        errors = [(problem.at, problem.message) for problem in error.problems]
    headers: Headers = []
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, TooManyRequests | Unavailable):
        headers.append((b"retry-after", b"%d" % max(1, ceil(error.retry_after))))
    return answer(status, str(error), errors, headers, path)


def defect(path: str = "") -> tuple[int, Headers, bytes]:
    """What answers an error that nobody foresaw; say it in the log."""
    return answer(500, "something went wrong inside Barograph; its log says what", path=path)


def answer(
    status: int,
    detail: str,
    errors: Sequence[tuple[str, str]] | None = None,
    headers: Headers | None = None,
    path: str = "",
) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a problem document; `errors` are places and messages."""
    media_type = MEDIA_TYPE
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors is not None:
        document["errors"] = [{"at": at, "message": message} for at, message in errors]
    if path in _OF_DEALER or path.startswith("/auto/"):
        document["Error"] = detail
    if status == HTTPStatus.METHOD_NOT_ALLOWED and path in _OF_TEMPERATURE:
        document, media_type = {"type": "ERR", "message": detail}, "application/json"
    body = json.dumps(document).encode("ascii")
    always = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    return status, [*always, *(headers or [])], body
