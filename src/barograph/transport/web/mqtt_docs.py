"""The MQTT interface's description: for programs at `/asyncapi.json`, for people at `/docs/mqtt`."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from barograph.domain.errors import NotFound
from barograph.transport.web.language import marked
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit

Describe = Callable[[str], dict[str, Any]]
"""Makes the AsyncAPI document for who reaches this server at the address that is given."""


def router(
    site: Site, visits: Visits, options: Mapping[str, Any], describe: Describe | None
) -> APIRouter:
    """Both; `describe` is None where MQTT is turned off."""
    pages = APIRouter(**options)

    def document(base_url: str) -> dict[str, Any]:
        if describe is None or site.mqtt is None:
            raise NotFound(marked("MQTT is turned off on this server."))
        return describe(base_url)

    @pages.get("/asyncapi.json")
    def asyncapi(request: Request) -> Response:
        content = msgspec.json.encode(document(str(request.base_url)))
        return Response(content, media_type="application/json")

    @pages.get("/docs/mqtt")
    def page(visit: Annotated[Visit, Depends(visits.known_or_not)]) -> Response:
        described = document(visit.base_url)
        return visit.page(
            "mqtt_docs.html",
            described=described,
            topics=[_topic(described, name) for name in described["channels"]],
        )

    return pages


def _topic(described: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A channel with its messages in place of the references to them."""
    channel = described["channels"][name]
    messages = [described["components"]["messages"][one] for one in channel["messages"]]
    return {
        "address": channel["address"],
        "about": channel["description"],
        "sent": name == "command",
        "messages": [
            {
                "title": message["title"],
                "examples": [_text(one["payload"]) for one in message["examples"]],
            }
            for message in messages
        ],
    }


def _text(payload: Any) -> str:
    """A payload as it goes over the wire."""
    return payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
