"""The log of who did what: written by the services, read by administrators.

An entry about a change of the catalog is written in the same transaction: none is missing here, and
none is here that did not happen. What is done outside of the catalog (readings removed, backups) is
logged right after it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from barograph.domain.audit import AuditEntry
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.user import Principal, User, require_admin
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.services.registry import Registry

OPERATOR_NAME = "local operator"
STRANGER_NAME = "(nobody)"
KINDS = (
    "user",
    "token",
    "device",
    "readings",
    "asset",
    "dashboard",
    "question",
    "report",
    "system",
)
"""What can be acted upon."""

_NOTHING: Mapping[str, Any] = {}


class Audit:
    """Writes and reads the log."""

    def __init__(self, catalog: Catalog, registry: Registry, clock: Clock) -> None:
        self._catalog = catalog
        self._registry = registry
        self._clock = clock

    def note(
        self,
        principal: Principal | User | None,
        action: str,
        subject: str,
        subject_id: int | None = None,
        detail: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Keep that `principal` (None: a stranger) did `action`, such as `device.delete`."""
        self._catalog.audit.add(self._entry(principal, action, subject, subject_id, detail))

    def along(
        self,
        principal: Principal | User,
        action: str,
        subject: str,
        subject_id: int | None = None,
        detail: Mapping[str, Any] = _NOTHING,
    ) -> AbstractContextManager[None]:
        """The same, in one transaction with the first change of the catalog that is made within."""
        entry = self._entry(principal, action, subject, subject_id, detail)
        return self._catalog.audit.along(lambda _: entry)

    def along_with(
        self,
        principal: Principal | None,
        action: str,
        detail: Callable[[Any], Mapping[str, Any]] = lambda _: _NOTHING,
    ) -> AbstractContextManager[None]:
        """The same about what the change returns, such as a new device; `detail` is made of it.

        A stranger (None) who makes a user does so as that user.
        """

        def tell(made: Any) -> AuditEntry:
            is_user = isinstance(made, User)
            who = made if principal is None and is_user else principal
            name = made.username if is_user else made.name
            return self._entry(who, action, name, made.id, detail(made))

        return self._catalog.audit.along(tell)

    def _entry(
        self,
        principal: Principal | User | None,
        action: str,
        subject: str,
        subject_id: int | None,
        detail: Mapping[str, Any],
    ) -> AuditEntry:
        actor, actor_id = self._actor(principal)
        return AuditEntry(
            0,
            self._clock(),
            actor,
            action,
            subject,
            actor_id=actor_id,
            subject_id=subject_id,
            detail=detail,
        )

    def _actor(self, principal: Principal | User | None) -> tuple[str, int | None]:
        if principal is None:
            return STRANGER_NAME, None
        if isinstance(principal, User):
            return principal.username, principal.id
        if principal.kind == "operator":
            return OPERATOR_NAME, None
        if principal.kind == "device":
            device = self._registry.device(principal.device_id or 0)
            return (f"device {device.key}" if device else "device"), None
        user = self._registry.user(principal.user_id or 0)
        return (user.username if user else f"user {principal.user_id}"), principal.user_id

    def list(
        self,
        principal: Principal,
        *,
        actor: str | None = None,
        kind: str | None = None,
        search: str = "",
        period: Period = ALL_TIME,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[AuditEntry]:
        """The entries, the newest first, for administrators.

        Those of who is called `actor`, on things of one of `KINDS`, whose name contains `search`.
        """
        require_admin(principal)
        return self._catalog.audit.list(
            actor=actor, action=kind, search=search, period=period, limit=limit, offset=offset
        )
