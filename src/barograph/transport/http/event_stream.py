"""Server-sent events (the HTML standard's `EventSource`), of whatever a `LiveStream` collects."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from barograph.transport.http.live_streams import LiveStream, LiveStreams

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
}


class EventStream(Response, ABC):
    """Sends a stream's events until the reader leaves, loses its rights, or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, streams: LiveStreams, stream: LiveStream) -> None:
        """`stream` is one of `streams`, and leaves them at the end."""
        super().__init__(None, 200, _HEADERS)
        del self.headers["content-length"]
        self._streams = streams
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        del scope
        stream = self._stream
        leaving = asyncio.create_task(self._notice_leaving(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            # Who loses the connection before the first event resumes from here.
            place = b"" if stream.after is None else b"id: %d\n" % stream.after
            await _send(send, b"retry: 2000\n%b\n" % place)
            clock = asyncio.get_running_loop().time
            heartbeat = clock() + self._streams.heartbeat_seconds
            while not stream.closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(heartbeat):
                        await stream.woken.wait()
                if clock() >= heartbeat:
                    heartbeat = clock() + self._streams.heartbeat_seconds
                    await self.look_again()
                await _send(send, stream.take() or b": nothing new\n\n")
                await self.rest()
            await send({"type": "http.response.body", "body": stream.take()})
        finally:
            self._streams.leave(stream)
            leaving.cancel()

    @abstractmethod
    async def look_again(self) -> None:
        """Close the stream where the reader may hear it no more; asked now and then."""

    async def rest(self) -> None:
        """Wait between two events, where they are not to follow each other at once."""

    async def _notice_leaving(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
