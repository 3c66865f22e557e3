"""Which series stands for which metric of which device."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, select

from barograph.domain.device import Series
from barograph.domain.metric import LABEL_CHARS_MAX, UNIT_CHARS_MAX, UNSET, MetricSettings
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.id_counters import go_on_after, last_id
from barograph.stores.catalog.schema import METRIC_CHARS_MAX, devices, metric_settings, series
from barograph.stores.catalog.values import check_text


class SqlSeriesIndex:
    """`ports.catalog.SeriesIndex` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, device_id: int, metrics: Sequence[str]) -> Sequence[Series]:
        for metric in metrics:
            check_text("metric", metric, METRIC_CHARS_MAX)

        def work(tx: Connection) -> Sequence[Series]:
            # Under the device's lock nobody else makes its series: no id is spent on a lost race.
            rows.lock(tx, devices, "device", device_id)
            known = {one.metric for one in _of_device(tx, device_id)}
            new = [metric for metric in dict.fromkeys(metrics) if metric not in known]
            if new:
                values = [{"device_id": device_id, "metric": metric} for metric in new]
                tx.execute(series.insert(), values)
            of_metric = {one.metric: one for one in _of_device(tx, device_id)}
            if new:
                note(tx, "device", [device_id])
            return [of_metric[metric] for metric in metrics]

        return self._database.write(work)

    def of_device(self, device_id: int) -> Sequence[Series]:
        return self._database.read(lambda tx: _of_device(tx, device_id))

    def all(self) -> Iterator[Series]:
        return rows.stream(self._database, series, _series)

    def reserve(self, through: int) -> int:
        def work(tx: Connection) -> int:
            given = last_id(tx, series, self._database.backend)
            if given < through:
                go_on_after(tx, series, self._database.backend, through)
            return given

        return self._database.write(work)

    def set_settings(self, settings: Mapping[int, MetricSettings]) -> None:
        for one in settings.values():
            check_text("label", one.label or "", LABEL_CHARS_MAX)
            check_text("unit", one.unit or "", UNIT_CHARS_MAX)

        def work(tx: Connection) -> None:
            # In order of id, so that two who change the same ones do not lock each other out.
            of = [rows.lock(tx, series, "series", one).device_id for one in sorted(settings)]
            tx.execute(metric_settings.delete().where(metric_settings.c.series_id.in_(settings)))
            values = [
                {"series_id": series_id, **asdict(one)}
                for series_id, one in sorted(settings.items())
                if one != UNSET
            ]
            if values:
                tx.execute(metric_settings.insert(), values)
            note(tx, "device", of)

        self._database.write(work)

    def settings(self, device_id: int | None = None) -> Mapping[int, MetricSettings]:
        query = select(metric_settings)
        if device_id is not None:
            own = select(series.c.id).where(series.c.device_id == device_id)
            query = query.where(metric_settings.c.series_id.in_(own))
        found = self._database.read(lambda tx: tx.execute(query).all())
        return {
            row.series_id: MetricSettings(row.label, row.unit, row.colour, row.low, row.high)
            for row in found
        }


def _of_device(tx: Connection, device_id: int) -> list[Series]:
    query = select(series).where(series.c.device_id == device_id).order_by(series.c.id)
    return [_series(row) for row in tx.execute(query)]


def _series(row: Row[Any]) -> Series:
    return Series(id=row.id, device_id=row.device_id, metric=row.metric)
