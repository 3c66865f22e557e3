"""The page of one device: its course over any period, its figures, its token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.errors import InvalidInput
from barograph.domain.period import Period
from barograph.domain.statistic import Statistic
from barograph.domain.time import SECOND, format_time, to_datetime
from barograph.domain.user import Principal, require_device
from barograph.services.core import Core
from barograph.services.questions import Question
from barograph.transport.web.chart import Course, courses
from barograph.transport.web.drawing import Drawing, draw
from barograph.transport.web.language import marked
from barograph.transport.web.overview import STATUS_TEXT, newest_of, status_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit
from barograph.transport.web.snippets import snippets
from barograph.transport.web.view import RANGES, View

_DRAWN_POINTS = 240
_DRAWN_WIDTH, _DRAWN_HEIGHT = 1000, 160
_READINGS = 50

_RANGE_LABELS = {
    "15m": marked("15 m"),
    "1h": marked("1 h"),
    "6h": marked("6 h"),
    "24h": marked("24 h"),
    "7d": marked("7 d"),
    "30d": marked("30 d"),
    "all": marked("all"),
}
_STATISTIC_LABELS = {
    "min": marked("min"),
    "max": marked("max"),
    "count": marked("count"),
    "sum": marked("sum"),
    "median": marked("median"),
    "mean": marked("mean"),
    "stddev": marked("std. dev."),
    "p95": marked("p95"),
    "last": marked("last"),
}
_STATISTICS = tuple(Statistic.parse(name) for name in _STATISTIC_LABELS)


@dataclass(frozen=True, slots=True)
class _Strip:
    metric: str
    drawing: Drawing | None


class _Shown:
    """One device in one view: what its page, its chart and its figures are made of."""

    def __init__(self, core: Core, visit: Visit, device_id: int) -> None:
        assert visit.principal is not None
        self.core = core
        self.visit = visit
        self.device = require_device(visit.principal, core.registry.device(device_id))
        self.series = core.registry.series_of(self.device.id)
        self.newest: list[tuple[str, Reading]] = newest_of(core, self.device)
        self.view = View.of(visit.request)
        self.metrics = self.view.shown([(name, reading.value) for name, reading in self.newest])
        self.start, self.end = self.view.period(
            core.store, list(self.series.values()), visit.now, visit.zone
        )

    @property
    def seen(self) -> int | None:
        """The time of the newest reading."""
        return max((reading.time for _, reading in self.newest), default=None)

    @property
    def may_write(self) -> bool:
        """Whether the visitor may change the device."""
        return self.visit.principal is not None and self.visit.principal.role != "viewer"

    def courses(self, **bounds: int) -> list[Course]:
        """What the chart shows."""
        chosen = {metric: self.series[metric] for metric in self.metrics}
        return courses(self.core.store, chosen, self.start, self.end, **bounds)

    def strips(self) -> list[_Strip]:
        """The chart as the server draws it."""
        return [
            _Strip(course.metric, draw(course, self.start, self.end, _DRAWN_WIDTH, _DRAWN_HEIGHT))
            for course in self.courses(points=_DRAWN_POINTS)
        ]

    def figures(self) -> dict[str, Any]:
        """The statistics and the latest readings of the period."""
        answers = self.core.analytics.series(
            [[self.series[metric]] for metric in self.metrics],
            Question(Period(self.start, self.end), statistics=_STATISTICS, zone=self.visit.zone),
        )
        return {
            "device": self.device,
            "statistic_names": list(_STATISTIC_LABELS),
            "statistic_labels": _STATISTIC_LABELS,
            "summaries": [
                (metric, {name: answer.get(name) for name in _STATISTIC_LABELS})
                for metric, answer in zip(self.metrics, answers, strict=True)
                if isinstance(answer, Mapping)
            ],
            "reading_metrics": self.metrics,
            "readings": self._readings(),
            "download": self._download,
        }

    def _readings(self) -> list[tuple[int, dict[str, float | str]]]:
        """The newest readings of the period, those of one time in one row."""
        names = {self.series[metric]: metric for metric in self.metrics}
        rows: dict[int, dict[str, float | str]] = {}
        if not names:
            return []
        for batch in self.core.store.scan(
            list(names),
            Period(self.start, self.end),
            descending=True,
            limit=_READINGS * len(names),
        ):
            for one, time, value in batch.readings():
                rows.setdefault(time, {})[names[one]] = value
        return sorted(rows.items(), reverse=True)[:_READINGS]

    def _download(self, format_: str) -> str:
        asked = [("format", format_), ("metric", ",".join(self.metrics))]
        if self.view.range != "all":
            asked += [("start_time", format_time(self.start)), ("end_time", format_time(self.end))]
        return f"/api/devices/{self.device.id}/data?{urlencode(asked)}"

    def local(self, time: int) -> str:
        """A time as a `datetime-local` field takes it."""
        return to_datetime(time - time % SECOND, self.visit.zone).strftime("%Y-%m-%dT%H:%M:%S")


def _chart(shown: _Shown) -> dict[str, Any]:
    """The chart's data: seconds since 1970 and columns per metric, null where there is a gap."""
    return {
        "start": shown.start / SECOND,
        "end": shown.end / SECOND,
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
            for course in shown.courses()
        ],
    }


def _short(values: Sequence[float | None]) -> list[float | None]:
    """To nine digits, which no screen can tell from all of them, in half as many bytes."""
    return [None if value is None else float(f"{value:.9g}") for value in values]


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The pages of single devices."""
    core = site.core
    pages = APIRouter(prefix="/ui/devices/{device_id}", **options)

    @pages.get("")
    def device_page(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> HTMLResponse:
        shown = _Shown(core, visit, device_id)
        device = shown.device
        status = status_of(shown.seen, visit.now)
        return visit.page(
            "device.html",
            **shown.figures(),
            owner=None if device.user_id is None else core.registry.user(device.user_id),
            seen=shown.seen,
            status=status,
            status_text=STATUS_TEXT[status],
            newest=shown.newest,
            view=shown.view,
            period=Period(shown.start, shown.end),
            local_start=shown.local(shown.start),
            local_end=shown.local(shown.end),
            ranges=list(RANGES),
            range_labels=_RANGE_LABELS,
            all_metrics=[metric for metric, _ in shown.newest],
            shown=shown.metrics,
            strips=shown.strips(),
            snippets=snippets(visit.base_url, device, None),
            token=None,
            may_write=shown.may_write,
        )

    @pages.get("/chart")
    def chart(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> JSONResponse:
        return JSONResponse(_chart(_Shown(core, visit, device_id)))

    @pages.get("/figures")
    def figures(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> HTMLResponse:
        return visit.page("device_figures.html", **_Shown(core, visit, device_id).figures())

    def device_of(visit: Visit, device_id: int) -> tuple[Principal, Device]:
        assert visit.principal is not None
        device = require_device(visit.principal, core.registry.device(device_id), write=True)
        return visit.principal, device

    @pages.post("/token")
    def rotate_token(
        visit: Annotated[Visit, Depends(visits.sending)], device_id: int
    ) -> HTMLResponse:
        principal, device = device_of(visit, device_id)
        token = core.devices.rotate_token(principal, device)
        return visit.page("device_rotated.html", device=device, token=token, may_write=True)

    @pages.post("/rename")
    def rename(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        name: Annotated[str, Form()] = "",
    ) -> Response:
        core.devices.update(*device_of(visit, device_id), name=name.strip())
        return RedirectResponse(f"/ui/devices/{device_id}", 303)

    @pages.post("/delete")
    def delete(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        confirm: Annotated[str, Form()] = "",
    ) -> Response:
        principal, device = device_of(visit, device_id)
        if confirm.strip() != device.key:
            raise InvalidInput.of(
                "", marked("The key was not typed as it is: nothing was deleted.")
            )
        core.devices.delete(principal, device)
        return RedirectResponse("/", 303)

    return pages
