"""Sending reports: attempts, pauses, and giving up."""

from dataclasses import replace

import pytest

from barograph.domain.errors import InvalidInput, Unavailable
from barograph.domain.report import Report
from barograph.domain.time import DAY
from barograph.services.jobs import JobService
from barograph.services.report_delivery import PAUSES, Deliveries, ReportDelivery
from barograph.services.report_document import Document
from barograph.transport.reports.forms import RENDERERS
from barograph.transport.reports.notice import composer

DOCUMENT = Document(
    "Утро",
    "ru",
    "UTC",
    "yesterday",
    "2026-01-01T00:00:00Z",
    "2026-01-02T00:00:00Z",
    "2026-01-02T06:00:00Z",
    ("min", "max"),
    None,
    (),
)


class Post:
    """A `Notifier` that does what a test says."""

    def __init__(self):
        self.notices = []
        self.errors = []

    def check(self, principal, own, target):
        pass

    def send(self, target, notice):
        self.notices.append((target, notice))
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def due(core, post):
    """Does what is due, and says whether there was something."""
    made = ReportDelivery(
        core.catalog,
        {"email": post},
        RENDERERS,
        composer("https://barograph.example.org/"),
        core.clock,
        replace(core.limits, mail_bytes_max=100_000),
    )
    jobs = JobService(
        core.catalog, core.clock, core.limits, core.announced, {ReportDelivery.KIND: made}
    )
    deliveries = Deliveries(core.catalog, jobs, core.clock)

    def due():
        found = deliveries.run_due()
        while jobs.run("tests"):
            pass
        return found

    return due


def kept(core, *deliveries):
    user = core.fleet.user()
    report = Report(0, "key", "Утро", {}, user.user_id, None, core.clock.now)
    return core.catalog.reports.add(report, DOCUMENT.pack(), deliveries)


def of(core, report):
    (delivery,) = core.catalog.reports.deliveries(report.id)
    return delivery


def test_a_report_is_sent_once_with_its_files_and_a_link(core, due, post):
    report = kept(core, ("email", "ann@example.org", ("csv", "pdf")))
    assert due()
    assert not due()
    ((target, notice),) = post.notices
    assert (target, notice.subject) == ("ann@example.org", "Утро")
    assert [one.name for one in notice.attachments] == [
        f"report-{report.id}.csv",
        f"report-{report.id}.pdf",
    ]
    assert notice.attachments[1].content.startswith(b"%PDF")
    assert f"https://barograph.example.org/api/reports/{report.id}/html" in notice.text
    assert notice.facts["start_time"] == "2026-01-01T00:00:00Z"
    assert (of(core, report).status, of(core, report).attempts) == ("sent", 1)


def test_a_server_that_is_away_is_tried_again_after_longer_and_longer_pauses(core, due, post):
    report = kept(core, ("email", "ann@example.org", ()))
    post.errors = [Unavailable("away")] * (len(PAUSES) + 1)
    for pause in PAUSES:
        assert due()
        assert not due()
        assert of(core, report).error == "away"
        core.clock.now += pause
    assert due()
    core.clock.now += max(PAUSES)
    assert not due()
    ended = of(core, report)
    assert (ended.status, ended.attempts) == ("failed", len(PAUSES) + 1)
    assert len({notice.id for _, notice in post.notices}) == 1


def test_an_address_that_does_not_exist_is_given_up_at_once(core, due, post):
    report = kept(core, ("email", "ann@example.org", ()))
    post.errors = [InvalidInput.of("email", "no such user")]
    due()
    assert (of(core, report).status, of(core, report).attempts) == ("failed", 1)
    core.clock.now += max(PAUSES)
    assert not due()


def test_a_report_that_cannot_be_made_into_a_file_is_given_up(core, due, post, monkeypatch):
    monkeypatch.setitem(RENDERERS, "csv", lambda document: 1 / 0)
    report = kept(core, ("email", "ann@example.org", ("csv",)))
    assert due()
    assert (of(core, report).status, of(core, report).attempts) == ("failed", 1)
    assert "in its log" in of(core, report).error
    core.clock.now += DAY
    assert not due()


def test_a_way_that_is_not_configured_any_more_is_told(core, due):
    report = kept(core, ("webhook", "office", ()))
    due()
    assert of(core, report).status == "failed"
    assert "not configured" in of(core, report).error


def test_what_is_too_large_to_attach_is_left_out_and_said(core, due, post):
    wide = replace_sections(200_000)
    user = core.fleet.user()
    report = Report(0, "key", "Утро", {}, user.user_id, None, core.clock.now)
    core.catalog.reports.add(report, wide.pack(), [("email", "a@example.org", ("json", "csv"))])
    due()
    ((_, notice),) = post.notices
    assert [one.name.partition(".")[2] for one in notice.attachments] == ["csv"]
    assert ".json" in notice.text


def replace_sections(chars):
    import msgspec

    return msgspec.structs.replace(DOCUMENT, missing=("x" * chars,))


def test_a_delivery_whose_job_died_is_due_again(core, due, post):
    report = kept(core, ("email", "ann@example.org", ()))
    assert core.catalog.reports.take_delivery(core.clock.now, core.clock.now + 100) is not None
    assert not due()  # and the job was never asked for
    core.clock.now += 100
    assert due()
    assert of(core, report).status == "sent"
