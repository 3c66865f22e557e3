"""The inventory: cars and other assets, what they are, and what the devices fitted to them say."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.asset import Asset
from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.errors import BarographError, InvalidInput
from barograph.domain.user import require_owner
from barograph.services.core import Core
from barograph.transport.http.systems.dealer import KIND as CAR
from barograph.transport.web.language import marked
from barograph.transport.web.metric_views import MetricView, metric_views
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.overview import newest_of
from barograph.transport.web.paging import part_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of
from barograph.transport.web.status import status_of as seen_status

_PAGE = 50
# As JSON writes them: what begins with a zero or a plus is somebody's number of something, and text.
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,99})\Z", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)
_ATTRIBUTES_MAX = 400
"""Starlette reads no more than 1,000 fields of a form, of which an attribute takes two."""
_SHOWN_READINGS = 4

_LABELS = {
    "max_speed": marked("Top speed, km/h"),
    "distance": marked("Mileage, km"),
    "handler": marked("Dealer"),
    "stock": marked("Stock"),
}
"""What the attributes of the dealer's cars are called."""


@dataclass(frozen=True, slots=True)
class _Row:
    asset: Asset
    devices: Sequence[Device]
    values: Sequence[tuple[MetricView, Device, Reading]]
    seen: int | None


def _row(core: Core, asset: Asset, devices: Sequence[Device]) -> _Row:
    values = [
        (view, device, reading) for device in devices for view, reading in _newest(core, device)
    ]
    seen = max((reading.time for _, _, reading in values), default=None)
    return _Row(asset, devices, values, seen)


def _newest(core: Core, device: Device) -> list[tuple[MetricView, Reading]]:
    views = metric_views(core, device)
    return [(views[metric], reading) for metric, reading in newest_of(core, device)]


def attribute_text(value: object) -> str:
    """An attribute in a form's field."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def attribute_value(text: str, before: object) -> object:
    """What the field says: a number where it reads like one, unless it was text before."""
    text = text.strip()
    if isinstance(before, str):
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _WHOLE.match(text):
        return int(text)
    if _NUMBER.match(text) and math.isfinite(float(text)):
        return float(text)
    return text


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/inventory`."""
    core = site.core
    assets = core.assets
    pages = APIRouter(prefix="/ui/inventory", **options)

    def fitted(visit: Visit) -> dict[int, list[Device]]:
        found: dict[int, list[Device]] = {}
        for device in core.registry.devices_for(visit.asker):
            if device.asset_id is not None:
                found.setdefault(device.asset_id, []).append(device)
        return found

    def list_page(
        visit: Visit,
        kind: str = "",
        search: str = "",
        page: int = 1,
        problem: BarographError | None = None,
        given: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        kinds = assets.kinds(visit.asker)
        found = part_of(
            core,
            lambda limit, offset: assets.list(
                visit.asker, kind=kind or None, search=search, limit=limit, offset=offset
            ),
            page,
            _PAGE,
        )
        devices = fitted(visit)
        columns = list(dict.fromkeys(name for asset in found.items for name in asset.attributes))
        return visit.page(
            "inventory.html",
            200 if problem is None else status_of(problem),
            rows=[_row(core, asset, devices.get(asset.id, ())) for asset in found.items],
            columns=columns[:6] if kind else [],
            labels=_LABELS,
            attribute_text=attribute_text,
            total=found.total,
            kinds=kinds,
            all_total=sum(kinds.values()),
            kind=kind,
            car=CAR,
            search=search,
            page=found.page,
            pages=found.pages,
            page_url=lambda n: "/ui/inventory?" + urlencode(_asked(kind, search, n)),
            kind_url=lambda one: "/ui/inventory?" + urlencode(_asked(one, search, 1)),
            shown_readings=_SHOWN_READINGS,
            problem="" if problem is None else message_of(visit, problem),
            given=given or {"kind": kind, "name": ""},
        )

    @pages.get("")
    def inventory(
        visit: Annotated[Visit, Depends(visits.known)],
        kind: Annotated[str, Query(max_length=64)] = "",
        search: Annotated[str, Query(max_length=128)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        return list_page(visit, kind, search, page)

    @pages.post("")
    def add(
        visit: Annotated[Visit, Depends(visits.sending)],
        kind: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
    ) -> Response:
        kind, name = kind.strip(), name.strip()
        try:
            made = assets.create(visit.asker, kind, name, {})
        except MISTAKES as error:
            return list_page(visit, problem=error, given={"kind": kind, "name": name})
        return RedirectResponse(f"/ui/inventory/{made.id}", 303)

    def asset_page(
        visit: Visit, asset: Asset, done: str = "", problem: BarographError | None = None
    ) -> HTMLResponse:
        devices = assets.devices(visit.asker, asset.id)
        mine = [
            device
            for device in core.registry.devices_for(visit.asker)
            if device.asset_id != asset.id
            and (visit.is_admin or device.user_id == visit.asker.user_id)
        ]
        told = [(device, _newest(core, device)) for device in devices]
        return visit.page(
            "asset.html",
            200 if problem is None else status_of(problem),
            asset=asset,
            is_car=asset.kind == CAR,
            labels=_LABELS,
            attribute_text=attribute_text,
            devices=[
                (
                    device,
                    newest,
                    seen_status(
                        max((r.time for _, r in newest), default=None),
                        visit.now,
                        core.presence.of(device.id),
                    ),
                    visit.is_admin or device.user_id == visit.asker.user_id,
                )
                for device, newest in told
            ],
            fittable=mine[:500],
            done=_DONE.get(done, ""),
            problem="" if problem is None else message_of(visit, problem),
        )

    @pages.get("/{asset_id}")
    def asset(
        visit: Annotated[Visit, Depends(visits.known)], asset_id: int, done: str = ""
    ) -> HTMLResponse:
        return asset_page(visit, assets.get(visit.asker, asset_id), done)

    @pages.post("/{asset_id}")
    def change(
        visit: Annotated[Visit, Depends(visits.sending)],
        asset_id: int,
        kind: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
        attribute: Annotated[list[str], Form(max_length=_ATTRIBUTES_MAX)] = [],  # noqa: B006  # FastAPI copies it
        value: Annotated[list[str], Form(max_length=_ATTRIBUTES_MAX)] = [],  # noqa: B006  # as above
    ) -> Response:
        before = assets.get(visit.asker, asset_id)
        try:
            attributes = _attributes(before, attribute, value)
            assets.update(
                visit.asker,
                asset_id,
                kind=kind.strip(),
                name=name.strip(),
                attributes=attributes,
            )
        except MISTAKES as error:
            return asset_page(visit, before, problem=error)
        return RedirectResponse(f"/ui/inventory/{asset_id}?done=saved", 303)

    @pages.post("/{asset_id}/devices")
    def fit(
        visit: Annotated[Visit, Depends(visits.sending)],
        asset_id: int,
        device: Annotated[int, Form()],
        remove: Annotated[str, Form()] = "",
    ) -> Response:
        assets.get(visit.asker, asset_id)
        found = require_owner(visit.asker, core.registry.device(device))
        # What was meanwhile fitted to something else is not taken off that.
        if not remove or found.asset_id == asset_id:
            core.devices.update(visit.asker, found, asset_id=None if remove else asset_id)
        return RedirectResponse(f"/ui/inventory/{asset_id}#devices", 303)

    @pages.post("/{asset_id}/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], asset_id: int) -> Response:
        kind = assets.get(visit.asker, asset_id).kind
        assets.delete(visit.asker, asset_id)
        return RedirectResponse("/ui/inventory?" + urlencode({"kind": kind}), 303)

    return pages


_DONE = {"saved": marked("Saved.")}


def _asked(kind: str, search: str, page: int) -> dict[str, str | int]:
    asked = {"kind": kind, "search": search, "page": page if page > 1 else ""}
    return {name: value for name, value in asked.items() if value}


def _attributes(before: Asset, names: Sequence[str], values: Sequence[str]) -> dict[str, object]:
    """The attributes that the form's pairs say; what no field can show stays as it is."""
    kept = {
        name: value for name, value in before.attributes.items() if isinstance(value, dict | list)
    }
    told: dict[str, object] = {}
    for written, value in zip(names, values, strict=False):
        name = written.strip()
        if not name:
            if value.strip():
                raise InvalidInput.of("", marked("An attribute needs a name."))
            continue
        if name in told or name in kept:
            raise InvalidInput.of(name, marked("there are two attributes of this name"))
        told[name] = attribute_value(value, before.attributes.get(name))
    return {**told, **kept}
