"""The inventory: what devices are fitted to. All users share it; viewers only look."""

from collections.abc import Mapping
from typing import Any

from barograph.domain.asset import Asset
from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, NotFound
from barograph.domain.limits import Limits
from barograph.domain.user import Principal, require_member
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.services.audit import Audit
from barograph.services.names import KIND_CHARS_MAX, check_attributes, check_name
from barograph.services.registry import Registry


class AssetService:
    """Creates, finds, changes and removes assets; each call checks the right to do so."""

    def __init__(self, catalog: Catalog, registry: Registry, clock: Clock, limits: Limits) -> None:
        self._catalog = catalog
        self._registry = registry
        self._clock = clock
        self._limits = limits
        self._audit = Audit(catalog, registry, clock)

    def create(
        self, principal: Principal, kind: str, name: str, attributes: Mapping[str, Any]
    ) -> Asset:
        """A new asset; raises `Conflict` where the kind has one of that name, `InvalidInput`."""
        require_member(principal)
        changes = {"kind": kind, "name": name, "attributes": attributes}
        self._check(changes)
        with self._audit.along_with(principal, "asset.create", lambda _: {"kind": kind}):
            return self._catalog.assets.create(kind, name, attributes, self._clock())

    def get(self, principal: Principal, asset_id: int) -> Asset:
        """The asset; raises `NotFound`."""
        _require_person(principal)
        asset = self._catalog.assets.get(asset_id)
        if asset is None:
            raise NotFound("there is no such asset")
        return asset

    def find(self, principal: Principal, kind: str, name: str) -> Asset | None:
        """The asset of that kind and name."""
        _require_person(principal)
        return self._catalog.assets.find(kind, name)

    def update(self, principal: Principal, asset_id: int, **changes: Any) -> Asset:
        """Set some of `kind`, `name`, `attributes`; raises what `create` raises, and `NotFound`."""
        require_member(principal)
        self._check(changes)
        if not changes:
            return self.get(principal, asset_id)
        with self._audit.along_with(principal, "asset.update", lambda _: changes):
            return self._catalog.assets.update(asset_id, changes)

    def delete(self, principal: Principal, asset_id: int) -> None:
        """Remove the asset; devices fitted to it stay, fitted to nothing."""
        require_member(principal)
        asset = self.get(principal, asset_id)
        detail = {"kind": asset.kind}
        with self._registry.alone("devices"):
            with self._audit.along(principal, "asset.delete", asset.name, asset_id, detail):
                self._catalog.assets.delete(asset_id)
            for device in self._registry.devices():
                if device.asset_id == asset_id:
                    self._registry.refresh_device(device.id)

    def devices(self, principal: Principal, asset_id: int) -> list[Device]:
        """The devices fitted to the asset that `principal` may see, in order of id."""
        _require_person(principal)
        seen = self._registry.devices_for(principal)
        return [device for device in seen if device.asset_id == asset_id]

    def list(
        self,
        principal: Principal,
        *,
        kind: str | None = None,
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Asset]:
        """The assets (of that kind, whose name contains `search`), in order of id."""
        _require_person(principal)
        limit = min(limit, self._limits.page_items_max)
        return self._catalog.assets.list(kind=kind, search=search, limit=limit, offset=offset)

    def kinds(self, principal: Principal) -> Mapping[str, int]:
        """How many assets there are of each kind."""
        _require_person(principal)
        return self._catalog.assets.kinds()

    def _check(self, changes: Mapping[str, Any]) -> None:
        if "kind" in changes:
            check_name("kind", changes["kind"], KIND_CHARS_MAX)
        if "name" in changes:
            check_name("name", changes["name"])
        if "attributes" in changes:
            check_attributes(changes["attributes"], self._limits.json_depth_max)


def _require_person(principal: Principal) -> None:
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
