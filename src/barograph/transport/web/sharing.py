"""With whom a device is shared."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.device import Device
from barograph.domain.errors import BarographError
from barograph.domain.user import require_owner
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/devices/{device_id}/sharing`."""
    core = site.core
    pages = APIRouter(prefix="/ui/devices/{device_id}/sharing", **options)

    def page(visit: Visit, device: Device, problem: BarographError | None = None) -> HTMLResponse:
        shares = core.sharing.list(visit.asker, device)
        return visit.page(
            "device_sharing.html",
            200 if problem is None else status_of(problem),
            device=device,
            owner=core.registry.user(device.user_id or 0),
            shares=[(share, core.registry.user(share.user_id)) for share in shares],
            problem="" if problem is None else message_of(visit, problem),
        )

    def of(visit: Visit, device_id: int) -> Device:
        return require_owner(visit.asker, core.registry.device(device_id))

    @pages.get("")
    def sharing(visit: Annotated[Visit, Depends(visits.known)], device_id: int) -> HTMLResponse:
        return page(visit, of(visit, device_id))

    @pages.post("")
    def share(
        visit: Annotated[Visit, Depends(visits.sending)],
        device_id: int,
        user: Annotated[str, Form(max_length=254)] = "",
        access: Annotated[str, Form()] = "read",
    ) -> Response:
        device = of(visit, device_id)
        try:
            core.sharing.share(visit.asker, device, user, writes=access == "write")
        except MISTAKES as error:
            return page(visit, device, error)
        return RedirectResponse(f"/ui/devices/{device_id}/sharing", 303)

    @pages.post("/{user_id}/end")
    def end(
        visit: Annotated[Visit, Depends(visits.sending)], device_id: int, user_id: int
    ) -> Response:
        core.sharing.end(visit.asker, of(visit, device_id), user_id)
        return RedirectResponse(f"/ui/devices/{device_id}/sharing", 303)

    return pages
