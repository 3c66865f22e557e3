"""Devices: registering, finding, changing and removing them, and their tokens."""

from collections.abc import Mapping
from typing import Any

from barograph.domain.device import Device, check_key
from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.limits import Limits
from barograph.domain.time import DAY
from barograph.domain.user import (
    Principal,
    require_device,
    require_member,
    require_owner,
    require_user,
)
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.ports.reading_store import ReadingStore
from barograph.services.audit import Audit
from barograph.services.names import check_attributes, check_name
from barograph.services.registry import Registry
from barograph.services.tokens import digest_of, new_token

ROUND_TIME_MAX = DAY

_NO_ATTRIBUTES: Mapping[str, Any] = {}
_IDS_SKIPPED_MAX = 1_000


class DeviceService:
    """Creates, finds, changes and removes devices; each call checks the right to do so."""

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        store: ReadingStore,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._store = store
        self._clock = clock
        self._limits = limits
        self._audit = Audit(catalog, registry, clock)

    def create(
        self,
        principal: Principal,
        name: str,
        *,
        user_id: int | None = None,
        key: str | None = None,
        asset_id: int | None = None,
        attributes: Mapping[str, Any] = _NO_ATTRIBUTES,
        round_time: int | None = None,
    ) -> tuple[Device, str]:
        """A new device and the text of its token, which nobody can ask for again.

        It belongs to `user_id`, which only an administrator may choose, or else to who asks (for
        the local operator, to nobody). Raises `Conflict` for a taken key, `NotFound` for a user or
        asset that is not there for who asks, `InvalidInput`, `Forbidden`. A key below or above that
        of another owner's device is a `Conflict`, too: to whom their topics belong would change.
        """
        require_member(principal)
        owner = principal.user_id if user_id is None else user_id
        if owner is not None:
            require_user(principal, owner)
        self._check(
            {
                "name": name,
                "user_id": owner,
                "asset_id": asset_id,
                "attributes": attributes,
                "round_time": round_time,
            }
        )
        if key is not None:
            check_key(key)
        text = new_token()
        with self._registry.alone("devices"):
            self._refuse_ambiguous(key, owner)
            device = self._create(
                principal, key, name, owner, asset_id, attributes, digest_of(text)
            )
            if round_time is not None:
                device = self._catalog.devices.update(device.id, {"round_time": round_time})
            self._registry.put_device(device)
            token = self._catalog.tokens.find(digest_of(text))
            if token is not None:
                self._registry.put_token(token)
        return device, text

    def _create(
        self,
        principal: Principal,
        key: str | None,
        name: str,
        owner: int | None,
        asset_id: int | None,
        attributes: Mapping[str, Any],
        digest: bytes,
    ) -> Device:
        # Where a device is named by id or key, digits mean the id first. So a new device must not
        # get an id that another one uses as its key: that one's readings would go astray. Nor one
        # below which another owner's keys lie, which would be among its topics.
        for _ in range(_IDS_SKIPPED_MAX):
            with self._audit.along_with(principal, "device.create", lambda one: {"key": one.key}):
                device = self._catalog.devices.create(
                    key, name, owner, asset_id, attributes, self._clock(), digest
                )
            namesake = self._registry.device_with_key(str(device.id))
            if (namesake is None or namesake.id == device.id) and not (
                self._is_among_strangers(str(device.id), device)
                or self._is_among_strangers(device.key, device)
            ):
                return device
            with self._audit.along(principal, "device.delete", device.name, device.id):
                self._catalog.devices.delete(device.id)
        raise Conflict("too many devices use the next ids as their keys: try again")

    def _is_among_strangers(self, ref: str, device: Device) -> bool:
        nested = self._registry.nested_with(ref)
        return any(one.user_id != device.user_id and one.id != device.id for one in nested)

    def _refuse_ambiguous(self, key: str | None, owner: int | None, device_id: int = 0) -> None:
        if key is not None and key.isdigit() and len(key) < 19:
            holder = self._registry.device(int(key))
            if holder is not None and holder.id != device_id:
                raise Conflict(f"the key {key!r} is the id of another device: choose another key")
        for one in () if key is None else self._registry.nested_with(key):
            if one.user_id != owner and one.id != device_id:
                raise Conflict(
                    f"the key {key!r} lies below or above that of another user's device, and so "
                    "would its topics: choose another key"
                )

    def get(self, principal: Principal, ref: int | str) -> Device:
        """The device with this id or key; raises `NotFound` for another user's, `Forbidden`."""
        return require_device(principal, self._registry.device(ref))

    def find_or_create(self, principal: Principal, key: str) -> Device:
        """The device with this id or key to write to, made for who asks where there is none.

        Raises `NotFound` where it is another user's, `Forbidden`, `InvalidInput`.
        """
        device = self._registry.device(key)
        if device is None:
            require_member(principal)
            check_key(key)
            try:
                return self.create(principal, key, key=key)[0]
            except Conflict as conflict:  # or somebody else was faster, perhaps in another process
                with self._registry.alone("devices"):
                    device = self._catalog.devices.find(key)
                    if device is None:
                        raise conflict from None
                    self._registry.put_device(device)
                device = self._registry.device_with_key(key)
        return require_device(principal, device, write=True)

    def list(
        self,
        principal: Principal,
        *,
        user_id: int | None = None,
        asset_id: int | None = None,
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Device]:
        """The devices that `principal` may see, in order of id; an administrator sees all.

        Those of `user_id` are the ones that this user owns.
        """
        if principal.kind == "device":
            raise Forbidden("a device's token reads and writes its own device only")
        if user_id is not None:
            require_user(principal, user_id)
        return self._catalog.devices.list(
            user_id=user_id,
            visible_to=None if principal.is_admin else principal.user_id,
            asset_id=asset_id,
            search=search,
            limit=min(limit, self._limits.page_items_max),
            offset=offset,
        )

    def update(self, principal: Principal, device: Device, **changes: Any) -> Device:
        """Set some of `name`, `key`, `user_id`, `asset_id`, `attributes`, `round_time`.

        Another owner is an administrator's to set. Raises what `create` raises.
        """
        require_owner(principal, device)
        if changes.get("user_id", device.user_id) != device.user_id and not principal.is_admin:
            raise Forbidden("handing a device over needs an administrator")
        self._check(changes)
        if not changes:
            return device
        if "key" in changes:
            check_key(changes["key"])
        with self._registry.alone("devices"):
            owner = changes.get("user_id", device.user_id)
            self._refuse_ambiguous(changes.get("key"), owner, device.id)
            with self._audit.along_with(principal, "device.update", lambda _: changes):
                changed = self._catalog.devices.update(device.id, changes)
            self._registry.put_device(changed)
        return changed

    def delete(self, principal: Principal, device: Device) -> int:
        """Remove the device with its readings, tokens and series; how many readings there were.

        A reading that arrives between the two steps stays in a series that nobody can name any
        more, for ids are not used again.
        """
        require_owner(principal, device)
        series = list(self._registry.series_of(device.id).values())
        removed = self._store.delete(series) if series else 0
        detail = {"key": device.key, "readings": removed}
        with self._registry.alone("devices"):
            with self._audit.along(principal, "device.delete", device.name, device.id, detail):
                self._catalog.devices.delete(device.id)
            self._registry.forget_device(device.id)
        return removed

    def rotate_token(self, principal: Principal, device: Device) -> str:
        """Replace the device's tokens by a new one, whose text is returned."""
        require_owner(principal, device)
        text = new_token()
        with self._registry.alone("devices"):
            with self._audit.along(principal, "device.token", device.name, device.id):
                token = self._catalog.tokens.rotate_device(
                    device.id, digest_of(text), self._clock()
                )
            self._registry.drop_device_tokens(device.id)
            self._registry.put_token(token)
        return text

    def _check(self, changes: Mapping[str, Any]) -> None:
        if "name" in changes:
            check_name("name", changes["name"])
        user_id, asset_id = changes.get("user_id"), changes.get("asset_id")
        if user_id is not None and self._registry.user(user_id) is None:
            raise NotFound(f"there is no user {user_id}")
        if asset_id is not None and self._catalog.assets.get(asset_id) is None:
            raise NotFound(f"there is no asset {asset_id}")
        if "attributes" in changes:
            check_attributes(changes["attributes"], self._limits.json_depth_max)
        round_time = changes.get("round_time")
        if round_time is not None and not 0 <= round_time <= ROUND_TIME_MAX:
            raise InvalidInput.of("round_time", "times are rounded to at most a day")
