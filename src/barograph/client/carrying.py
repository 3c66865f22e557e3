"""What the two clients share in talking to httpx."""

import os
from ipaddress import ip_address
from typing import Any, TypedDict

import httpx

from barograph import __version__
from barograph.client.call import Call, Reply
from barograph.client.errors import NoAnswer

DEFAULT_URL = "http://localhost:8000"
TIMEOUT_SECONDS = 30.0
LIVE_SILENCE_SECONDS_MAX = 60.0
"""A live stream says something every 15 seconds; after four times that it is dead."""
_CONNECT_SECONDS = 5.0


class Settings(TypedDict):
    """What an httpx client is made with."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


def settings(url: str | None, token: str | None, timeout: float) -> Settings:
    """How to reach the server; raises `ValueError` where `url` is none.

    Without `url` or `token`, the environment's BAROGRAPH_URL and BAROGRAPH_TOKEN count.
    """
    base = url or os.environ.get("BAROGRAPH_URL") or DEFAULT_URL
    given = token or os.environ.get("BAROGRAPH_TOKEN")
    try:
        parsed = httpx.URL(base)
    except httpx.InvalidURL as error:
        raise ValueError(f"{base!r} is not a URL such as {DEFAULT_URL}: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{base!r} is not a URL such as {DEFAULT_URL}")
    headers = {"user-agent": f"barograph-client/{__version__}"}
    if given:
        headers["authorization"] = f"Bearer {given}"
    return {
        "base_url": base,
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=_CONNECT_SECONDS),
        # A proxy of the environment knows no way to this machine.
        "trust_env": not _is_this_machine(parsed.host),
    }


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def request(call: Call[Any]) -> dict[str, Any]:
    """The arguments of httpx's `request` and `stream`."""
    arguments: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": dict(call.query),
        "content": call.content,
        "headers": dict(call.headers),
    }
    if call.timeout is not None:
        arguments["timeout"] = httpx.Timeout(call.timeout, connect=_CONNECT_SECONDS)
    return arguments


def live_request(devices: str, metrics: str, last_id: str | None) -> dict[str, Any]:
    """The arguments of httpx's `stream` for live readings."""
    query = {"device": devices, "metric": metrics}
    return {
        "method": "GET",
        "url": "/api/live",
        "params": {name: value for name, value in query.items() if value},
        "headers": {"accept": "text/event-stream"}
        | ({"last-event-id": last_id} if last_id else {}),
        "timeout": httpx.Timeout(LIVE_SILENCE_SECONDS_MAX, connect=_CONNECT_SECONDS),
    }


def reply(response: httpx.Response) -> Reply:
    """The answer; its body must have been read."""
    return Reply(response.status_code, response.headers, response.content)


def no_answer(error: httpx.HTTPError, url: httpx.URL) -> NoAnswer:
    """The error for an answer that did not come."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return NoAnswer(f"no server can be reached at {url}: is it running? ({error})")
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer(f"the server at {url} did not answer in time")
    return NoAnswer(f"the connection to {url} broke: {str(error) or type(error).__name__}")
