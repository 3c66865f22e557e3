"""The inventory."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select

from barograph.domain.asset import Asset
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import KIND_CHARS_MAX, NAME_CHARS_MAX, assets, devices
from barograph.stores.catalog.values import check_json, check_text, contains, fold, same

_FIELDS = ("kind", "name", "attributes")
_UNIQUE = "uq_assets_kind_name"


class SqlAssets:
    """`ports.catalog.Assets` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, kind: str, name: str, attributes: Mapping[str, Any], time: int) -> Asset:
        values = _values({"kind": kind, "name": name, "attributes": attributes})
        values["created_time"] = time
        return self._database.write(
            lambda tx: _asset(rows.insert(tx, assets, values)),
            taken={_UNIQUE: f"the {kind} {name!r} exists already"},
        )

    def get(self, asset_id: int) -> Asset | None:
        row = self._database.read(lambda tx: rows.first(tx, assets, assets.c.id == asset_id))
        return _asset(row) if row else None

    def find(self, kind: str, name: str) -> Asset | None:
        where = (same(assets.c.kind, kind), same(assets.c.name, name))
        row = self._database.read(lambda tx: rows.first(tx, assets, *where))
        return _asset(row) if row else None

    def list(
        self, *, kind: str | None = None, search: str = "", limit: int, offset: int = 0
    ) -> Page[Asset]:
        query = select(assets)
        if kind is not None:
            query = query.where(same(assets.c.kind, kind))
        if search:
            query = query.where(contains(search, assets.c.name_folded))
        return rows.page(self._database, query, _asset, assets.c.id, limit=limit, offset=offset)

    def kinds(self) -> Mapping[str, int]:
        query = select(assets.c.kind, func.count()).group_by(assets.c.kind)
        found = self._database.read(lambda tx: tx.execute(query).all())
        return dict(sorted((kind, count) for kind, count in found))

    def update(self, asset_id: int, changes: Mapping[str, Any]) -> Asset:
        rows.check_fields(changes, _FIELDS)
        values = _values(changes)
        what = repr(changes.get("name", "of this name"))
        return self._database.write(
            lambda tx: _asset(rows.change(tx, assets, "asset", asset_id, values)),
            taken={_UNIQUE: f"an asset {what} of this kind exists already"},
        )

    def delete(self, asset_id: int) -> None:
        def work(tx: Connection) -> None:
            fitted = select(devices.c.id).where(devices.c.asset_id == asset_id)
            ids = tx.execute(fitted).scalars().all()
            rows.remove(tx, assets, "asset", asset_id)
            note(tx, "device", ids)

        self._database.write(work)


def _values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that follow from fields of `Asset`."""
    values = dict(changes)
    if "kind" in values:
        check_text("kind", values["kind"], KIND_CHARS_MAX)
    if "name" in values:
        values["name_folded"] = fold(check_text("name", values["name"], NAME_CHARS_MAX))
    if "attributes" in values:
        values["attributes"] = check_json("attributes", dict(values["attributes"]))
    return values


def _asset(row: Row[Any]) -> Asset:
    return Asset(
        id=row.id,
        kind=row.kind,
        name=row.name,
        attributes=row.attributes,
        created_time=row.created_time,
    )
