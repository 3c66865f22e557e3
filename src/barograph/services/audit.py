"""The log of who did what: written by the services after a change is stored, read by administrators.

A change is logged after its own transaction, so one that a crash follows within milliseconds may
be missing here; none is here that did not happen.
"""

from collections.abc import Mapping
from typing import Any

from barograph.domain.audit import AuditEntry
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.user import Principal, User, require_admin
from barograph.ports.catalog import Catalog, Page
from barograph.ports.clock import Clock
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
        actor, actor_id = self._actor(principal)
        self._catalog.audit.add(
            AuditEntry(
                0,
                self._clock(),
                actor,
                action,
                subject,
                actor_id=actor_id,
                subject_id=subject_id,
                detail=detail,
            )
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
