"""The summary over all of a user's devices and, beside it, of each: at once or as a job."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from barograph.domain.errors import InvalidInput
from barograph.domain.user import Principal
from barograph.services.analytics import Analytics
from barograph.services.analytics_job import AnalyticsJob
from barograph.services.questions import Question
from barograph.services.slices import Report


class UserStatistics:
    """A kind of job (`services.jobs.Kind`) whose question names a `user`."""

    KIND: Final = "user statistics"

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics
        self._job = AnalyticsJob(analytics)

    def answer(
        self, principal: Principal, user_id: int, question: Question, report: Report | None = None
    ) -> dict[str, Any]:
        """`metrics` of the whole and `devices`, each with its own; raises what `Analytics` does."""

        def half(done: float) -> Report | None:
            return None if report is None else lambda part: report(done + part / 2)

        whole = self._analytics.user(
            principal, user_id, replace(question, aggregate=True), half(0.0)
        )
        each = self._analytics.user(
            principal, user_id, replace(question, aggregate=False), half(0.5)
        )
        return {**whole, "devices": each["devices"]}

    def check(self, principal: Principal, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The question with absolute times."""
        if given.get("user") is None:
            raise InvalidInput.of("user", "this is required")
        return self._job.check(principal, given)

    def run(self, principal: Principal, question: Mapping[str, Any], report: Report) -> Any:
        """The answer, worked out in pieces."""
        asked = self._analytics.question(question)
        return self.answer(principal, question["user"], asked, report)
