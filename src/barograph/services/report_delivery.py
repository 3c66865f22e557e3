"""Sends reports to where their schedules say: the kind of job that does, and what asks for it.

A delivery that fails is tried again, each time after a longer pause. One whose job died is due
again, too, so that somebody may get a report twice; both carry the same id.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from barograph.domain.errors import (
    BarographError,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from barograph.domain.limits import Limits
from barograph.domain.report import Delivery, DeliveryStatus, Form, Report, Way
from barograph.domain.time import HOUR, MINUTE
from barograph.domain.user import OPERATOR, Principal
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.notifier import Attachment, Notice, Notifier
from barograph.services.jobs import JobService
from barograph.services.report_document import Document
from barograph.services.reports import Render, load_document
from barograph.services.slices import Report as Progress

logger = logging.getLogger(__name__)

PAUSES = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR)
"""After each attempt that failed; after one more it is given up."""
_LEASE = 15 * MINUTE

MEDIA_TYPES: Mapping[Form, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}

Compose = Callable[[Report, Document, tuple[str, ...]], tuple[str, str]]
"""Subject and text of the notice about a report; names the files that are too large to attach."""


class ReportDelivery:
    """A kind of job: one attempt to send a report."""

    KIND: Final = "report delivery"

    def __init__(
        self,
        catalog: Catalog,
        notifiers: Mapping[Way, Notifier],
        forms: Mapping[Form, Render],
        compose: Compose,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._catalog = catalog
        self._notifiers = notifiers
        self._forms = forms
        self._compose = compose
        self._clock = clock
        self._limits = limits

    def check(self, principal: Principal, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """`delivery`, which the program names."""
        del principal
        return {"delivery": given["delivery"]}

    def run(self, principal: Principal, question: Mapping[str, Any], report: Progress) -> Any:
        """Try, and note how it went: `{"sent": true}`."""
        del principal
        report(0.0)
        delivery = self._catalog.reports.delivery(question["delivery"])
        if delivery is None or delivery.status != "waiting":
            return {"sent": delivery is not None and delivery.status == "sent"}
        try:
            self._send(delivery)
        except Unavailable as error:
            tried = delivery.attempts
            pause = PAUSES[tried] if tried < len(PAUSES) else None
            self._failed(delivery, str(error), pause)
        except BarographError as error:
            self._failed(delivery, str(error), None)
        except Exception:
            # A defect is the same the next time: it must not come back every quarter of an hour.
            logger.exception("Report %d cannot be sent", delivery.report_id)
            self._failed(delivery, "an error inside the program, which is in its log", None)
        else:
            self._catalog.reports.tried(delivery.id, "sent", None, None, self._clock())
            return {"sent": True}
        return {"sent": False}

    def _failed(self, delivery: Delivery, error: str, pause: int | None) -> None:
        now = self._clock()
        logger.warning("Report %d to %s: %s", delivery.report_id, delivery.target, error)
        status: DeliveryStatus = "failed" if pause is None else "waiting"
        again = None if pause is None else now + pause
        self._catalog.reports.tried(delivery.id, status, error, again, now)

    def _send(self, delivery: Delivery) -> None:
        notifier = self._notifiers.get(delivery.way)
        if notifier is None:
            raise InvalidInput.of(delivery.way, "this is not configured any more")
        report = self._catalog.reports.get(delivery.report_id)
        if report is None:
            raise NotFound("the report was removed")
        document = load_document(self._catalog, report)
        attachments: list[Attachment] = []
        left_out: list[str] = []
        size = 0
        for form in delivery.formats:
            content, name = self._forms[form](document), f"report-{report.id}.{form}"
            size += len(content)
            if size > self._limits.mail_bytes_max:
                left_out.append(name)
                size -= len(content)
            else:
                attachments.append(Attachment(name, MEDIA_TYPES[form], content))
        subject, text = self._compose(report, document, tuple(left_out))
        notifier.send(
            delivery.target,
            Notice(
                f"report-{report.id}-{delivery.id}",
                subject,
                text,
                _facts(report, document),
                attachments,
            ),
        )


class Deliveries:
    """Asks for the deliveries that are due."""

    def __init__(self, catalog: Catalog, jobs: JobService, clock: Clock) -> None:
        self._catalog = catalog
        self._jobs = jobs
        self._clock = clock

    def run_due(self) -> bool:
        """Ask for one; whether there was one. Raises `Unavailable`."""
        now = self._clock()
        delivery = self._catalog.reports.take_delivery(now, now + _LEASE)
        if delivery is None:
            return False
        try:
            self._jobs.ask(OPERATOR, ReportDelivery.KIND, {"delivery": delivery.id})
        except TooManyRequests as error:
            logger.warning("The delivery of report %d waits: %s", delivery.report_id, error)
        return True


def _facts(report: Report, document: Document) -> dict[str, Any]:
    """What a webhook is told: the report's figures over the whole period."""
    return {
        "event": "report",
        "report_id": report.id,
        "schedule_id": report.schedule_id,
        "name": document.name,
        "tz": document.tz,
        "period": document.period,
        "start_time": document.start_time,
        "end_time": document.end_time,
        "sections": [
            {
                "kind": section.kind,
                "id": section.id,
                "name": section.name,
                "metrics": {
                    figures.metric: dict(
                        zip(document.statistics, figures.whole.values, strict=True)
                    )
                    for figures in section.metrics
                },
            }
            for section in document.sections
        ],
        "missing": list(document.missing),
    }
