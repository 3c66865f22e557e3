"""The devices."""

import secrets
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from barograph.domain.device import Device
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import (
    KEY_CHARS_MAX,
    NAME_CHARS_MAX,
    assets,
    device_shares,
    devices,
    tokens,
    users,
)
from barograph.stores.catalog.tokens import check_digest, device_token
from barograph.stores.catalog.values import check_json, check_text, contains, fold, same

_FIELDS = ("key", "name", "user_id", "asset_id", "attributes", "round_time")
_UNIQUE_KEY = "uq_devices_key"
_CANDIDATES = 100


class SqlDevices:
    """`ports.catalog.Devices` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        key: str | None,
        name: str,
        user_id: int | None,
        asset_id: int | None,
        attributes: Mapping[str, Any],
        time: int,
        token_digest: bytes | None = None,
    ) -> Device:
        fields = {
            "key": _placeholder() if key is None else key,
            "name": name,
            "user_id": user_id,
            "asset_id": asset_id,
            "attributes": attributes,
        }
        values = {**_values(fields), "created_time": time}
        if token_digest is not None:
            check_digest(token_digest)

        def work(tx: Connection) -> Device:
            _require_references(tx, fields)
            row = rows.insert(tx, devices, values)
            if key is None:
                named = _values({"key": _free_key(tx, row.id)})
                row = rows.change(tx, devices, "device", row.id, named)
            if token_digest is not None:
                rows.insert(tx, tokens, device_token(row.id, token_digest, time))
            note(tx, "device", [row.id])
            return _device(row)

        # A key that is made here may be taken by another in the same moment: then make the next.
        again = {_UNIQUE_KEY} if key is None else ()
        return self._database.write(work, taken=_taken(fields), again=again)

    def get(self, device_id: int) -> Device | None:
        row = self._database.read(lambda tx: rows.first(tx, devices, devices.c.id == device_id))
        return _device(row) if row else None

    def find(self, key: str) -> Device | None:
        row = self._database.read(lambda tx: rows.first(tx, devices, same(devices.c.key, key)))
        return _device(row) if row else None

    def list(
        self,
        *,
        user_id: int | None = None,
        visible_to: int | None = None,
        asset_id: int | None = None,
        search: str = "",
        limit: int,
        offset: int = 0,
    ) -> Page[Device]:
        query = select(devices)
        if user_id is not None:
            query = query.where(devices.c.user_id == user_id)
        if visible_to is not None:
            shared = select(device_shares.c.device_id).where(device_shares.c.user_id == visible_to)
            query = query.where(or_(devices.c.user_id == visible_to, devices.c.id.in_(shared)))
        if asset_id is not None:
            query = query.where(devices.c.asset_id == asset_id)
        if search:
            query = query.where(contains(search, devices.c.name_folded, devices.c.key_folded))
        return rows.page(self._database, query, _device, devices.c.id, limit=limit, offset=offset)

    def all(self) -> Iterator[Device]:
        return rows.stream(self._database, devices, _device)

    def update(self, device_id: int, changes: Mapping[str, Any]) -> Device:
        rows.check_fields(changes, _FIELDS)
        values = _values(changes)

        def work(tx: Connection) -> Device:
            _require_references(tx, changes)
            device = _device(rows.change(tx, devices, "device", device_id, values))
            note(tx, "device", [device_id])
            return device

        return self._database.write(work, taken=_taken(changes))

    def delete(self, device_id: int) -> None:
        def work(tx: Connection) -> None:
            rows.remove(tx, devices, "device", device_id)
            note(tx, "device", [device_id])

        self._database.write(work)


def _placeholder() -> str:
    """What stands for the key until the id is known; no device may call itself so."""
    return f"~{secrets.token_hex(16)}"


def _free_key(tx: Connection, device_id: int) -> str:
    """`device-7`, or the next such that is free."""
    for start in count(device_id, _CANDIDATES):
        candidates = [f"device-{number}" for number in range(start, start + _CANDIDATES)]
        query = select(devices.c.key).where(devices.c.key.in_(candidates))
        taken = set(tx.execute(query).scalars())
        for candidate in candidates:
            if candidate not in taken:
                return candidate
    raise AssertionError("unreachable: there are fewer devices than numbers")


def _require_references(tx: Connection, fields: Mapping[str, Any]) -> None:
    rows.require(tx, users, "user", "user_id", fields.get("user_id"))
    rows.require(tx, assets, "asset", "asset_id", fields.get("asset_id"))


def _values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that follow from fields of `Device`."""
    values = dict(changes)
    if "key" in values:
        values["key_folded"] = fold(check_text("key", values["key"], KEY_CHARS_MAX))
    if "name" in values:
        values["name_folded"] = fold(check_text("name", values["name"], NAME_CHARS_MAX))
    if "attributes" in values:
        values["attributes"] = check_json("attributes", dict(values["attributes"]))
    return values


def _taken(changes: Mapping[str, Any]) -> dict[str, str]:
    return {
        _UNIQUE_KEY: f"the device key {changes.get('key')!r} is taken",
        "uq_tokens_digest": "this token exists already",
    }


def _device(row: Row[Any]) -> Device:
    return Device(
        id=row.id,
        key=row.key,
        name=row.name,
        user_id=row.user_id,
        asset_id=row.asset_id,
        attributes=row.attributes,
        round_time=row.round_time,
        created_time=row.created_time,
    )
