"""Reports for those who ask: having one made, finding it, and reading it in some form."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from barograph.domain.errors import Forbidden, NotFound
from barograph.domain.job import Job
from barograph.domain.limits import Limits
from barograph.domain.report import Delivery, Form, Report
from barograph.domain.user import Principal, require_member, require_writing_token
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.services.jobs import JobService
from barograph.services.names import check_name
from barograph.services.report_document import Document
from barograph.services.report_making import ReportMaking

Render = Callable[[Document], bytes]
"""Makes one form of a report."""


class ReportService:
    """Makes, finds, renders and removes reports; each call checks the right to do so."""

    def __init__(
        self,
        catalog: Catalog,
        jobs: JobService,
        clock: Clock,
        limits: Limits,
        forms: Mapping[Form, Render],
    ) -> None:
        self._catalog = catalog
        self._jobs = jobs
        self._clock = clock
        self._limits = limits
        self._forms = forms

    def make(self, principal: Principal, name: str, asked: Mapping[str, Any]) -> Job:
        """The job that makes a report, whose result has the report's id.

        `asked` is a question of `services.report_question`. Raises `InvalidInput`, `NotFound`,
        `Forbidden`, `TooManyRequests`.
        """
        require_person(principal)
        # A report is kept: a token that reads only asks for none.
        require_writing_token(principal)
        check_name("name", name)
        given = {"key": secrets.token_hex(16), "name": name, "now": self._clock(), "asked": asked}
        return self._jobs.ask(principal, ReportMaking.KIND, given)

    def get(self, principal: Principal, report_id: int) -> Report:
        """The report; raises `NotFound` also for another user's."""
        require_person(principal)
        report = self._catalog.reports.get(report_id)
        if report is None or not (principal.is_admin or report.user_id == principal.user_id):
            raise NotFound("there is no such report")
        return report

    def list(
        self,
        principal: Principal,
        *,
        schedule_id: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Report]:
        """The reports that `principal` may see, the newest first."""
        require_person(principal)
        return self._catalog.reports.list(
            user_id=None if principal.is_admin else principal.user_id,
            schedule_id=schedule_id,
            limit=min(limit, self._limits.page_items_max),
            offset=offset,
        )

    def document(self, principal: Principal, report_id: int) -> Document:
        """The report's figures; raises `NotFound`."""
        return load_document(self._catalog, self.get(principal, report_id))

    def render(self, principal: Principal, report_id: int, form: Form) -> bytes:
        """The report in a form; raises `NotFound`."""
        return self._forms[form](self.document(principal, report_id))

    def deliveries(self, principal: Principal, report_id: int) -> Sequence[Delivery]:
        """Where the report is sent, and how far that is."""
        return self._catalog.reports.deliveries(self.get(principal, report_id).id)

    def delete(self, principal: Principal, report_id: int) -> None:
        """Remove the report and its deliveries; viewers only look."""
        report = self.get(principal, report_id)
        require_member(principal)
        self._catalog.reports.delete(report.id)


def require_person(principal: Principal) -> None:
    """Raise `Forbidden` for a device."""
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")


def load_document(catalog: Catalog, report: Report) -> Document:
    """The figures of a report; raises `NotFound` where it was removed meanwhile."""
    packed = catalog.reports.document(report.id)
    if packed is None:
        raise NotFound("there is no such report")
    return Document.unpack(packed)
