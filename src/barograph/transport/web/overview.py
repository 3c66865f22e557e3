"""The first page: the devices, their newest values and the course of the last day."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse

from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.time import DAY, format_time
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.web.chart import courses
from barograph.transport.web.device_list import ORDERS, PAGE_DEVICES, Filters, Seen, device_list
from barograph.transport.web.drawing import Drawing, draw
from barograph.transport.web.metric_views import MetricView, metric_views
from barograph.transport.web.positions import default_metrics
from barograph.transport.web.session import Visits
from barograph.transport.web.site import PREFERENCE_SECONDS, Site, Visit, set_cookie
from barograph.transport.web.snippets import snippets
from barograph.transport.web.status import STATUS_LABEL, STATUS_TEXT, status_of

SHAPES = ("table", "cards")
_SHAPE_COOKIE = "barograph_shape"
_SHOWN_METRICS = 4
_SPARK_POINTS = 96
_SPARK_WIDTH, _SPARK_HEIGHT = 160, 36


@dataclass(frozen=True, slots=True)
class Row:
    """A device as the overview shows it."""

    device: Device
    seen: int | None
    status: str
    values: Sequence[tuple[MetricView, Reading]]
    more: int
    spark: Drawing | None
    spark_view: MetricView | None

    @property
    def status_text(self) -> str:
        """What the status means, to be translated."""
        return STATUS_TEXT[self.status]


def newest_of(core: Core, device: Device) -> list[tuple[str, Reading]]:
    """The newest reading of each metric of the device, in the order in which they first came."""
    series = core.registry.series_of(device.id)
    readings = core.latest.of_series(series.values())
    return [(metric, readings[one]) for metric, one in series.items() if one in readings]


def _rows(core: Core, found: Sequence[Seen], now: int) -> list[Row]:
    shown: dict[int, list[tuple[MetricView, Reading]]] = {}
    counts: dict[int, int] = {}
    drawn: dict[int, MetricView] = {}
    for device, _ in found:
        newest = dict(newest_of(core, device))
        views = metric_views(core, device)
        values = {metric: reading.value for metric, reading in newest.items()}
        metrics = default_metrics(values, _SHOWN_METRICS, _SHOWN_METRICS)[:_SHOWN_METRICS]
        shown[device.id] = [(views[metric], newest[metric]) for metric in metrics]
        counts[device.id] = len(newest)
        for metric in metrics:
            if not isinstance(values[metric], str):
                drawn[device.id] = views[metric]
                break
    start, end = now - DAY, now + 1
    sparks: Mapping[str, Drawing | None] = {
        course.metric: draw(course, start, end, _SPARK_WIDTH, _SPARK_HEIGHT)
        for course in courses(
            core.store,
            {str(device_id): view.series for device_id, view in drawn.items()},
            start,
            end,
            _SPARK_POINTS,
        )
    }
    return [
        Row(
            device,
            seen,
            status_of(seen, now, core.presence.of(device.id)),
            shown[device.id],
            counts[device.id] - len(shown[device.id]),
            sparks.get(str(device.id)),
            drawn.get(device.id),
        )
        for device, seen in found
    ]


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The overview and the way a device is added."""
    core = site.core
    pages = APIRouter(**options)

    @pages.get("/")
    def overview(visit: Annotated[Visit, Depends(visits.known)], shape: str = "") -> HTMLResponse:
        filters = Filters.of(visit.request)
        found = device_list(core, visit.asker, filters, visit.now)
        filters = replace(filters, page=found.page)
        kept = visit.request.cookies.get(_SHAPE_COOKIE, "")
        chosen = next((one for one in (shape, kept) if one in SHAPES), SHAPES[0])
        page = visit.page(
            "overview.html",
            rows=_rows(core, found.shown, visit.now),
            found=found,
            filters=filters,
            page_url=lambda n: filters.url(page=n),
            orders=ORDERS,
            shape=chosen,
            shapes=SHAPES,
            status_texts=STATUS_TEXT,
            status_label=STATUS_LABEL,
            shown_metrics=_SHOWN_METRICS,
            may_create=visit.asker.role != "viewer",
            is_operator=visit.asker.kind == "operator",
        )
        if visit.wants_piece:
            page.headers["HX-Replace-Url"] = filters.url(page=filters.page)
        if shape in SHAPES and shape != kept:
            set_cookie(visit.request, page, _SHAPE_COOKIE, shape, PREFERENCE_SECONDS)
        return page

    @pages.get("/ui/newest")
    def newest(
        visit: Annotated[Visit, Depends(visits.known)],
        device: Annotated[list[int], Query(max_length=2 * PAGE_DEVICES)],
    ) -> JSONResponse:
        """The newest readings of devices, in the form of the live stream's events."""
        mine = []
        for one in device:
            with suppress(NotFound):  # it was deleted or handed over while the page was open
                mine.append(require_device(visit.asker, core.registry.device(one)))
        return JSONResponse(
            [
                {
                    "device_id": found.id,
                    "metric": metric,
                    "value": reading.value,
                    "ts": format_time(reading.time),
                }
                for found in mine
                for metric, reading in newest_of(core, found)
            ]
        )

    @pages.get("/ui/devices/new")
    def new_device(visit: Annotated[Visit, Depends(visits.known)]) -> HTMLResponse:
        return visit.page("device_new.html", problem="", name="", key="")

    @pages.post("/ui/devices/new")
    def add_device(
        visit: Annotated[Visit, Depends(visits.sending)],
        name: Annotated[str, Form()] = "",
        key: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        try:
            device, token = core.devices.create(
                visit.asker, name=name.strip(), key=key.strip() or None
            )
        except (Conflict, InvalidInput) as error:
            # htmx puts answers of any status into the page; a browser shows them.
            status = 409 if isinstance(error, Conflict) else 422
            return visit.page(
                "device_new.html", status, problem=visit.refusal(error), name=name, key=key
            )
        return visit.page(
            "device_added.html",
            device=device,
            token=token,
            snippets=snippets(visit.base_url, device, token, site.mqtt),
        )

    return pages
