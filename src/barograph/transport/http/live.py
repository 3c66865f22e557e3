"""`/api/live`: server-sent events, one per committed reading."""

from fastapi import APIRouter, Request, Response

from barograph.domain.errors import BarographError, Forbidden, NotFound
from barograph.domain.user import Principal, require_device
from barograph.services.core import Core
from barograph.services.metric_patterns import matches
from barograph.services.parameters import Parameters, names, text
from barograph.transport.http.asker import principal
from barograph.transport.http.event_stream import EventStream
from barograph.transport.http.live_streams import LiveStream, LiveStreams, holder_of
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import parameter, query
from barograph.transport.http.users import Asker

_EVENTS = """Events `reading`, one per committed reading:
`{"device_id", "device", "metric", "ts", "value"}`, and `gap` `{"missed": n}` where readings are
not told, because the reader was slow or was away too long (n is null where nobody knows how many).
Every 15 seconds there is at least a comment."""
_PARAMETERS = [
    parameter("device", "Ids or keys of devices, separated by commas; by default all you may see."),
    parameter(
        "metric",
        "Names, separated by commas, in which `*` stands for any characters; by default all.",
    ),
    parameter(
        "last_event_id",
        "Go on after this event, as the header `Last-Event-ID` asks.",
        pattern="^[0-9]{0,18}$",
    ),
]


class _Filter:
    """Which series a reader asked for and may see; remembers what it found."""

    def __init__(
        self, core: Core, asker: Principal, devices: frozenset[int], metrics: tuple[str, ...]
    ) -> None:
        self._core = core
        self._asker = asker
        self._devices = devices
        self._metrics = metrics
        self._known: dict[int, bool] = {}

    def __call__(self, series: int) -> bool:
        known = self._known.get(series)
        if known is None:
            known = self._known[series] = self._look(series)
        return known

    def renew(self, asker: Principal) -> None:
        """Look again, because rights and owners may have changed."""
        self._asker = asker
        self._known.clear()

    def _look(self, series: int) -> bool:
        found = self._core.registry.series(series)
        if found is None or (self._devices and found.device_id not in self._devices):
            return False
        if self._metrics and not any(matches(pattern, found.metric) for pattern in self._metrics):
            return False
        try:
            require_device(self._asker, self._core.registry.device(found.device_id))
        except (Forbidden, NotFound):
            return False
        return True


class LiveEvents(EventStream):
    """Readings, for who may see them."""

    def __init__(
        self, request: Request, streams: LiveStreams, stream: LiveStream, wants: _Filter
    ) -> None:
        super().__init__(streams, stream)
        self._request = request
        self._wants = wants

    async def look_again(self) -> None:
        """A credential may have been revoked, and a device handed over, since the stream began."""
        try:
            self._wants.renew(await principal(self._request))
        except BarographError:
            self._stream.close()


def router(core: Core, streams: LiveStreams | None = None) -> APIRouter:
    """The stream. Who stops the server closes `streams`, so that it need not wait for readers."""
    opened = streams or LiveStreams(core.live, core.registry, core.clock, core.limits)
    routes = APIRouter(tags=["readings"])

    @routes.get(
        "/api/live",
        status_code=200,
        response_class=LiveEvents,
        responses={
            **responses(401, 403, 404, 422),
            200: {"description": _EVENTS, "content": {"text/event-stream": {}}},
        },
        openapi_extra={"parameters": _PARAMETERS},
        summary="Watch readings live",
    )
    async def watch(request: Request, asker: Asker) -> Response:
        """Server-sent events, one per committed reading, from now on."""
        given = query(request)
        given.setdefault("last_event_id", request.headers.get("last-event-id"))
        parameters = Parameters(given)
        nothing: tuple[str, ...] = ()
        refs = parameters.read("device", names(core.limits), nothing)
        metrics = parameters.read("metric", names(core.limits), nothing)
        last_id = parameters.read("last_event_id", _event_id, None)
        parameters.check()
        devices = [require_device(asker, core.registry.device(ref)) for ref in refs]
        if last_id is not None:
            await opened.reach(last_id)
        wants = _Filter(core, asker, frozenset(device.id for device in devices), metrics)
        stream = opened.open(wants, last_id, holder_of(asker, core.registry))
        return LiveEvents(request, opened, stream, wants)

    return routes


def _event_id(value: object) -> int:
    found = text(value)
    if not (found.isascii() and found.isdecimal()) or len(found) > 18:
        raise ValueError("this is the id of an event, a whole number")
    return int(found)
