"""Tells a dashboard that is open which of its panels have new readings."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import Request

from barograph.domain.dashboard import Dashboard
from barograph.domain.errors import BarographError, Forbidden, NotFound
from barograph.domain.user import Principal, require_device
from barograph.services.core import Core
from barograph.services.metric_patterns import matches
from barograph.transport.http.event_stream import EventStream
from barograph.transport.http.live_streams import Announced, LiveStream, LiveStreams, holder_of

PAUSE_SECONDS = 1.0
"""Between two events, however many readings come."""


class BoardStream(LiveStream):
    """Collects the panels that show series of which readings came."""

    def __init__(
        self, panels_of: Callable[[int], frozenset[int]], panels: int, holder: Hashable
    ) -> None:
        super().__init__(lambda series: bool(panels_of(series)), 0, holder)
        self.ended = asyncio.Event()
        self._panels_of = panels_of
        self._all = frozenset(range(panels))
        self._changed: frozenset[int] = frozenset()

    def offer(self, announced: Announced) -> None:
        """Note the panels of the series in the batch."""
        for series in announced.places:
            found = self._panels_of(series)
            if found:
                self._changed |= found
                self.woken.set()

    def miss(self, count: int | None) -> None:
        """Nobody knows what was missed: any panel may have changed."""
        del count
        self._changed = self._all
        self.woken.set()

    def take(self) -> bytes:
        """An event with the panels' places on the dashboard; nothing where none changed."""
        changed, self._changed = sorted(self._changed), frozenset()
        self.woken.clear()
        return b"event: changed\ndata: %b\n\n" % msgspec.json.encode(changed) if changed else b""

    def close(self) -> None:
        """End the stream."""
        super().close()
        self.ended.set()


class BoardEvents(EventStream):
    """Which panels changed, for who may see the dashboard."""

    def __init__(
        self,
        core: Core,
        streams: LiveStreams,
        request: Request,
        find: Callable[[Request], Awaitable[Dashboard]],
        dashboard: Dashboard,
        asker: Principal | None,
        revision: int | None,
    ) -> None:
        """`find` says which dashboard the request may see now, or raises.

        Without an `asker` it is one of those who come by a link. `revision` is of the dashboard that
        the page shows, which may be older than `dashboard`.
        """
        self._request = request
        self._find = find
        self._revision = dashboard.revision if revision is None else revision
        self._series = _PanelsOf(core, dashboard)
        by_link = f"links to dashboard {dashboard.id}"
        holder = by_link if asker is None else holder_of(asker, core.registry)
        stream = BoardStream(self._series, len(dashboard.panels), holder)
        self._ended = stream.ended
        super().__init__(streams, stream)
        streams.join(stream)

    async def look_again(self) -> None:
        """The link may be revoked, the dashboard arranged anew, a device handed over."""
        try:
            dashboard = await self._find(self._request)
        except BarographError:
            self._stream.close()
            return
        if dashboard.revision != self._revision:
            self._stream.close()  # the page connects again, and reads what there is now
        self._series.forget()

    async def rest(self) -> None:
        """A page that is told more often would do nothing but draw."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._ended.wait()


class _PanelsOf:
    """The places of the panels that show a series; remembers what it found."""

    def __init__(self, core: Core, dashboard: Dashboard) -> None:
        self._core = core
        self._dashboard = dashboard
        self._rights: Principal = core.dashboards.rights(dashboard)
        self._known: dict[int, frozenset[int]] = {}

    def __call__(self, series: int) -> frozenset[int]:
        found = self._known.get(series)
        if found is None:
            found = self._known[series] = self._look(series)
        return found

    def forget(self) -> None:
        self._rights = self._core.dashboards.rights(self._dashboard)
        self._known.clear()

    def _look(self, series_id: int) -> frozenset[int]:
        series = self._core.registry.series(series_id)
        if series is None:
            return frozenset()
        try:
            require_device(self._rights, self._core.registry.device(series.device_id))
        except (Forbidden, NotFound):
            return frozenset()
        return frozenset(
            place
            for place, panel in enumerate(self._dashboard.panels)
            if _shows(panel, series.device_id, series.metric)
        )


def _shows(panel: Mapping[str, Any], device_id: int, metric: str) -> bool:
    question = panel.get("question")
    if question is None or device_id not in question["devices"]:
        return False
    patterns: Sequence[str] | str = question.get("metrics") or ()
    names = patterns.split(",") if isinstance(patterns, str) else patterns
    return not names or any(matches(name.strip(), metric) for name in names)
