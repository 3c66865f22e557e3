"""A device's metrics as its pages show them: called, coloured and measured as was set."""

from dataclasses import dataclass

from barograph.domain.device import Device
from barograph.domain.metric import COLOURS, MetricSettings
from barograph.services.core import Core


@dataclass(frozen=True, slots=True)
class MetricView:
    """One metric."""

    metric: str
    series: int
    pen: int
    """The number of its colour in the style sheet."""
    settings: MetricSettings

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.settings.label or self.metric

    @property
    def unit(self) -> str:
        """Its unit, or nothing."""
        return self.settings.unit or ""


def metric_views(core: Core, device: Device) -> dict[str, MetricView]:
    """Every metric of the device by name, in the order in which they first came.

    Where no colour is set, a metric's is that of its place, whatever else is shown with it.
    """
    found = {}
    for place, (metric, series) in enumerate(core.registry.series_of(device.id).items()):
        settings = core.registry.metric_settings(series)
        found[metric] = MetricView(metric, series, settings.colour or place % COLOURS + 1, settings)
    return found
