"""The settings of a device's metrics: labels, units, colours and limits."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.metric import (
    COLOURS,
    LABEL_CHARS_MAX,
    UNIT_CHARS_MAX,
    UNSET,
    MetricSettings,
)
from barograph.domain.user import Principal, require_device
from barograph.ports.catalog import Catalog
from barograph.services.audit import Audit
from barograph.services.names import check_name
from barograph.services.registry import Registry


class MetricService:
    """Reads and changes how metrics are shown; each call checks the right to do so."""

    def __init__(self, catalog: Catalog, registry: Registry, audit: Audit) -> None:
        self._catalog = catalog
        self._registry = registry
        self._audit = audit

    def of_device(self, principal: Principal, ref: int | str) -> dict[str, MetricSettings]:
        """The settings of each metric that the device ever sent; raises `NotFound`, `Forbidden`."""
        device = require_device(principal, self._registry.device(ref))
        return {
            metric: self._registry.metric_settings(one)
            for metric, one in self._registry.series_of(device.id).items()
        }

    def update(
        self, principal: Principal, device: Device, changes: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, MetricSettings]:
        """Set fields of `MetricSettings` by metric, all or none; what all the settings are then.

        Raises `NotFound` for a metric that the device never sent, `InvalidInput`, `Forbidden`.
        """
        require_device(principal, device, write=True)
        if principal.kind == "device":
            raise Forbidden("a device's token reads and writes readings only")
        series = self._registry.series_of(device.id)
        new: dict[int, MetricSettings] = {}
        for metric, fields in changes.items():
            if metric not in series:
                raise NotFound(f"the device has no metric {metric[:64]!r}")
            one = series[metric]
            new[one] = replace(self._registry.metric_settings(one), **fields)
            _check(metric, new[one])
        told = {metric: dict(fields) for metric, fields in changes.items()}
        with self._audit.along(principal, "device.metrics", device.name, device.id, told):
            self._catalog.series.set_settings(new)
        for one, settings in new.items():
            self._registry.put_metric_settings(one, settings)
        return {metric: self._registry.metric_settings(one) for metric, one in series.items()}


def _check(metric: str, settings: MetricSettings) -> None:
    if settings == UNSET:
        return
    for field, chars_max in (("label", LABEL_CHARS_MAX), ("unit", UNIT_CHARS_MAX)):
        text = getattr(settings, field)
        if text is not None:
            check_name(f"{metric}.{field}", text, chars_max)
    if settings.colour is not None and not 1 <= settings.colour <= COLOURS:
        raise InvalidInput.of(f"{metric}.colour", f"use a colour from 1 to {COLOURS}")
    for field in ("low", "high"):
        limit = getattr(settings, field)
        if limit is not None and not math.isfinite(limit):
            raise InvalidInput.of(f"{metric}.{field}", "use a finite number")
    if settings.low is not None and settings.high is not None and settings.low > settings.high:
        raise InvalidInput.of(f"{metric}.low", "the lower limit is above the upper one")
