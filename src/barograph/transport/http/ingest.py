"""Readings in over HTTP: a bare ASGI application, for it takes most of a server's requests.

The way of a request stays on the event loop: credential, device and series are looked up in
memory, the body is decoded in place, the batch goes to the writer's next group, and the answer
leaves when that group is committed. Only a new metric (a catalog transaction) and a large body (a
long decode) go to a thread.
"""

import asyncio
import logging
from contextlib import suppress
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from barograph.codecs import Decoded, decoder_for, decompress
from barograph.codecs.decoded import PROBLEMS_MAX
from barograph.domain.batch import Batch
from barograph.domain.device import Device
from barograph.domain.errors import (
    BarographError,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.services.registry import Registry
from barograph.transport.http.access import Access
from barograph.transport.http.paths import with_slashes
from barograph.transport.http.problems import defect, problem_response
from barograph.transport.http.request_body import read_body

logger = logging.getLogger(__name__)

_PREFIX = "/api/devices/"
_SUFFIX = "/data"
_INLINE_BYTES_MAX = 512 * 1024
"""Larger bodies are decoded on a thread, so that the loop is not held for tens of milliseconds."""
_ENCODER = msgspec.json.Encoder()
_JSON = (b"content-type", b"application/json")


class LoopReceipts:
    """Brings the writer's receipts to an event loop: one hop per group, not per request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, tags: list[asyncio.Future[None]], error: BarographError | None, /) -> None:
        """See `services.writer.Receipts`."""
        self._loop.call_soon_threadsafe(_settle, tags, error)


def _settle(tags: list[asyncio.Future[None]], error: BarographError | None) -> None:
    for future in tags:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


def device_in(path: str) -> str | None:
    """What `path` names the device by, where it is the path of readings."""
    if path.startswith(_PREFIX) and path.endswith(_SUFFIX):
        return with_slashes(path[len(_PREFIX) : -len(_SUFFIX)]) or None
    return None


async def catch_up(registry: Registry) -> None:
    """Know what other processes have acknowledged before this request came, if that can be known."""
    # While the catalog is away we go on with what we know: it has nothing new to say either.
    with suppress(Unavailable):
        await asyncio.to_thread(registry.catch_up)


class HttpIngest:
    """`POST /api/devices/{device}/data`."""

    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._access = access
        self._receipts: LoopReceipts | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send, ref: str) -> None:
        """Answer one request for the device that `ref` names."""
        core = self._core
        try:
            device = await self._device(scope, ref)
            body = await read_body(scope, receive, core.limits.body_bytes_max)
            if body is None:
                return
            status, answer = 201, await self.store(device, scope, body)
            headers = [_JSON, (b"content-length", b"%d" % len(answer))]
            core.telemetry.http_writes += 1
        except BarographError as error:
            core.telemetry.http_writes_refused += 1
            status, headers, answer = problem_response(error)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            status, headers, answer = defect()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _device(self, scope: Scope, ref: str) -> Device:
        registry = self._core.registry
        try:
            return require_device(self._access.principal(scope), registry.device(ref), write=True)
        except (Unauthenticated, Forbidden, NotFound):
            if not registry.follows:
                raise
        # What is not known here may have been made by another process a moment ago.
        await catch_up(registry)
        return require_device(self._access.principal(scope), registry.device(ref), write=True)

    async def store(self, device: Device, scope: Scope, body: bytes) -> bytes:
        """Decode and store `body`; the answer's JSON, after the commit."""
        content_type, encoding = b"", b""
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-encoding":
                encoding = value
        query = scope["query_string"]
        partial = bool(query) and _flag(query, "partial")
        if encoding or len(body) > _INLINE_BYTES_MAX:
            decoded = await asyncio.to_thread(
                self._decode, body, content_type, encoding, partial=partial
            )
        else:
            decoded = self._decode(body, content_type, b"", partial=partial)
        good, problems = decoded.batch, decoded.problems
        batch = self._core.ingest.known(device, good) if len(good) else None
        if batch is None and len(good):
            if partial:
                good, unfit = await asyncio.to_thread(self._core.ingest.fitting, device, good)
                problems = (*problems, *unfit)[:PROBLEMS_MAX]
            if len(good):
                batch = await asyncio.to_thread(self._core.ingest.resolve, device, good)
        if batch is not None:
            await self.commit(batch)
        if not partial:
            return b'{"accepted":%d}' % len(good)
        return _ENCODER.encode(
            {
                "accepted": len(good),
                "errors": [{"at": p.at, "message": p.message} for p in problems],
            }
        )

    async def commit(self, batch: Batch) -> None:
        """Hand the batch to the writer and wait for its group's commit."""
        receipts = self._receipts
        if receipts is None:
            receipts = self._receipts = LoopReceipts(asyncio.get_running_loop())
        future = asyncio.get_running_loop().create_future()
        self._core.writer.submit(batch, receipts, future)
        await future

    def _decode(
        self, body: bytes, content_type: bytes, encoding: bytes, *, partial: bool
    ) -> Decoded:
        core = self._core
        if encoding:
            body = decompress(body, encoding, core.limits)
        return decoder_for(content_type)(
            body, now=core.clock(), zone=core.zone, limits=core.limits, partial=partial
        )


def _flag(query: bytes, name: str) -> bool:
    try:
        given = parse_qs(query.decode(), keep_blank_values=True, errors="strict").get(name)
    except UnicodeDecodeError:
        raise MalformedInput("the query is not UTF-8") from None
    if given is None:
        return False
    if given[-1].lower() in {"true", "1", "yes", "on", ""}:
        return True
    if given[-1].lower() in {"false", "0", "no", "off"}:
        return False
    raise InvalidInput.of(name, f"{given[-1][:32]!r} is neither true nor false")
