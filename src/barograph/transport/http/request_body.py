"""The bodies of requests, within bounds."""

from starlette.types import Message, Receive, Scope

from barograph.domain.errors import TooLarge


async def read_body(scope: Scope, receive: Receive, bytes_max: int) -> bytes | None:
    """The whole body, or None where the sender went away; raises `TooLarge`."""
    check_length(scope, bytes_max)
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bytes_max:
            raise too_large(bytes_max)
    return b"".join(parts)


def too_large(bytes_max: int) -> TooLarge:
    """The error for a body over the limit."""
    return TooLarge(f"a request body is at most {bytes_max} bytes: send it in parts")


def check_length(scope: Scope, bytes_max: int) -> None:
    """Raises `TooLarge` for a request that says that its body is over the limit."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > bytes_max:
            raise too_large(bytes_max)


def bounded(receive: Receive, bytes_max: int) -> Receive:
    """`receive` for who reads a body of any length; raises what FastAPI lets pass, with 413."""
    left = bytes_max

    async def receive_some() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            # What FastAPI lets through where it reads a body.
            from starlette.exceptions import HTTPException  # noqa: PLC0415  # loaded with the routes

            raise HTTPException(413, str(too_large(bytes_max)))
        return message

    return receive_some
