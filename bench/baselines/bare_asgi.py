"""The least that uvicorn can do with a reading: read the body, parse the JSON, answer. No storage."""

import msgspec

_decode = msgspec.json.Decoder().decode
_START = {
    "type": "http.response.start",
    "status": 201,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"14")],
}
_BODY = {"type": "http.response.body", "body": b'{"accepted":1}'}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body:
        _decode(body)
    await send(_START)
    await send(_BODY)
