"""Copies a catalog into another database, row by row, ids and all.

Rows of a table go over in order of id, some in a transaction, so that what was copied before an
interruption need not be copied again. A mark in the target says that it is not whole yet; it goes
when every table has been compared.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, func, select

from barograph.domain.errors import ConfigurationError
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.columns import Id
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.id_counters import go_on_after, last_id
from barograph.stores.catalog.schema import HEAD, current_revision, metadata, secrets

MARK = "move_unfinished"
"""The name of the secret that a catalog has while it is being copied into."""

_ROWS = 1_000
_CONNECTIONS = 2
_PASSING = frozenset({"turns", "tries", "counters", "changes", "relayed", "presences"})
"""What only means something to the processes that run now."""

Report = Callable[[str, int], None]
"""Told of a table and how many more of its rows were copied."""


class CatalogCopy:
    """From the catalog at one URL to the one at another, which must be empty or begun before.

    Raises `ConfigurationError` where either cannot be used so, `Unavailable` while one is away.
    """

    def __init__(self, source_url: str, target_url: str) -> None:
        self._source = Database(read_url(source_url), _CONNECTIONS)
        self._target: Database | None = None
        try:
            self._check_source()
            SqlCatalog(target_url).close()  # which makes the tables
            self._target = Database(read_url(target_url), _CONNECTIONS)
            self._check_target()
        except BaseException:
            self.close()
            raise

    @property
    def target(self) -> Database:
        """Where the rows go."""
        assert self._target is not None
        return self._target

    def close(self) -> None:
        """Close the connections."""
        self._source.close()
        if self._target is not None:
            self._target.close()

    def rows(self) -> int:
        """How many rows there are to copy."""
        return sum(self._source.read(partial(_count, table)) for table in _tables())

    def run(self, report: Report) -> None:
        """Copy every table, and compare it; raises `ConfigurationError` where they differ."""
        self.target.write(self._begin)
        for table in _tables():
            self._copy(table, report)
        for table in _tables():
            found, wanted = (
                side.read(partial(_digest, table)) for side in (self.target, self._source)
            )
            if found != wanted:
                raise ConfigurationError(
                    f"the table {table.name} has {found[0]} rows in {self.target.place} and "
                    f"{wanted[0]} in {self._source.place}, or other ones: does a server still run "
                    "on either? Empty the target and begin again"
                )

    def finish(self) -> None:
        """Take the mark away: the target is whole."""
        self.target.write(lambda tx: tx.execute(delete(secrets).where(secrets.c.name == MARK)))

    def _check_source(self) -> None:
        place = self._source.place
        found = self._source.read(current_revision)
        if found is None:
            raise ConfigurationError(f"{place} holds no catalog of Barograph")
        if found != HEAD:
            raise ConfigurationError(
                f"the catalog {place} is of another version of Barograph: start this version on "
                "it once, and stop it again"
            )
        if self._source.read(_is_marked):
            raise ConfigurationError(f"{place} is itself the target of a move that did not finish")

    def _check_target(self) -> None:
        if self.target.read(_is_marked):
            return
        for table in _tables():
            if table is not secrets and self.target.read(partial(_count, table)):
                raise ConfigurationError(
                    f"the catalog {self.target.place} is not empty (it has {table.name}): move "
                    "into a new one"
                )

    def _begin(self, tx: Connection) -> None:
        if not _is_marked(tx):
            tx.execute(secrets.insert().values(name=MARK, value=b"move"))

    def _copy(self, table: Table, report: Report) -> None:
        key = list(table.primary_key.columns)
        numbered = len(key) == 1 and isinstance(key[0].type, Id)
        after: int | None = None
        if numbered:
            after = self.target.read(lambda tx: tx.execute(select(func.max(key[0]))).scalar())
            if after is not None:
                report(table.name, self.target.read(partial(_count, table)))
        else:
            # These are small, and two databases need not agree on the order of texts.
            self.target.write(lambda tx: tx.execute(_everything(table)))
        offset = 0
        while True:
            query = select(table).order_by(*key).limit(_ROWS)
            if not numbered:
                query = query.offset(offset)
            elif after is not None:
                query = query.where(key[0] > after)
            some: Sequence[Row[Any]] = self._source.read(partial(_all, query))
            if some:
                self._insert(table, [dict(row._mapping) for row in some])  # noqa: SLF001  # SQLAlchemy's public name
                report(table.name, len(some))
            if len(some) < _ROWS:
                break
            offset += len(some)
            after = some[-1][0] if numbered else None
        if numbered and "id" in table.c:
            self._keep_counting(table)

    def _insert(self, table: Table, values: list[dict[str, Any]]) -> None:
        self.target.write(lambda tx: tx.execute(table.insert(), values))

    def _keep_counting(self, table: Table) -> None:
        """The next id is one that the source has never given either."""
        reached = self._source.read(lambda tx: last_id(tx, table, self._source.backend))
        if reached:
            self.target.write(lambda tx: go_on_after(tx, table, self.target.backend, reached))


def _tables() -> list[Table]:
    """In an order in which no row refers to one that is not there yet."""
    return [table for table in metadata.sorted_tables if table.name not in _PASSING]


def _everything(table: Table) -> Any:
    everything = delete(table)
    return everything.where(secrets.c.name != MARK) if table is secrets else everything


def _is_marked(tx: Connection) -> bool:
    return tx.execute(select(secrets.c.name).where(secrets.c.name == MARK)).first() is not None


def _all(query: Select[Any], tx: Connection) -> Sequence[Row[Any]]:
    return tx.execute(query).all()


def _count(table: Table, tx: Connection) -> int:
    return tx.execute(select(func.count()).select_from(table)).scalar_one()


def _digest(table: Table, tx: Connection) -> tuple[int, int]:
    """How many rows there are, and a sum over them that does not depend on their order."""
    count = total = 0
    for row in tx.execute(select(table).execution_options(yield_per=_ROWS)):
        if table is secrets and row.name == MARK:
            continue
        count += 1
        hashed = blake2b(repr(tuple(row)).encode("utf-8", "backslashreplace"), digest_size=8)
        total += int.from_bytes(hashed.digest())
    return count, total % 2**64
