"""The first page: the devices, their newest values and the course of the last day."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse

from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.time import DAY, MINUTE, format_time
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.web.chart import courses
from barograph.transport.web.drawing import Drawing, draw
from barograph.transport.web.language import marked
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit
from barograph.transport.web.snippets import snippets

_PAGE_DEVICES = 50
_SHOWN_METRICS = 4
_SPARK_POINTS = 96
_SPARK_WIDTH, _SPARK_HEIGHT = 160, 36

STATUS_TEXT = {
    "fresh": marked("seen within 15 minutes"),
    "quiet": marked("seen within a day"),
    "silent": marked("not seen for a day"),
    "blank": marked("no readings yet"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A device as the overview shows it."""

    device: Device
    seen: int | None
    status: str
    values: Sequence[tuple[str, Reading]]
    more: int
    spark: Drawing | None
    spark_metric: str | None

    @property
    def status_text(self) -> str:
        """What the status means, to be translated."""
        return STATUS_TEXT[self.status]


def status_of(seen: int | None, now: int) -> str:
    """How lately a device was seen: a key of `STATUS_TEXT`."""
    if seen is None:
        return "blank"
    if now - seen < 15 * MINUTE:
        return "fresh"
    return "quiet" if now - seen < DAY else "silent"


def newest_of(core: Core, device: Device) -> list[tuple[str, Reading]]:
    """The newest reading of each metric of the device, in the order in which they first came."""
    series = core.registry.series_of(device.id)
    readings = core.latest.of_series(series.values())
    return [(metric, readings[one]) for metric, one in series.items() if one in readings]


def _rows(core: Core, devices: Sequence[Device], now: int) -> list[Row]:
    newest = {device.id: newest_of(core, device) for device in devices}
    drawn: dict[str, int] = {}
    metric_of: dict[int, str] = {}
    for device in devices:
        for metric, reading in newest[device.id]:
            if not isinstance(reading.value, str):
                drawn[str(device.id)] = reading.series
                metric_of[device.id] = metric
                break
    start, end = now - DAY, now + 1
    sparks: Mapping[str, Drawing | None] = {
        course.metric: draw(course, start, end, _SPARK_WIDTH, _SPARK_HEIGHT)
        for course in courses(core.store, drawn, start, end, _SPARK_POINTS)
    }
    rows = []
    for device in devices:
        values = newest[device.id]
        seen = max((reading.time for _, reading in values), default=None)
        rows.append(
            Row(
                device,
                seen,
                status_of(seen, now),
                values[:_SHOWN_METRICS],
                max(0, len(values) - _SHOWN_METRICS),
                sparks.get(str(device.id)),
                metric_of.get(device.id),
            )
        )
    return rows


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The overview and the way a device is added."""
    core = site.core
    pages = APIRouter(**options)

    @pages.get("/")
    def overview(
        visit: Annotated[Visit, Depends(visits.known)],
        search: Annotated[str, Query(max_length=200)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        assert visit.principal is not None
        found = core.devices.list(
            visit.principal,
            search=search,
            limit=_PAGE_DEVICES,
            offset=(page - 1) * _PAGE_DEVICES,
        )

        def page_url(number: int) -> str:
            return "/?" + urlencode(
                {"search": search, "page": number} if search else {"page": number}
            )

        return visit.page(
            "overview.html",
            rows=_rows(core, found.items, visit.now),
            total=found.total,
            search=search,
            page=page,
            pages=-(-found.total // _PAGE_DEVICES),
            page_url=page_url,
            shown_metrics=_SHOWN_METRICS,
            may_create=visit.principal.role != "viewer",
            is_operator=visit.principal.kind == "operator",
        )

    @pages.get("/ui/newest")
    def newest(
        visit: Annotated[Visit, Depends(visits.known)],
        device: Annotated[list[int], Query(max_length=2 * _PAGE_DEVICES)],
    ) -> JSONResponse:
        """The newest readings of devices, in the form of the live stream's events."""
        assert visit.principal is not None
        mine = []
        for one in device:
            with suppress(NotFound):  # it was deleted or handed over while the page was open
                mine.append(require_device(visit.principal, core.registry.device(one)))
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
        assert visit.principal is not None
        try:
            device, token = core.devices.create(
                visit.principal, name=name.strip(), key=key.strip() or None
            )
        except (Conflict, InvalidInput) as error:
            # htmx puts answers of any status into the page; a browser shows them.
            status = 409 if isinstance(error, Conflict) else 422
            return visit.page(
                "device_new.html", status, problem=visit.text(str(error)), name=name, key=key
            )
        return visit.page(
            "device_added.html",
            device=device,
            token=token,
            snippets=snippets(visit.base_url, device, token),
        )

    return pages
