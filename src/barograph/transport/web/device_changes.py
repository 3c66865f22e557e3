"""What can be changed of a device on its page: name, metrics, token, readings, and its end."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from barograph.domain.device import Device
from barograph.domain.errors import InvalidInput
from barograph.domain.user import Principal, require_device, require_owner
from barograph.transport.web.language import marked
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit
from barograph.transport.web.snippets import snippets

_FIELDS = ("label", "unit", "colour", "low", "high")


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The forms of single devices."""
    core = site.core
    pages = APIRouter(prefix="/ui/devices/{device_id}", **options)

    def device_of(visit: Visit, device_id: int) -> tuple[Principal, Device]:
        device = require_owner(visit.asker, core.registry.device(device_id))
        return visit.asker, device

    def writable(visit: Visit, device_id: int) -> tuple[Principal, Device]:
        device = require_device(visit.asker, core.registry.device(device_id), write=True)
        return visit.asker, device

    @pages.post("/token")
    def rotate_token(
        visit: Annotated[Visit, Depends(visits.sending)], device_id: int
    ) -> HTMLResponse:
        principal, device = device_of(visit, device_id)
        token = core.devices.rotate_token(principal, device)
        return visit.page(
            "device_rotated.html",
            device=device,
            token=token,
            snippets=snippets(visit.base_url, device, token, site.mqtt),
            may_change=True,
        )

    @pages.post("/rename")
    def rename(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        name: Annotated[str, Form()] = "",
    ) -> Response:
        core.devices.update(*device_of(visit, device_id), name=name.strip())
        return RedirectResponse(f"/ui/devices/{device_id}", 303)

    @pages.post("/metrics")
    def set_metrics(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        sent: Annotated[FormData, Depends(_form)],
    ) -> Response:
        principal, device = writable(visit, device_id)
        series = core.registry.series_of(device_id)
        changes = {
            metric: {
                field: _read(metric, field, str(sent[f"{field}-{one}"]))
                for field in _FIELDS
                if f"{field}-{one}" in sent
            }
            for metric, one in series.items()
        }
        core.metrics.update(principal, device, changes)
        return RedirectResponse(f"/ui/devices/{device_id}#metrics", 303)

    @pages.post("/clear")
    def clear(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        confirm: Annotated[str, Form()] = "",
        metric: Annotated[str, Form()] = "",
        end_time: Annotated[str, Form()] = "",
    ) -> Response:
        principal, device = writable(visit, device_id)
        _check_typed(confirm, device)
        if "*" in metric:  # the API would take it for all that match
            raise InvalidInput.of("metric", marked("choose one metric, or all of them"))
        given = {"metric": metric and [metric], "end_time": end_time, "tz": str(visit.zone)}
        core.readings.delete(principal, device.id, {k: v for k, v in given.items() if v})
        return RedirectResponse(f"/ui/devices/{device_id}", 303)

    @pages.post("/delete")
    def delete(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        confirm: Annotated[str, Form()] = "",
    ) -> Response:
        principal, device = device_of(visit, device_id)
        _check_typed(confirm, device)
        core.devices.delete(principal, device)
        return RedirectResponse("/", 303)

    return pages


async def _form(request: Request) -> FormData:
    return await request.form()


def _check_typed(confirm: str, device: Device) -> None:
    if confirm.strip() != device.key:
        raise InvalidInput.of("", marked("The key was not typed as it is: nothing was deleted."))


def _read(metric: str, field: str, text: str) -> str | float | int | None:
    """The field of the form as a setting; an empty one unsets it."""
    text = text.strip()
    if not text:
        return None
    if field in {"label", "unit"}:
        return text
    try:
        # People in half of the world write a comma.
        return int(text) if field == "colour" else float(text.replace(",", "."))
    except ValueError:
        raise InvalidInput.of(f"{metric}.{field}", f"{text[:32]!r} is not a number") from None
