"""Which stores there are, and what each is known not to do.

Every test that takes `stores` or `store` runs once for each. To add a store: one line in `STORES`,
and in `GAPS` what it cannot do, with the reason and the error that shows it. A gap is strict: the
day it closes, the run fails until its line goes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.databases import Places

from barograph.domain.errors import Unavailable
from barograph.ports.reading_store import ReadingStore
from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes
from barograph.stores.readings.memory import MemoryReadingStore
from barograph.stores.readings.sql import Sizes as SqlSizes
from barograph.stores.readings.sql import SqlReadingStore

PLACES = Places()
TINY = SqlSizes(page=100, block=50, held=30, inserted=2, expired=7)

STORES: dict[str, Callable[[Path], ReadingStore]] = {
    "memory": lambda _: MemoryReadingStore(),
    "duckdb": lambda directory: DuckDBReadingStore(directory, memory_mb=128),
    "duckdb in SQL alone": lambda directory: DuckDBReadingStore(
        directory, memory_mb=128, few_readings_max=0
    ),
    "duckdb in tiny pieces": lambda directory: DuckDBReadingStore(
        directory,
        memory_mb=128,
        journal_segment_bytes_max=2_000,
        held_readings_max=10,
        few_readings_max=5,
        sizes=Sizes(
            spill_rows=4, tail_rows_max=8, segment_rows=16, slice_rows=5, pressed_seconds=0
        ),
    ),
    "postgresql": lambda directory: SqlReadingStore(PLACES.url("postgresql", directory)),
    "mysql": lambda directory: SqlReadingStore(PLACES.url("mysql", directory)),
    "postgresql in tiny pieces": lambda directory: SqlReadingStore(
        PLACES.url("postgresql", directory), sizes=TINY
    ),
    "sqlite in tiny pieces": lambda directory: SqlReadingStore(
        f"sqlite:///{directory}/readings.db", sizes=TINY
    ),
    "sqlite": lambda directory: SqlReadingStore(f"sqlite:///{directory}/readings.db"),
}
"""Name to what opens the store that lives in a directory."""


@dataclass(frozen=True)
class Gap:
    store: str
    behaviour: str
    """The name of the test that shows it."""
    reason: str
    raises: type[BaseException]
    case: str = ""
    """The test's parameter, where only that one fails."""

    def applies(self, store: str, request: pytest.FixtureRequest) -> bool:
        test = request.node
        if (self.store, self.behaviour) != (store, test.originalname):
            return False
        return not self.case or self.case in test.callspec.id.split("-", 1)


REOPENING = "test_a_reopened_store_holds_everything"

GAPS = (
    Gap("memory", REOPENING, "memory does not outlive the object", AssertionError),
    Gap(
        "memory",
        "test_a_backup_opens_as_a_store_with_the_same_content",
        "there are no files to copy",
        Unavailable,
    ),
    Gap(
        "memory",
        "test_a_backup_beside_appends_holds_whole_batches",
        "there are no files to copy",
        Unavailable,
    ),
    Gap(
        "mysql",
        "test_a_number_comes_back_bit_for_bit",
        "neither MariaDB nor MySQL has a negative zero: it is kept as 0",
        AssertionError,
        case="-0.0",
    ),
    *(
        Gap(
            server,
            behaviour,
            "a server's database is copied by the server's own tools",
            Unavailable,
        )
        for server in ("postgresql", "postgresql in tiny pieces", "mysql")
        for behaviour in (
            "test_a_backup_opens_as_a_store_with_the_same_content",
            "test_a_backup_beside_appends_holds_whole_batches",
        )
    ),
)


@dataclass
class Stores:
    """Opens stores of one kind, and closes what the test left open."""

    kind: str
    opened: list[ReadingStore] = field(default_factory=list)

    @property
    def durable(self) -> bool:
        return not any(gap.store == self.kind and gap.behaviour == REOPENING for gap in GAPS)

    def open(self, directory: Path) -> ReadingStore:
        directory.mkdir(parents=True, exist_ok=True)
        store = STORES[self.kind](directory)
        self.opened.append(store)
        return store

    def close(self, store: ReadingStore) -> None:
        self.opened.remove(store)
        store.close()


@pytest.fixture(scope="session", autouse=True)
def places():
    yield PLACES
    PLACES.close()


@pytest.fixture(params=STORES)
def stores(request):
    found = Stores(request.param)
    for gap in GAPS:
        if gap.applies(found.kind, request):
            mark = pytest.mark.xfail(reason=gap.reason, raises=gap.raises, strict=True)
            request.applymarker(mark)
    yield found
    for store in reversed(found.opened):
        store.close()
    PLACES.end_test()


@pytest.fixture
def store(stores, tmp_path):
    return stores.open(tmp_path / "readings")


@pytest.fixture
def gaps():
    return GAPS


@pytest.fixture
def kinds():
    return STORES
