"""The page of administrators that says who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from barograph.domain.audit import AuditEntry
from barograph.domain.period import Period
from barograph.domain.time import DAY
from barograph.services.audit import KINDS, OPERATOR_NAME, STRANGER_NAME
from barograph.services.failed_sign_ins import UNKNOWN
from barograph.transport.web.language import marked
from barograph.transport.web.paging import part_of
from barograph.transport.web.people import ROLE_TEXT
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit

_PAGE = 50

_KIND_TEXT = {
    "user": marked("users"),
    "token": marked("tokens"),
    "device": marked("devices"),
    "readings": marked("readings"),
    "asset": marked("assets"),
    "dashboard": marked("dashboards"),
    "question": marked("questions"),
    "report": marked("reports"),
    "system": marked("system"),
}
_ACTION_TEXT = {
    "user.create": marked("added the user"),
    "user.update": marked("changed the user"),
    "user.delete": marked("removed the user"),
    "user.sign_in": marked("signed in as"),
    "user.sign_in_failed": marked("failed to sign in as"),
    "token.create": marked("made a token of"),
    "token.revoke": marked("revoked a token of"),
    "device.create": marked("added the device"),
    "device.update": marked("changed the device"),
    "device.delete": marked("deleted the device"),
    "device.token": marked("replaced the token of the device"),
    "device.share": marked("shared the device"),
    "device.unshare": marked("stopped sharing the device"),
    "device.command": marked("sent a command to the device"),
    "device.uncommand": marked("called off a command to the device"),
    "device.metrics": marked("changed how metrics are shown, of the device"),
    "readings.delete": marked("removed readings of the device"),
    "asset.create": marked("added the asset"),
    "asset.update": marked("changed the asset"),
    "asset.delete": marked("removed the asset"),
    "dashboard.create": marked("made the dashboard"),
    "dashboard.update": marked("changed the dashboard"),
    "dashboard.delete": marked("deleted the dashboard"),
    "dashboard.share": marked("shared the dashboard"),
    "dashboard.unshare": marked("stopped sharing the dashboard"),
    "dashboard.link": marked("made a link to the dashboard"),
    "dashboard.unlink": marked("revoked a link to the dashboard"),
    "question.create": marked("saved the question"),
    "question.delete": marked("removed the question"),
    "report.schedule": marked("planned the report"),
    "report.unschedule": marked("stopped planning the report"),
    "system.retention": marked("changed how long readings are kept"),
    "system.download": marked("downloaded the backup"),
    "system.delete_backup": marked("deleted the backup"),
    "system.backup": marked("made the backup"),
}
_DETAIL_TEXT = {
    "access": marked("access"),
    "address": marked("network address"),
    "asset_id": marked("asset"),
    "attributes": marked("attributes"),
    "before": marked("before"),
    "command": marked("command"),
    "configured": marked("as configured"),
    "email": marked("e-mail"),
    "enabled": marked("enabled"),
    "key": marked("key"),
    "kind": marked("kind"),
    "link": marked("link"),
    "metrics": marked("metrics"),
    "name": marked("name"),
    "not_noted_before": marked("not noted before"),
    "owner": marked("owner"),
    "readings": marked("readings"),
    "role": marked("role"),
    "round_time": marked("times rounded to"),
    "scope": marked("access"),
    "to": marked("sent to"),
    "token": marked("token"),
    "user": marked("user"),
    "user_id": marked("owner"),
}
_WORDS: Mapping[tuple[str, str | bool], str] = {
    ("access", "read"): marked("read only"),
    ("access", "write"): marked("read and write"),
    ("configured", True): marked("yes"),
    ("configured", False): marked("no"),
    ("scope", "full"): marked("read and write"),
    ("scope", "read"): marked("read only"),
    ("enabled", True): marked("yes"),
    ("enabled", False): marked("no"),
    **{("role", role): text for role, text in ROLE_TEXT.items()},
}
_ACTORS = {OPERATOR_NAME: marked("local operator"), STRANGER_NAME: marked("(nobody)")}
_PERIODS = {
    "": (marked("any time"), None),
    "1d": (marked("last 24 hours"), DAY),
    "7d": (marked("last 7 days"), 7 * DAY),
    "30d": (marked("last 30 days"), 30 * DAY),
}


@dataclass(frozen=True, slots=True)
class _LogLine:
    entry: AuditEntry
    actor: str
    """To be translated where it is no user's name."""
    subject: str
    """What it was done to."""
    action: str
    """In words, to be translated; the action itself where there are none."""
    detail: str


def _line(visit: Visit, entry: AuditEntry) -> _LogLine:
    detail = ", ".join(
        f"{visit.text(_DETAIL_TEXT.get(name, name))}: {_short(visit, name, value)}"
        for name, value in entry.detail.items()
        if value not in ([], {})
    )
    failed = entry.action == "user.sign_in_failed"
    return _LogLine(
        entry,
        _ACTORS.get(entry.actor, ""),
        visit.text(marked("(unknown)")) if failed and entry.subject == UNKNOWN else entry.subject,
        _ACTION_TEXT.get(entry.action, entry.action),
        detail,
    )


def _short(visit: Visit, name: str, value: object) -> str:
    word = _WORDS.get((name, value)) if isinstance(value, str | bool) else None
    text = _plain(value) if word is None else visit.text(word)
    return text if len(text) <= 80 else text[:79] + "…"


def _plain(value: object) -> str:
    """A value as people write it, without the signs of a programming language."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """`/ui/people/audit`."""
    accounts = site.core.accounts
    pages = APIRouter(**options)

    @pages.get("/ui/people/audit")
    def audit(
        visit: Annotated[Visit, Depends(visits.known)],
        actor: Annotated[str, Query(max_length=254)] = "",
        kind: Annotated[str, Query(max_length=20)] = "",
        search: Annotated[str, Query(max_length=128)] = "",
        since: Annotated[str, Query(max_length=4)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        length = _PERIODS.get(since, (None, None))[1]
        found = part_of(
            site.core,
            lambda limit, offset: accounts.audit.list(
                visit.asker,
                actor=actor.strip() or None,
                kind=kind if kind in KINDS else None,
                search=search,
                period=Period(None if length is None else visit.now - length, None),
                limit=limit,
                offset=offset,
            ),
            page,
            _PAGE,
        )
        asked = {"actor": actor, "kind": kind, "search": search, "since": since}
        return visit.page(
            "audit.html",
            lines=[_line(visit, entry) for entry in found.items],
            total=found.total,
            asked=asked,
            kinds=_KIND_TEXT,
            periods={key: text for key, (text, _) in _PERIODS.items()},
            page=found.page,
            pages=found.pages,
            page_url=lambda n: "/ui/people/audit?" + urlencode({**asked, "page": n}),
        )

    return pages
