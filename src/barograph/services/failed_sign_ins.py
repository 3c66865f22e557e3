"""Failed sign-ins in the log of who did what, however many there are."""

from threading import Lock
from typing import Any

from barograph.domain.errors import TooManyRequests
from barograph.domain.user import User
from barograph.ports.clock import Clock
from barograph.ports.processes import Tries
from barograph.services.audit import Audit
from barograph.services.rate_limit import RateLimit

_BURST = 100
_INTERVAL_SECONDS = 60.0
UNKNOWN = "(unknown)"


class FailedSignIns:
    """Notes them, with the network address that they came from.

    Whoever guesses from many addresses at once fills neither the log nor the disk: beyond
    `_BURST` and one a minute failures are only counted, and the next that is noted says how many.
    What was typed for a name that nobody has is not kept: it may have been the password.
    """

    def __init__(self, audit: Audit, clock: Clock, tries: Tries | None = None) -> None:
        self._audit = audit
        self._told = RateLimit(
            clock,
            "failed sign-ins in the log",
            burst=_BURST,
            interval_seconds=_INTERVAL_SECONDS,
            tries=tries,
        )
        self._untold = 0
        self._lock = Lock()

    def note(self, user: User | None, address: str) -> None:
        """Somebody at `address` (empty where it is not known) did not get in as `user`."""
        try:
            self._told.take("")
        except TooManyRequests:
            with self._lock:
                self._untold += 1
            return
        with self._lock:
            untold, self._untold = self._untold, 0
        detail: dict[str, Any] = {"address": address} if address else {}
        if untold:
            detail["not_noted_before"] = untold
        name, user_id = (user.username, user.id) if user else (UNKNOWN, None)
        self._audit.note(None, "user.sign_in_failed", name, user_id, detail)
