"""Answers questions about the readings of a device or of a user's devices.

The shapes of the answers are those of the analytics contract in `docs/analytics.md`; what each
statistic means is in `domain.statistic`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from barograph.domain.device import Device
from barograph.domain.errors import NotFound
from barograph.domain.limits import Limits
from barograph.domain.time import DAY, TIME_MAX, format_time
from barograph.domain.user import Principal, require_device, require_user
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore
from barograph.services.metric_patterns import choose
from barograph.services.questions import Question
from barograph.services.registry import Registry
from barograph.services.slices import Report
from barograph.services.summaries import Answer, Summaries


class Analytics:
    """Questions for summaries. With `report` they run in pieces, see `services.slices`."""

    def __init__(
        self, registry: Registry, store: ReadingStore, clock: Clock, limits: Limits, zone: tzinfo
    ) -> None:
        """`zone` is the one that holds where a question names none."""
        self._registry = registry
        self._summaries = Summaries(store, clock, limits)
        self._clock = clock
        self._limits = limits
        self._zone = zone

    def question(self, given: Mapping[str, object]) -> Question:
        """The question that these parameters ask now; raises `InvalidInput`."""
        return Question.parse(given, now=self._clock(), zone=self._zone, limits=self._limits)

    def device(
        self,
        principal: Principal,
        device_ref: int | str,
        question: Question,
        report: Report | None = None,
    ) -> dict[str, Any]:
        """The summaries of one device's metrics; raises `NotFound`, `Forbidden`."""
        device = require_device(principal, self._registry.device(device_ref))
        (metrics,) = self._of_devices([device], question, report)
        return {"device_id": device.id, **_period(question), "metrics": metrics}

    def user(
        self,
        principal: Principal,
        user_id: int,
        question: Question,
        report: Report | None = None,
    ) -> dict[str, Any]:
        """The summaries over all the user's devices, or of each; raises `NotFound`, `Forbidden`."""
        self.require_user(principal, user_id)
        devices = self._registry.devices_of_user(user_id)
        answer = {"user_id": user_id, **_period(question), "device_count": len(devices)}
        if question.aggregate:
            return {**answer, "metrics": self._of_all(devices, question, report)}
        return {**answer, "devices": self._of_each(devices, question, report)}

    def devices(
        self,
        principal: Principal,
        device_refs: Iterable[int | str],
        question: Question,
        report: Report | None = None,
    ) -> list[dict[str, Any]]:
        """The summaries of each of these devices: `device_id`, `name` and `metrics`."""
        devices = [
            require_device(principal, self._registry.device(device_ref))
            for device_ref in device_refs
        ]
        return self._of_each(devices, question, report)

    def series(self, groups: Sequence[Sequence[int]], question: Question) -> list[Answer]:
        """One answer per group of series, for callers that have checked the access themselves."""
        return self._summaries.answer(question, groups)

    def require_user(self, principal: Principal, user_id: int) -> None:
        """Raise `NotFound` or `Forbidden` unless `principal` may ask about this user."""
        require_user(principal, user_id)
        if self._registry.user(user_id) is None:
            raise NotFound("there is no such user")

    def require_device(self, principal: Principal, device_ref: int | str) -> Device:
        """The device that `principal` may ask about; raises `NotFound` or `Forbidden`."""
        return require_device(principal, self._registry.device(device_ref))

    def _of_all(
        self, devices: Sequence[Device], question: Question, report: Report | None
    ) -> dict[str, Answer]:
        groups: dict[str, list[int]] = {}
        for device in devices:
            for metric, one in self._registry.series_of(device.id).items():
                groups.setdefault(metric, []).append(one)
        chosen = choose(question.metrics, groups)
        answers = self._summaries.answer(
            question, [groups.get(metric, ()) for metric in chosen], report
        )
        return dict(zip(chosen, answers, strict=True))

    def _of_each(
        self, devices: Sequence[Device], question: Question, report: Report | None
    ) -> list[dict[str, Any]]:
        answers = self._of_devices(devices, question, report)
        return [
            {"device_id": device.id, "name": device.name, "metrics": metrics}
            for device, metrics in zip(devices, answers, strict=True)
        ]

    def _of_devices(
        self, devices: Sequence[Device], question: Question, report: Report | None
    ) -> list[dict[str, Answer]]:
        asked: list[tuple[Mapping[str, int], list[str]]] = []
        for device in devices:
            series = self._registry.series_of(device.id)
            asked.append((series, choose(question.metrics, series)))
        groups = [
            (series[metric],) if metric in series else ()
            for series, chosen in asked
            for metric in chosen
        ]
        answers = iter(self._summaries.answer(question, groups, report))
        return [{metric: next(answers) for metric in chosen} for _, chosen in asked]


def _period(question: Question) -> dict[str, str | None]:
    period, zone = question.period, question.zone
    return {"start_time": _text(period.start, zone), "end_time": _text(period.end, zone)}


def _text(time: int | None, zone: tzinfo) -> str | None:
    if time is None:
        return None
    # On the last day that can be written a zone ahead of UTC would already be in the year 10000.
    return format_time(time, zone if time < TIME_MAX - DAY else UTC)
