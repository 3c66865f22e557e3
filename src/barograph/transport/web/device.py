"""The page of one device: its course over any period, and its figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from barograph.domain.batch import Reading
from barograph.domain.errors import Forbidden, InvalidInput
from barograph.domain.period import Period
from barograph.domain.time import SECOND, format_time, parse_moment, to_datetime
from barograph.domain.user import require_device, require_owner
from barograph.services.core import Core
from barograph.services.timeline import Timeline, timeline
from barograph.transport.web import figures, positions
from barograph.transport.web.chart import Course, courses, thinned
from barograph.transport.web.device_exchange import exchange, may_write
from barograph.transport.web.drawing import Drawing, draw
from barograph.transport.web.language import marked
from barograph.transport.web.metric_views import MetricView, metric_views
from barograph.transport.web.overview import newest_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit
from barograph.transport.web.snippets import snippets
from barograph.transport.web.status import STATUS_TEXT, status_of
from barograph.transport.web.view import RANGES, View

_DRAWN_POINTS = 240
_DRAWN_WIDTH, _DRAWN_HEIGHT = 1000, 160
_SLOTS = 300
_TRACK_WIDTH, _TRACK_HEIGHT, _SPACE_SIZE = 900, 420, 420
_AT_ONCE_READINGS_MAX = 300_000
"""The figures of more readings take long enough to be asked for after the page."""
_SCRIPTS_COOKIE = "barograph_scripts"
"""Set by a browser that runs scripts: it asks for the figures once it has drawn the chart."""

_RANGE_LABELS = {
    "15m": marked("15 m"),
    "1h": marked("1 h"),
    "6h": marked("6 h"),
    "24h": marked("24 h"),
    "7d": marked("7 d"),
    "30d": marked("30 d"),
    "1y": marked("1 y"),
    "all": marked("all"),
}
_PEN_NAMES = (
    marked("blue"),
    marked("orange"),
    marked("teal"),
    marked("ochre"),
    marked("violet"),
    marked("green"),
    marked("crimson"),
    marked("grey"),
)


@dataclass(frozen=True, slots=True)
class _Strip:
    """A metric's course as the server draws it: a curve of numbers, or a timeline of states."""

    view: MetricView
    drawing: Drawing | None
    timeline: Timeline | None
    states: Mapping[str, int]
    """The pen of each state."""


class _Shown:
    """One device in one view: what its page, its chart and its figures are made of."""

    def __init__(self, core: Core, visit: Visit, device_id: int) -> None:
        self.core = core
        self.visit = visit
        self.device = require_device(visit.asker, core.registry.device(device_id))
        self.newest: list[tuple[str, Reading]] = newest_of(core, self.device)
        self.views = metric_views(core, self.device)
        self.view = View.of(visit.request)
        values = {name: reading.value for name, reading in self.newest}
        self.metrics = self.view.shown(list(values.items()))
        self.chosen = [self.views[metric] for metric in self.metrics]
        self.start, self.end = self.view.period(
            core.store, [one.series for one in self.views.values()], visit.now, visit.zone
        )
        self._listed = self._readings_period()
        series = [one.series for one in self.chosen]
        self._texts = core.store.with_texts(series) if series else frozenset()

    @property
    def seen(self) -> int | None:
        """The time of the newest reading."""
        return max((reading.time for _, reading in self.newest), default=None)

    @property
    def may_write(self) -> bool:
        """Whether the visitor may send and remove readings, and say how metrics are shown."""
        return may_write(self.visit, self.device)

    @property
    def may_change(self) -> bool:
        """Whether the visitor may change the device: who only shares it may not."""
        try:
            require_owner(self.visit.asker, self.device)
        except Forbidden:
            return False
        return not self.visit.asker.reads_only

    @property
    def period(self) -> Period:
        """What is shown."""
        return Period(self.start, self.end)

    @property
    def before(self) -> Period | None:
        """The period of the same length before it; there is none before all time."""
        start = self.start - (self.end - self.start)
        return None if self.view.range == "all" or start < 0 else Period(start, self.start)

    @cached_property
    def courses(self) -> list[Course]:
        """The curves of the numbers."""
        chosen = {one.metric: one.series for one in self.chosen}
        return courses(self.core.store, chosen, self.start, self.end)

    @cached_property
    def timelines(self) -> dict[str, Timeline]:
        """The states of the metrics that have any."""
        return {
            one.metric: timeline(
                self.core.store, one.series, self.start, self.end, self.visit.now, _SLOTS
            )
            for one in self.chosen
            if one.series in self._texts
        }

    def strips(self) -> list[_Strip]:
        """The chart as the server draws it."""
        found = []
        for view, whole in zip(self.chosen, self.courses, strict=True):
            course = thinned(whole, _DRAWN_POINTS)
            states = self.timelines.get(view.metric)
            found.append(
                _Strip(
                    view,
                    None
                    if states is not None and not course.times
                    else draw(course, self.start, self.end, _DRAWN_WIDTH, _DRAWN_HEIGHT),
                    states if not course.times else None,
                    pens(states) if states is not None else {},
                )
            )
        return found

    def figures(self) -> dict[str, Any]:
        """The statistics, places and readings of the period, computed now."""
        found = figures.columns(self.core, self.visit, self.chosen, self.period, self.before)
        return {
            **self.readings(),
            "groups": figures.GROUPS,
            "columns": found,
            "before": self.before,
            "track": self._track(),
            "space": self._space(),
        }

    def readings(self) -> dict[str, Any]:
        """The newest readings of the period, or those before the ones that were shown."""
        rows = figures.readings(self.core, self.chosen, self._listed)
        return {
            "device": self.device,
            "view": self.view,
            "chosen": self.chosen,
            "readings": rows[: figures.READINGS],
            "older": rows[figures.READINGS - 1][0] if len(rows) > figures.READINGS else None,
            "later": bool(self._before_text),
            "download": self._download,
        }

    @property
    def _before_text(self) -> str:
        return self.visit.request.query_params.get("before", "")

    def _readings_period(self) -> Period:
        """The part of the period that the table of readings ends with."""
        if not self._before_text:
            return self.period
        try:
            before = parse_moment(self._before_text, self.visit.now, self.visit.zone)
        except ValueError as error:
            raise InvalidInput.of("before", str(error)) from None
        return Period(self.start, min(self.end, max(before, self.start + 1)))

    def _track(self) -> positions.Track | None:
        found = positions.places(self.views)
        if found is None:
            return None
        series = [self.views[metric].series for metric in found]
        points = positions.sample(self.core.store, series, self.start, self.end)
        return positions.track(points, _TRACK_WIDTH, _TRACK_HEIGHT)

    def _space(self) -> positions.Space | None:
        found = positions.axes(self.views)
        if found is None:
            return None
        series = [self.views[metric].series for metric in found]
        points = positions.sample(self.core.store, series, self.start, self.end)
        return positions.space(points, _SPACE_SIZE)

    def _download(self, format_: str) -> str:
        asked = [("format", format_), ("metric", ",".join(self.metrics))]
        if self.view.range != "all":
            asked += [("start_time", format_time(self.start)), ("end_time", format_time(self.end))]
        return f"/api/devices/{self.device.id}/data?{urlencode(asked)}"

    def local(self, time: int) -> str:
        """A time as a `datetime-local` field takes it."""
        return to_datetime(time - time % SECOND, self.visit.zone).strftime("%Y-%m-%dT%H:%M:%S")

    def around(self) -> dict[str, str]:
        """The addresses of the periods before, after and around this one."""
        length = self.end - self.start
        return {
            "earlier": self.view.between(self.start - length, self.start),
            "later": self.view.between(self.end, self.end + length),
            "wider": self.view.between(self.start - length // 2, self.end + length // 2),
        }

    def chart(self) -> bytes:
        """The chart's data in JSON: seconds since 1970, columns per metric, null for a gap."""
        return msgspec.json.encode(self._chart())

    def _chart(self) -> dict[str, Any]:
        return {
            "start": self.start / SECOND,
            "end": self.end / SECOND,
            "metrics": [
                {
                    "metric": course.metric,
                    "times": [time / SECOND for time in course.times],
                    "mean": _short(course.mean),
                    **(
                        {"low": _short(course.low), "high": _short(course.high)}
                        if course.gathered
                        else {}
                    ),
                }
                for course in self.courses
                if course.times or course.metric not in self.timelines
            ],
            "states": [
                {
                    "metric": metric,
                    "pens": pens(found),
                    "spans": [
                        [span.start / SECOND, span.end / SECOND, span.state] for span in found.spans
                    ],
                }
                for metric, found in self.timelines.items()
            ],
        }


def pens(found: Timeline) -> dict[str, int]:
    """The colour of each state: the longest-lasting one first.

    There are as many pens as metrics have; 0 stands for the states without one.
    """
    longest = sorted(found.lasted, key=lambda state: -found.lasted[state])[:8]
    return {state: longest.index(state) + 1 if state in longest else 0 for state in found.lasted}


def _as_text(json: bytes) -> Markup:
    """JSON as the content of an element, where quotes need no escaping."""
    return Markup(json.decode().replace("&", "&amp;").replace("<", "&lt;"))  # noqa: S704 - done here


def _short(values: Sequence[float | None]) -> msgspec.Raw:
    """A list in JSON, to nine digits, which no screen can tell from all of them."""
    texts = ["null" if value is None else f"{value:.9g}" for value in values]
    return msgspec.Raw(f"[{','.join(texts)}]".encode())


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The pages of single devices."""
    core = site.core
    pages = APIRouter(prefix="/ui/devices/{device_id}", **options)

    @pages.get("")
    def device_page(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> Response:
        shown = _Shown(core, visit, device_id)
        device = shown.device
        status = status_of(shown.seen, visit.now, core.presence.of(device.id))
        few = sum(course.count for course in shown.courses) <= _AT_ONCE_READINGS_MAX
        at_once = few and _SCRIPTS_COOKIE not in visit.request.cookies
        page = partial(visit.page_in_two, more=shown.figures) if at_once else visit.page
        return page(
            "device.html",
            **exchange(core, visit, device),
            view=shown.view,
            at_once=at_once,
            owner=None if device.user_id is None else core.registry.user(device.user_id),
            asset=None if device.asset_id is None else core.catalog.assets.get(device.asset_id),
            seen=shown.seen,
            status=status,
            status_text=STATUS_TEXT[status],
            status_texts=STATUS_TEXT,
            newest=shown.newest,
            views=shown.views,
            period=shown.period,
            local_start=shown.local(shown.start),
            local_end=shown.local(shown.end),
            pen_names=_PEN_NAMES,
            ranges=list(RANGES),
            range_labels=_RANGE_LABELS,
            around=shown.around(),
            shown=shown.metrics,
            strips=shown.strips(),
            # Scripts draw them without asking once more.
            course=_as_text(shown.chart()),
            snippets=snippets(visit.base_url, device, None, site.mqtt),
            token=None,
            may_write=shown.may_write,
            may_change=shown.may_change,
            presence=core.presence.of(device.id),
        )

    @pages.get("/chart")
    def chart(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> Response:
        return Response(_Shown(core, visit, device_id).chart(), media_type="application/json")

    @pages.get("/figures")
    def figures_page(
        visit: Annotated[Visit, Depends(visits.known)], device_id: int
    ) -> HTMLResponse:
        template = "device_figures.html" if visit.wants_piece else "device_figures_page.html"
        return visit.page(template, **_Shown(core, visit, device_id).figures())

    @pages.get("/readings")
    def readings(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> HTMLResponse:
        return visit.page("device_readings.html", **_Shown(core, visit, device_id).readings())

    return pages
