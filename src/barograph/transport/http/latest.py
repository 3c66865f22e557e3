"""The newest value of every metric, answered from memory."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from barograph.domain.batch import Reading
from barograph.domain.device import Device
from barograph.domain.time import format_time
from barograph.domain.user import require_device
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import answer
from barograph.transport.http.schemas import DeviceRef, Time
from barograph.transport.http.users import Asker


class LatestValue(BaseModel):
    """The newest reading of a metric."""

    value: float | str
    ts: Time


class LatestOfDevice(BaseModel):
    """The newest readings of a device, by metric."""

    device_id: int
    key: str
    name: str
    metrics: dict[str, LatestValue]


def router(core: Core) -> APIRouter:
    """Newest values of one device, and of all."""
    routes = APIRouter(tags=["readings"])

    def newest_of(devices: Sequence[Device]) -> list[dict[str, object]]:
        series = [core.registry.series_of(device.id) for device in devices]
        newest = core.latest.of_series([one for each in series for one in each.values()])
        return [of(*one, newest) for one in zip(devices, series, strict=True)]

    def of(
        device: Device, series: Mapping[str, int], newest: Mapping[int, Reading]
    ) -> dict[str, object]:
        return {
            "device_id": device.id,
            "key": device.key,
            "name": device.name,
            "metrics": {
                metric: {"value": newest[one].value, "ts": format_time(newest[one].time)}
                for metric, one in series.items()
                if one in newest
            },
        }

    @routes.get(
        "/api/devices/{device}/latest",
        response_model=LatestOfDevice,
        responses=responses(401, 403, 404, 422),
        summary="Newest values of a device",
    )
    async def of_device(device: DeviceRef, asker: Asker) -> Response:
        """The newest value of each of the device's metrics."""
        found = require_device(asker, core.registry.device(device))
        if core.registry.follows:  # then the newest values are asked of a database
            return answer((await run_in_threadpool(newest_of, [found]))[0])
        return answer(newest_of([found])[0])

    @routes.get(
        "/api/latest",
        response_model=list[LatestOfDevice],
        responses=responses(401),
        summary="Newest values of all devices",
    )
    def of_all(asker: Asker) -> Response:
        """The newest values of every device that you may see, in order of the devices' ids."""
        return answer(newest_of(core.readings.devices(asker)))

    return routes
