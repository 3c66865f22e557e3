"""Which devices the overview shows: those that match, in an order, some at a time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from barograph.domain.device import Device
from barograph.domain.errors import InvalidInput
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.transport.web.language import marked
from barograph.transport.web.status import STATUS_TEXT, status_of

PAGE_DEVICES = 50
SEARCH_CHARS_MAX = 200
_NOBODY = "0"

Seen = tuple[Device, int | None]
"""A device, and the time of its newest reading."""

ORDERS: Mapping[str, str] = {
    "added": marked("as added"),
    "name": marked("by name"),
    "seen": marked("last seen first"),
    "missing": marked("longest unseen first"),
}
_KEYS: Mapping[str, Callable[[Seen], Any]] = {
    "added": lambda one: one[0].id,
    "name": lambda one: (one[0].name.casefold(), one[0].id),
    "seen": lambda one: (-(one[1] or 0), one[0].id),
    "missing": lambda one: (one[1] or 0, one[0].id),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The choice as it stands in the page's address."""

    search: str = ""
    user: str = ""
    asset: str = ""
    status: str = ""
    order: str = "added"
    page: int = 1

    @classmethod
    def of(cls, request: Request) -> "Filters":
        """Read the address; raises `InvalidInput`."""
        query = request.query_params
        found = cls(
            query.get("search", "")[:SEARCH_CHARS_MAX],
            _id("user", query.get("user", "")),
            _id("asset", query.get("asset", "")),
            query.get("status", ""),
            query.get("order", "added"),
            int(_id("page", query.get("page", "1")) or 1),
        )
        if found.status and found.status not in STATUS_TEXT:
            raise InvalidInput.of("status", f"use one of {', '.join(STATUS_TEXT)}")
        if found.order not in ORDERS:
            raise InvalidInput.of("order", f"use one of {', '.join(ORDERS)}")
        return found

    @property
    def narrow(self) -> bool:
        """Whether any device may be left out."""
        return bool(self.search or self.user or self.asset or self.status)

    def url(self, **changes: str | int) -> str:
        """The address of this choice with some of it changed; the first page of it by default."""
        usual = {"search": "", "user": "", "asset": "", "status": "", "order": "added", "page": 1}
        chosen = {name: getattr(self, name) for name in usual} | {"page": 1} | changes
        fields = {name: value for name, value in chosen.items() if value != usual[name]}
        return "/?" + urlencode(fields) if fields else "/"


def _id(at: str, text: str) -> str:
    if text and not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidInput.of(at, "use a whole number")
    return text


@dataclass(frozen=True, slots=True)
class DeviceList:
    """What was found."""

    shown: Sequence[Seen]
    """Those of the page."""
    total: int
    """How many match."""
    all: int
    """How many there are for the visitor, matching or not."""
    counts: Mapping[str, int]
    """How many match but for the status, by status."""
    owners: Mapping[int, str]
    """The users with devices, for those who see other users' devices."""
    assets: Mapping[int, str]
    """What devices are fitted to."""
    page: int
    """Which page it is: the last one where there are not so many as were asked for."""
    pages: int
    """How many pages the matching ones fill."""


def device_list(core: Core, principal: Principal, filters: Filters, now: int) -> DeviceList:
    """The devices that `principal` may see and that match.

    All of them are looked through, in memory: of three thousand that takes a few milliseconds.
    """
    devices = core.registry.devices_for(principal)
    part = filters.search.casefold()
    matching: list[tuple[Seen, str]] = []
    for device in devices:
        if filters.user and str(device.user_id or _NOBODY) != filters.user:
            continue
        if filters.asset and str(device.asset_id or _NOBODY) != filters.asset:
            continue
        if part and part not in device.name.casefold() and part not in device.key.casefold():
            continue
        seen = core.latest.seen(core.registry.series_of(device.id).values())
        matching.append(((device, seen), status_of(seen, now, core.presence.of(device.id))))
    counts = Counter(status for _, status in matching)
    chosen = [one for one, status in matching if filters.status in {"", status}]
    chosen.sort(key=_KEYS[filters.order])
    pages = -(-len(chosen) // PAGE_DEVICES)
    page = max(1, min(filters.page, pages))
    first = (page - 1) * PAGE_DEVICES
    return DeviceList(
        chosen[first : first + PAGE_DEVICES],
        len(chosen),
        len(devices),
        counts,
        _owners(core, principal, devices),
        _assets(core, devices),
        page,
        pages,
    )


def _owners(core: Core, principal: Principal, devices: Sequence[Device]) -> dict[int, str]:
    ids = {device.user_id for device in devices if device.user_id is not None}
    if not principal.is_admin and ids <= {principal.user_id}:
        return {}
    users = [user for one in ids if (user := core.registry.user(one)) is not None]
    return {user.id: user.username for user in sorted(users, key=lambda user: user.username)}


def _assets(core: Core, devices: Sequence[Device]) -> dict[int, str]:
    ids = {device.asset_id for device in devices if device.asset_id is not None}
    if not ids:
        return {}
    known = core.catalog.assets.list(limit=core.limits.page_items_max).items
    found = sorted((one for one in known if one.id in ids), key=lambda one: (one.kind, one.name))
    return {one.id: f"{one.name} · {one.kind}" for one in found}
