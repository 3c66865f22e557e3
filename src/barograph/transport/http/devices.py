"""`/api/devices`: registering, finding, changing and removing devices, and their tokens."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.device import KEY, Device
from barograph.domain.metric import COLOURS, LABEL_CHARS_MAX, UNIT_CHARS_MAX, MetricSettings
from barograph.domain.time import SECOND, format_time
from barograph.services.core import Core
from barograph.services.devices import ROUND_TIME_MAX
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import (
    LEFT_OUT,
    Attributes,
    DeviceRef,
    Id,
    Name,
    Offset,
    PageOf,
    Search,
    Time,
    page_limit,
    time_text,
)
from barograph.transport.http.users import Asker

Key = Annotated[
    str,
    Field(
        max_length=128,
        description="What the device calls itself, unique here.",
        json_schema_extra={"pattern": f"^{KEY.pattern.removesuffix(chr(92) + 'Z')}$"},
    ),
]
METRIC_CHARS_MAX = 512

RoundTime = Annotated[
    float,
    Field(
        ge=0,
        le=ROUND_TIME_MAX // SECOND,
        strict=True,
        description="Seconds to whose multiples the times of readings are rounded down; 0 does "
        "not, null does what the setting `round_time` says.",
    ),
]


class NewDevice(BaseModel):
    """A device to register."""

    name: Name
    user_id: Annotated[
        Id | None, Field(description="Its owner; by default who asks. Others: administrators.")
    ] = None
    key: Key | None = None
    asset_id: Annotated[Id | None, Field(description="What it is fitted to.")] = None
    attributes: Attributes = {}
    round_time: RoundTime | None = None


class DeviceChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name = LEFT_OUT
    user_id: Id | None = LEFT_OUT
    key: Key = LEFT_OUT
    asset_id: Id | None = LEFT_OUT
    attributes: Attributes = LEFT_OUT
    round_time: RoundTime | None = LEFT_OUT


class ConnectionBody(BaseModel):
    """Whether a device holds a connection."""

    status: Literal["online", "offline"]
    since: Time
    detail: str = Field(description="Why it is offline.")


class DeviceBody(BaseModel):
    """A device."""

    id: int
    key: str
    name: str
    user_id: int | None
    asset_id: int | None
    attributes: dict[str, Any]
    round_time: float | None
    created_time: Time
    last_seen: Time | None = Field(description="The time of its newest reading.")
    connection: ConnectionBody | None = Field(
        description="Over MQTT; null where it had none since the server started."
    )


class RegisteredDevice(DeviceBody):
    """A new device, with the token that is shown this once."""

    token: str


class MetricChange(BaseModel):
    """What to change of how a metric is shown; what is left out stays, null unsets."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)] | None = LEFT_OUT
    unit: Annotated[str, Field(min_length=1, max_length=UNIT_CHARS_MAX)] | None = LEFT_OUT
    colour: Annotated[int, Field(ge=1, le=COLOURS)] | None = LEFT_OUT
    low: float | None = LEFT_OUT
    high: float | None = LEFT_OUT


class MetricBody(BaseModel):
    """How a metric is shown."""

    label: str | None = Field(description="Its name for people.")
    unit: str | None
    colour: int | None = Field(description="A pen of the dashboard, 1 to 8.")
    low: float | None = Field(description="Values below are out of bounds.")
    high: float | None = Field(description="Values above are out of bounds.")


class DeviceToken(BaseModel):
    """A device's new token, shown this once."""

    token: str


def router(core: Core) -> APIRouter:
    """The routes below `/api/devices`, but for those of readings."""
    routes = APIRouter(prefix="/api/devices", tags=["devices"])
    devices = core.devices
    most = page_limit(core.limits)

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 404, 409, 413, 422))
    def register_device(body: NewDevice, asker: Asker) -> RegisteredDevice:
        """Register a device."""
        made, token = devices.create(
            asker,
            body.name,
            user_id=body.user_id,
            key=body.key,
            asset_id=body.asset_id,
            attributes=body.attributes,
            round_time=_microseconds(body.round_time),
        )
        return RegisteredDevice(**device_body(core, made).model_dump(), token=token)

    @routes.get("", responses=responses(401, 403, 404, 422))
    def list_devices(
        asker: Asker,
        user_id: Annotated[Id | None, Query(description="Those of this user.")] = None,
        asset_id: Annotated[Id | None, Query(description="Those fitted to this asset.")] = None,
        search: Search = "",
        limit: int = most,
        offset: Offset = 0,
    ) -> PageOf[DeviceBody]:
        """One's own devices; an administrator sees all."""
        page = devices.list(
            asker, user_id=user_id, asset_id=asset_id, search=search, limit=limit, offset=offset
        )
        return PageOf(
            items=[device_body(core, device) for device in page.items],
            total=page.total,
            limit=limit,
            offset=offset,
        )

    @routes.get("/{device}", responses=responses(401, 403, 404, 422))
    def read_device(asker: Asker, device: DeviceRef) -> DeviceBody:
        """One device."""
        return device_body(core, devices.get(asker, device))

    @routes.patch("/{device}", responses=responses(400, 401, 403, 404, 409, 413, 422))
    def change_device(body: DeviceChange, asker: Asker, device: DeviceRef) -> DeviceBody:
        """Change a device. Another owner is an administrator's to set."""
        changes = body.model_dump(exclude_unset=True)
        if "round_time" in changes:
            changes["round_time"] = _microseconds(changes["round_time"])
        changed = devices.update(asker, devices.get(asker, device), **changes)
        return device_body(core, changed)

    @routes.delete("/{device}", status_code=204, responses=responses(401, 403, 404, 422, 507))
    def delete_device(asker: Asker, device: DeviceRef) -> None:
        """Remove a device with its readings."""
        devices.delete(asker, devices.get(asker, device))

    @routes.post("/{device}/token", responses=responses(401, 403, 404, 422))
    def rotate_device_token(asker: Asker, device: DeviceRef) -> DeviceToken:
        """Give the device a new token; the old one stops working at once."""
        return DeviceToken(token=devices.rotate_token(asker, devices.get(asker, device)))

    @routes.get("/{device}/metrics", responses=responses(401, 403, 404, 422))
    def read_metrics(asker: Asker, device: DeviceRef) -> dict[str, MetricBody]:
        """How each metric of a device is shown: label, unit, colour and limits."""
        return _metric_bodies(core.metrics.of_device(asker, device))

    @routes.patch("/{device}/metrics", responses=responses(400, 401, 403, 404, 413, 422))
    def change_metrics(
        body: Annotated[
            dict[Annotated[str, Field(max_length=METRIC_CHARS_MAX)], MetricChange],
            Body(openapi_examples={"a unit": {"value": {"temperature": {"unit": "°C"}}}}),
        ],
        asker: Asker,
        device: DeviceRef,
    ) -> dict[str, MetricBody]:
        """Change how metrics of a device are shown; what is not named stays."""
        changes = {metric: change.model_dump(exclude_unset=True) for metric, change in body.items()}
        found = core.metrics.update(asker, devices.get(asker, device), changes)
        return _metric_bodies(found)

    return routes


def _metric_bodies(settings: Mapping[str, MetricSettings]) -> dict[str, MetricBody]:
    return {metric: MetricBody(**asdict(one)) for metric, one in settings.items()}


def device_body(core: Core, device: Device) -> DeviceBody:
    """The device as the API shows it."""
    newest = core.latest.of_series(core.registry.series_of(device.id).values()).values()
    presence = core.presence.of(device.id)
    return DeviceBody(
        id=device.id,
        key=device.key,
        name=device.name,
        user_id=device.user_id,
        asset_id=device.asset_id,
        attributes=dict(device.attributes),
        round_time=None if device.round_time is None else device.round_time / SECOND,
        created_time=format_time(device.created_time),
        last_seen=time_text(max((reading.time for reading in newest), default=None)),
        connection=None
        if presence is None
        else ConnectionBody(
            status=presence.status, since=format_time(presence.since), detail=presence.detail
        ),
    )


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND)
