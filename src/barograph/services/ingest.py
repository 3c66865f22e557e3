"""From a device's decoded message to the batch that is stored.

Turns metric names into series, rounds times where that is set, and holds the limit on metrics per
device. What a known device sends of known metrics is resolved from memory; only a new metric costs
a catalog transaction.
"""

import numpy as np

from barograph.domain.batch import Batch, MetricBatch
from barograph.domain.device import Device, metric_problem
from barograph.domain.errors import InvalidInput, Problem
from barograph.domain.limits import Limits
from barograph.services.registry import Registry


class Ingest:
    """Resolves messages; the `Writer` stores them."""

    def __init__(self, registry: Registry, limits: Limits, round_time: int = 0) -> None:
        """`round_time` (microseconds, 0 for none) rounds the times of devices without their own."""
        self._registry = registry
        self._limits = limits
        self._round_time = round_time

    def known(self, device: Device, batch: MetricBatch) -> Batch | None:
        """The batch to store, or None where a metric is new and `resolve` must be asked."""
        ids = self._registry.series_of(device.id)
        try:
            found = [ids[metric] for metric in batch.metrics]
        except KeyError:
            return None
        return self._batch(device, batch, found)

    def resolve(self, device: Device, batch: MetricBatch) -> Batch:
        """The batch to store; makes the series of new metrics, which costs a transaction.

        Raises `InvalidInput` for a metric that cannot be, or one too many; `NotFound` when the
        device is gone.
        """
        known = self._registry.series_of(device.id)
        new = [metric for metric in batch.metrics if metric not in known]
        problems = [
            Problem(metric[:64], problem)
            for metric in new
            if (problem := metric_problem(metric, self._limits.metric_bytes_max))
        ]
        if problems:
            raise InvalidInput(problems)
        if len(known) + len(new) > self._limits.device_metrics_max:
            raise InvalidInput.of(new[0][:64], self._one_too_many())
        ids = self._registry.ensure_series(device.id, new)
        return self._batch(device, batch, [ids[metric] for metric in batch.metrics])

    def fitting(self, device: Device, batch: MetricBatch) -> tuple[MetricBatch, list[Problem]]:
        """The part of `batch` that `resolve` takes, and what is wrong with the rest, by metric."""
        known = self._registry.series_of(device.id)
        room = self._limits.device_metrics_max - len(known)
        fit, problems = [], []
        for metric in batch.metrics:
            problem = None
            if metric not in known:
                problem = metric_problem(metric, self._limits.metric_bytes_max)
                if problem is None and room <= 0:
                    problem = self._one_too_many()
                room -= problem is None
            if problem is None:
                fit.append(metric)
            else:
                problems.append(Problem(metric[:64], problem))
        return (batch.of_metrics(frozenset(fit)) if problems else batch), problems

    def _one_too_many(self) -> str:
        return (
            f"a device has at most {self._limits.device_metrics_max} metrics; "
            "send a changing name as a text value instead"
        )

    def step(self, device: Device) -> int:
        """What the times of the device's readings are rounded down to (microseconds); 0: nothing."""
        return self._round_time if device.round_time is None else device.round_time

    def _batch(self, device: Device, batch: MetricBatch, ids: list[int]) -> Batch:
        step = self.step(device)
        index, times = batch.index, batch.times
        if isinstance(index, np.ndarray):
            if step:
                exact = np.asarray(times, np.int64)
                times = exact - exact % step
            return Batch(np.array(ids, np.int64)[index], times, batch.values, batch.texts)
        if step:
            times = [time - time % step for time in times]
        return Batch([ids[i] for i in index], times, batch.values, batch.texts)
