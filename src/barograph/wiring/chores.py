"""What is done again and again in the background."""

import logging

from barograph.config import Settings
from barograph.domain.errors import Unavailable
from barograph.domain.time import DAY
from barograph.services.core import Core
from barograph.services.housekeeping import Chore
from barograph.services.report_delivery import Deliveries
from barograph.services.system import SAMPLE_SECONDS, System
from barograph.wiring.processes import Between

logger = logging.getLogger(__name__)

_DUE_SECONDS = 5.0
"""How often it is looked whether a report is due."""
_COMMANDS_KEPT = 90 * DAY
_REFUSED_KEPT = 30 * DAY


def chores_of(core: Core, system: System, settings: Settings) -> list[Chore]:
    """The chores of every installation, and those that the settings ask for."""
    deliveries = Deliveries(core.catalog, core.jobs, core.clock)

    def expire_reports() -> bool:
        before = core.clock() - (settings.report_retention or core.clock())
        return core.catalog.reports.expire(before, core.limits.reports_max) > 0

    def expire_jobs() -> bool:
        core.catalog.jobs.expire(core.clock() - settings.jobs_kept)
        return False

    def note_uses() -> bool:
        core.accounts.tokens.note_uses()
        return False

    def expire_audit() -> bool:
        if settings.audit_retention:
            core.catalog.audit.expire(core.clock() - settings.audit_retention)
        return False

    def expire_commands() -> bool:
        core.catalog.commands.expire(core.clock() - _COMMANDS_KEPT)
        return False

    def expire_refused() -> bool:
        core.catalog.refused.expire(core.clock() - _REFUSED_KEPT)
        return False

    def sample() -> bool:
        system.sample()
        return False

    chores = [
        Chore("store maintenance", core.store.maintain, 1.0),
        Chore("removal of old commands", expire_commands, 3600.0),
        Chore("note of refused messages", core.refusals.write, 2.0, everywhere=True),
        Chore("removal of old refused messages", expire_refused, 3600.0),
        Chore("note of used tokens", note_uses, 60.0, everywhere=True),
        Chore("removal of old audit entries", expire_audit, 3600.0),
        Chore("reports that are due", core.schedules.run_due, _DUE_SECONDS),
        Chore("deliveries that are due", deliveries.run_due, _DUE_SECONDS),
        Chore("removal of old reports", expire_reports, 3600.0),
        Chore("retention", core.retention.run, 3600.0),
        Chore("count of what came in", sample, SAMPLE_SECONDS, everywhere=True),
    ]
    if settings.jobs_kept:
        chores.append(Chore("removal of old jobs", expire_jobs, 3600.0))
    return chores


def commands_from_others(core: Core) -> Chore:
    """Looks for commands that another process was given and this one is to send."""
    return Chore("commands from other processes", core.commands.look, 0.5, everywhere=True)


def note_last(core: Core, between: Between) -> None:
    """At the end: what the chores would have noted next."""
    try:
        core.refusals.write()
        if between.presence is not None:
            between.presence.exchange()
    except Unavailable as error:
        logger.warning("what happened last is not noted: %s", error)
