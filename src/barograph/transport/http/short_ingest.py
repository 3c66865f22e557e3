"""The shortcut for small writes: a request with a handful of readings, of metrics known already.

It does what `ingest.py` does, on the same services, without a task, ASGI messages or a future per
request; what is out of the ordinary it leaves to `ingest.py`.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from barograph.codecs import Decode, decoder_for
from barograph.domain.errors import BarographError, Forbidden, NotFound, Unauthenticated
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.http.access import Access
from barograph.transport.http.deadlines import Respond
from barograph.transport.http.ingest import device_in
from barograph.transport.http.problems import problem_response

_BYTES_MAX = 16 * 1024
_JSON = b"content-type: application/json\r\n"

_PERHAPS_UNKNOWN = (Unauthenticated, Forbidden, NotFound)
"""What is refused for these may have been allowed by another process a moment ago."""

Tag = tuple[Respond, int]
"""Whom to answer, and how many readings were accepted."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The head of a small write: whose credential it has, what its body is, for which device.

    `scope` is kept where there is no `Authorization` header, and other headers decide.
    """

    authorization: bytes
    scope: Scope | None
    decode: Decode
    ref: str


class ShortIngest:
    """A `deadlines.Shortcut` for `POST /api/devices/{device}/data`."""

    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._access = access
        self._bytes_max = min(_BYTES_MAX, core.limits.body_bytes_max)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waking = False

    def prepare(self, scope: Scope) -> Prepared | None:
        """Of a small write without options, what its head says."""
        if scope["method"] != "POST" or scope["query_string"]:
            return None
        ref = device_in(scope["path"])
        if not ref:
            return None
        authorization = content_type = b""
        small = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                small = len(value) <= 5 and value.isdigit() and int(value) <= self._bytes_max
            elif name == b"authorization":
                authorization = value
            elif name == b"content-type":
                content_type = value
            elif name in {b"content-encoding", b"expect"}:
                return None
        if not small:
            return None
        try:
            decode = decoder_for(content_type)
        except BarographError:
            return None
        return Prepared(authorization, None if authorization else scope, decode, ref)

    def __call__(self, prepared: Prepared, body: bytes, respond: Respond) -> bool:
        """Store the readings of one request; see `deadlines.Shortcut`."""
        core, access = self._core, self._access
        try:
            if prepared.scope is None:
                principal = access.of_header(prepared.authorization)
            else:
                principal = access.principal(prepared.scope)
            device = require_device(principal, core.registry.device(prepared.ref), write=True)
            decoded = prepared.decode(body, now=core.clock(), zone=core.zone, limits=core.limits)
            count = len(decoded.batch)
            batch = core.ingest.known(device, decoded.batch) if count else None
            if batch is None:
                return False
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()
            core.writer.submit(batch, self._committed, (respond, count), wake=False)
        except BarographError as error:
            if core.registry.follows and isinstance(error, _PERHAPS_UNKNOWN):
                return False
            core.telemetry.http_writes_refused += 1
            _refuse([respond], error)
        else:
            if not self._waking:
                # What else this turn of the loop brings shall make one group with it.
                self._waking = True
                loop.call_soon(self._wake)
        return True

    def _wake(self) -> None:
        self._waking = False
        self._core.writer.wake()

    def _committed(self, tags: list[Any], error: BarographError | None, /) -> None:
        """Receipts of the writer (`services.writer.Receipts`), on its thread."""
        loop = self._loop
        assert loop is not None
        loop.call_soon_threadsafe(self._answer, tags, error)

    def _answer(self, tags: list[Tag], error: BarographError | None) -> None:
        if error is not None:
            self._core.telemetry.http_writes_refused += len(tags)
            _refuse([respond for respond, _ in tags], error)
            return
        self._core.telemetry.http_writes += len(tags)
        for respond, count in tags:
            respond(201, _JSON, b'{"accepted":%d}' % count)


def _refuse(everybody: list[Respond], error: BarographError) -> None:
    status, headers, body = problem_response(error)
    head = b"".join(b"%b: %b\r\n" % header for header in headers if header[0] != b"content-length")
    for respond in everybody:
        respond(status, head, body)
