"""Which series stands for which metric of which device."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from barograph.domain.device import Series
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import METRIC_CHARS_MAX, devices, series
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
            return [of_metric[metric] for metric in metrics]

        return self._database.write(work)

    def of_device(self, device_id: int) -> Sequence[Series]:
        return self._database.read(lambda tx: _of_device(tx, device_id))

    def all(self) -> Iterator[Series]:
        return rows.stream(self._database, series, _series)


def _of_device(tx: Connection, device_id: int) -> list[Series]:
    query = select(series).where(series.c.device_id == device_id).order_by(series.c.id)
    return [_series(row) for row in tx.execute(query)]


def _series(row: Row[Any]) -> Series:
    return Series(id=row.id, device_id=row.device_id, metric=row.metric)
