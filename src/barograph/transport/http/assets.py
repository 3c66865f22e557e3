"""`/api/assets`: the inventory that devices are fitted to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.asset import Asset
from barograph.domain.time import format_time
from barograph.services.core import Core
from barograph.services.names import KIND_CHARS_MAX
from barograph.transport.http.devices import DeviceBody, device_body
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import (
    LEFT_OUT,
    Attributes,
    Name,
    Offset,
    PageOf,
    PathId,
    Search,
    Time,
    page_limit,
)
from barograph.transport.http.users import Asker

Kind = Annotated[Name, Field(max_length=KIND_CHARS_MAX, description="Such as auto, room, pump.")]


class NewAsset(BaseModel):
    """An asset to take into the inventory; `name` is unique per `kind`."""

    kind: Kind
    name: Name
    attributes: Attributes = {}


class AssetChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = LEFT_OUT
    name: Name = LEFT_OUT
    attributes: Attributes = LEFT_OUT


class AssetBody(BaseModel):
    """An asset."""

    id: int
    kind: str
    name: str
    attributes: dict[str, Any]
    created_time: Time


class AssetWithDevices(AssetBody):
    """An asset and the devices fitted to it that who asks may see."""

    devices: list[DeviceBody]


def router(core: Core) -> APIRouter:
    """The routes below `/api/assets`."""
    routes = APIRouter(prefix="/api/assets", tags=["assets"])
    assets = core.assets
    most = page_limit(core.limits)

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 409, 413, 422))
    def create_asset(body: NewAsset, asker: Asker) -> AssetBody:
        """Take an asset into the inventory."""
        return _asset(assets.create(asker, body.kind, body.name, body.attributes))

    @routes.get("", responses=responses(401, 403, 422))
    def list_assets(
        asker: Asker,
        kind: Annotated[str | None, Query(max_length=KIND_CHARS_MAX)] = None,
        search: Search = "",
        limit: int = most,
        offset: Offset = 0,
    ) -> PageOf[AssetBody]:
        """The inventory, which all users share."""
        page = assets.list(asker, kind=kind, search=search, limit=limit, offset=offset)
        return PageOf(
            items=[_asset(asset) for asset in page.items],
            total=page.total,
            limit=limit,
            offset=offset,
        )

    @routes.get("/{asset_id:int}", responses=responses(401, 403, 404, 422))
    def read_asset(asker: Asker, asset_id: PathId) -> AssetWithDevices:
        """One asset, with its devices."""
        asset = assets.get(asker, asset_id)
        fitted = [device_body(core, device) for device in assets.devices(asker, asset_id)]
        return AssetWithDevices(**_asset(asset).model_dump(), devices=fitted)

    @routes.patch("/{asset_id:int}", responses=responses(400, 401, 403, 404, 409, 413, 422))
    def change_asset(body: AssetChange, asker: Asker, asset_id: PathId) -> AssetBody:
        """Change an asset."""
        changes = body.model_dump(exclude_unset=True)
        return _asset(assets.update(asker, asset_id, **changes))

    @routes.delete("/{asset_id:int}", status_code=204, responses=responses(401, 403, 404, 422))
    def delete_asset(asker: Asker, asset_id: PathId) -> None:
        """Remove an asset; its devices stay, fitted to nothing."""
        assets.delete(asker, asset_id)

    return routes


def _asset(asset: Asset) -> AssetBody:
    return AssetBody(
        id=asset.id,
        kind=asset.kind,
        name=asset.name,
        attributes=dict(asset.attributes),
        created_time=format_time(asset.created_time),
    )
