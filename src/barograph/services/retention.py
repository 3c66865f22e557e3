"""How long readings are kept: as it is configured, or as an administrator has set it since.

What is set stands in the catalog, where every process looks before it removes anything.
"""

import logging
from collections.abc import Generator
from dataclasses import dataclass

import msgspec

from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.length import length_text
from barograph.domain.period import Period
from barograph.domain.statistic import Statistic
from barograph.domain.time import DAY, HOUR, format_time
from barograph.domain.user import Principal, require_admin
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.reading_store import Aggregation, ReadingStore
from barograph.services.audit import OPERATOR_NAME, Audit
from barograph.services.latest import NewestReadings
from barograph.services.registry import Registry

logger = logging.getLogger(__name__)

LENGTH_MIN = HOUR
LENGTH_MAX = 36_525 * DAY
_KEY = "retention"
_COUNT = Statistic.parse("count")


class _Kept(msgspec.Struct, frozen=True):
    """What was set, as it lies in the catalog."""

    length: int
    by: str
    time: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How long readings are kept (microseconds; 0: for ever), and who says so."""

    length: int
    configured: int
    set_by: str | None = None
    """None where the configured length holds."""
    set_time: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether an administrator has set it, whatever is configured."""
        return self.set_by is not None


@dataclass(frozen=True, slots=True)
class Effect:
    """What another length would remove at once: the readings from before a time."""

    before: int | None
    """None where everything is kept."""
    readings: int


class RetentionService:
    """Says and sets how long readings are kept, and removes those that are older."""

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        store: ReadingStore,
        latest: NewestReadings,
        clock: Clock,
        audit: Audit,
        configured: int,
    ) -> None:
        """`configured` is the length that holds unless another is set."""
        self._catalog = catalog
        self._registry = registry
        self._store = store
        self._latest = latest
        self._clock = clock
        self._audit = audit
        self._configured = configured
        self._removing: tuple[int, Generator[None]] | None = None
        """What is being removed, and what is older than which time."""

    def get(self, principal: Principal) -> Rule:
        """What holds now; for administrators."""
        require_admin(principal)
        return self._rule()

    def effect(self, principal: Principal, length: int) -> Effect:
        """What keeping readings for `length` would remove now; raises `InvalidInput`."""
        require_admin(principal)
        _check(length)
        before = self._before(length)
        return Effect(before, 0 if before is None else self._count(before))

    def set(self, principal: Principal, length: int) -> Rule:
        """Keep readings for `length` from now on, whatever is configured; raises `InvalidInput`.

        What is older is removed when readings are next looked through, within the hour.
        """
        require_admin(principal, write=True)
        _check(length)
        kept = _Kept(length, self._name(principal), self._clock())
        self._put(principal, kept)
        return self._rule()

    def reset(self, principal: Principal) -> Rule:
        """Let the configured length hold again."""
        require_admin(principal, write=True)
        if self._rule().is_set:
            self._put(principal, None)
        return self._rule()

    def run(self) -> bool:
        """Remove a part of what is older than what holds now; whether more is waiting."""
        before = self._before(self._rule().length)
        if self._removing is not None:
            begun, removing = self._removing
            if before is None or before < begun:  # more is to be kept since it began
                self._removing = None
                removing.close()
        if before is None:
            return False
        begun, removing = self._removing or (before, self._remove(before))
        self._removing = None
        for _ in removing:
            self._removing = begun, removing
            return True
        return False

    def _remove(self, before: int) -> Generator[None]:
        removed = False
        try:
            for _ in self._store.expire(before):
                removed = True
                yield
            if removed:
                logger.info("readings from before %s are removed (retention)", format_time(before))
        finally:
            if removed:
                self._forget_newest(before)

    def _forget_newest(self, before: int) -> None:
        self._latest.reload(
            [
                one
                for one in self._series()
                if (seen := self._latest.seen([one])) is not None and seen < before
            ]
        )

    def _rule(self) -> Rule:
        found = self._catalog.secrets.get(_KEY)
        if found is None:
            return Rule(self._configured, self._configured)
        kept = msgspec.json.decode(found, type=_Kept)
        return Rule(kept.length, self._configured, kept.by, kept.time)

    def _put(self, principal: Principal, kept: _Kept | None) -> None:
        length = self._configured if kept is None else kept.length
        detail = {"before": length_text(self._rule().length), "configured": kept is None}
        subject = length_text(length)
        with self._audit.along(principal, "system.retention", subject, None, detail):
            if kept is not None:
                self._catalog.secrets.put(_KEY, msgspec.json.encode(kept))
                return
            try:
                self._catalog.secrets.delete(_KEY)
            except NotFound:
                return  # somebody else did at the same moment

    def _name(self, principal: Principal) -> str:
        user = self._registry.user(principal.user_id or 0)
        return OPERATOR_NAME if user is None else user.username

    def _before(self, length: int) -> int | None:
        return self._clock() - length if length else None

    def _series(self) -> list[int]:
        return [
            series
            for device in self._registry.devices()
            for series in self._registry.series_of(device.id).values()
        ]

    def _count(self, before: int) -> int:
        series, period = self._series(), Period(end=before)
        if not series:
            return 0
        cells = self._store.summarize(Aggregation([series], [_COUNT], period))
        numbers = sum(int(float(cell.summary["count"] or 0)) for cell in cells)
        texts = sorted(self._store.with_texts(series))
        if not texts:
            return numbers
        return numbers + sum(
            len(batch) for batch in self._store.scan(texts, period, texts_only=True)
        )


def _check(length: int) -> None:
    if length and not LENGTH_MIN <= length <= LENGTH_MAX:
        raise InvalidInput.of(
            "retention", "keep readings for an hour at least and a hundred years at most; 0 is ever"
        )
