"""A request's query as the services read it, and its parameters as the schema describes them."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request, Response

_LISTS = frozenset({"metrics", "metric", "stats", "device"})

# `+` in a query means a blank. Who writes an offset with a bare one means the plus.
_LOST_PLUS = re.compile(r"(T\d{2}:\d{2}[\d:.,]*) (\d{2}:?\d{2})\Z", re.ASCII)

_encode = msgspec.json.Encoder().encode


def query(request: Request) -> dict[str, object]:
    """The query's parameters; a list may be repeated, of anything else the last one counts."""
    found: dict[str, object] = {}
    for name, value in request.query_params.multi_items():
        before = found.get(name)
        if name in _LISTS and before:
            found[name] = f"{before},{value}"
        elif name in {"start_time", "end_time"}:
            found[name] = _LOST_PLUS.sub(r"\1+\2", value)
        else:
            found[name] = value
    return found


def answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer, encoded at once."""
    return Response(_encode(content), status, headers, "application/json")


def page_answer(items: list[Any], total: int, limit: int, offset: int) -> Response:
    """Some items of a list, as `schemas.PageOf` describes them."""
    return answer({"items": items, "total": total, "limit": limit, "offset": offset})


def parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """An optional query parameter for `openapi_extra`."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


START_TIME = parameter(
    "start_time",
    "From this time on: RFC 3339, a number since 1970, `now`, or relative to it such as `-24h`.",
    examples=["2026-01-01T00:00:00Z", "-24h"],
)
END_TIME = parameter("end_time", "Before this time, written as `start_time`.", examples=["now"])
TZ = parameter(
    "tz",
    "The IANA time zone of calendar buckets and of times without an offset; by default the "
    "setting `timezone`.",
    examples=["Europe/Berlin"],
)
