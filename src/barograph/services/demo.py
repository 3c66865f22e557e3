"""`barograph serve --demo`: a house, a weather mast and cars that do not exist, in this process.

Their readings take the way of all others behind the transports: ingest, writer, store. A week of
them is written at the start, so that every chart has something to show, and then more as time goes.
"""

import logging
from collections.abc import Mapping, Sequence
from threading import Event, Thread

from barograph.domain.batch import Batch, MetricBatch
from barograph.domain.device import Device
from barograph.domain.errors import BarographError, ConfigurationError
from barograph.domain.metric import MetricSettings
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND
from barograph.domain.user import OPERATOR
from barograph.services.core import Core
from barograph.services.simulation import SimulatedDevice, Values, household

logger = logging.getLogger(__name__)

HISTORY = 7 * DAY
_SEED = 7
_EVERY = 2 * SECOND
# How far apart the readings of the past are, by how long ago they begin: finer towards now.
_PACES = ((HISTORY, 10 * MINUTE), (DAY, MINUTE), (HOUR, 10 * SECOND))
_ROWS = 500

_SETTINGS: Mapping[str, MetricSettings] = {
    "temperature": MetricSettings(unit="°C"),
    "humidity": MetricSettings(unit="%"),
    "co2": MetricSettings("CO₂", "ppm", high=1000.0),
    "battery": MetricSettings(unit="%", low=20.0),
    "pressure": MetricSettings(unit="hPa"),
    "wind": MetricSettings(unit="m/s"),
    "wind_direction": MetricSettings("wind direction", "°"),
    "rain": MetricSettings(unit="mm"),
    "illuminance": MetricSettings(unit="lx"),
    "power": MetricSettings(unit="W"),
    "energy": MetricSettings(unit="kWh"),
    "voltage": MetricSettings(unit="V", low=207.0, high=253.0),
    "speed": MetricSettings(unit="km/h", high=90.0),
    "fuel": MetricSettings(unit="l", low=8.0),
    "odometer": MetricSettings(unit="km"),
    "engine_temperature": MetricSettings("engine temperature", "°C", high=100.0),
    "load": MetricSettings(unit="%"),
    "x": MetricSettings(unit="m"),
    "y": MetricSettings(unit="m"),
    "z": MetricSettings(unit="m"),
}
_HOUSE = ("building", "Linden Street 4", {"floors": 2, "built": 1998})
_CARS = (
    ("Aurora Kombi", {"max_speed": 195, "distance": 41_200, "handler": "Lena", "stock": "Berlin"}),
    ("Bora Van", {"max_speed": 165, "distance": 88_410, "handler": "Jonas", "stock": "Berlin"}),
    ("Mistral E", {"max_speed": 160, "distance": 12_050, "handler": "Lena", "stock": "Potsdam"}),
    ("Zephyr GT", {"max_speed": 240, "distance": 3_310, "handler": "Mira", "stock": "Potsdam"}),
)


class Demo:
    """The simulated devices, and the thread that lets them send."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._stop = Event()
        self._thread = Thread(target=self._run, name="barograph-demo", daemon=True)
        self._devices: list[tuple[Device, SimulatedDevice]] = []

    def start(self) -> None:
        """Make the devices and their past, then let them send.

        Raises `ConfigurationError` where the data directory has devices of its own: nobody should
        find invented readings among the true ones.
        """
        now = self._core.clock()
        own = [one for one in self._core.registry.devices() if not one.attributes.get("simulated")]
        if own:
            raise ConfigurationError(
                f"--demo: the data directory holds devices of its own ({own[0].key} …); leave "
                "--data-dir out for a temporary one, or name an empty one"
            )
        for simulated in household(_SEED):
            device = self._device(simulated)
            self._devices.append((device, simulated))
            self._tell_past(device, simulated, now)
            self._set(device)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what it wrote is stored."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _device(self, simulated: SimulatedDevice) -> Device:
        found = self._core.registry.device_with_key(simulated.key)
        if found is not None:  # of an earlier demo in the same directory
            return found
        device, _ = self._core.devices.create(
            OPERATOR,
            simulated.name,
            key=simulated.key,
            asset_id=self._asset_of(simulated.key),
            attributes={"simulated": True},
        )
        return device

    def _asset_of(self, key: str) -> int | None:
        if key.startswith("car-"):
            name, attributes = _CARS[(int(key.removeprefix("car-")) - 1) % len(_CARS)]
            return self._asset("auto", name, attributes)
        return self._asset(*_HOUSE) if key.startswith(("house/", "meter")) else None

    def _asset(self, kind: str, name: str, attributes: Mapping[str, object]) -> int:
        found = self._core.catalog.assets.find(kind, name)
        return (found or self._core.assets.create(OPERATOR, kind, name, attributes)).id

    def _set(self, device: Device) -> None:
        metrics = self._core.registry.series_of(device.id)
        settings = self._core.metrics.of_device(OPERATOR, device.id)
        new = {
            metrics[metric]: _SETTINGS[metric]
            for metric, found in settings.items()
            if metric in _SETTINGS and found == MetricSettings()
        }
        self._core.catalog.series.set_settings(new)
        for series, one in new.items():
            self._core.registry.put_metric_settings(series, one)

    def _tell_past(self, device: Device, simulated: SimulatedDevice, now: int) -> None:
        """Write what the device sent until now, or since an earlier demo ended."""
        seen = self._core.latest.seen(self._core.registry.series_of(device.id).values())
        since = max(now - HISTORY, -1 if seen is None else seen + 1)
        rows: list[tuple[int, Values]] = []
        for (start, step), (end, _) in zip(_PACES, (*_PACES[1:], (0, 0)), strict=True):
            moments = range(now - start, now - end, step)
            rows += [(at, simulated.read(at)) for at in moments if at >= since]
        for first in range(0, len(rows), _ROWS):
            self._core.writer.write(self._batch(device, rows[first : first + _ROWS]))

    def _batch(self, device: Device, rows: Sequence[tuple[int, Values]]) -> Batch:
        metrics = list(dict.fromkeys(metric for _, values in rows for metric in values))
        place = {metric: i for i, metric in enumerate(metrics)}
        index: list[int] = []
        times: list[int] = []
        numbers: list[float] = []
        texts: dict[int, str] = {}
        for at, values in rows:
            for metric, value in values.items():
                if isinstance(value, str):
                    texts[len(index)] = value
                index.append(place[metric])
                times.append(at)
                numbers.append(float("nan") if isinstance(value, str) else float(value))
        return self._core.ingest.resolve(device, MetricBatch(metrics, index, times, numbers, texts))

    def _run(self) -> None:
        while not self._stop.wait(_EVERY / SECOND):
            now = self._core.clock()
            for device, simulated in self._devices:
                try:
                    self._core.writer.write(
                        self._batch(device, [(now - now % SECOND, simulated.read(now))])
                    )
                except BarographError as error:  # it was deleted on a page, or the disk is full
                    logger.debug("the demo's %s could not send: %s", device.key, error)
