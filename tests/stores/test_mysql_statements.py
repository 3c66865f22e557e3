"""Nothing that is sent to MariaDB is such that MySQL 8 would not understand it.

The statements come from the log of a server of our own.
"""

import re

import pytest
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MARIADB, RESERVED_WORDS_MYSQL
from tests.private_servers import PrivateMariaDB
from tests.stores.readings.driving import at, many, put, seen

from barograph.domain.statistic import DEFAULT
from barograph.ports.reading_store import Aggregation
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.readings.sql import Sizes, SqlReadingStore

MARIADB_ONLY = {
    "RETURNING": r"\bRETURNING\b",
    "exact quantiles": r"\b(MEDIAN|PERCENTILE_CONT|PERCENTILE_DISC)\s*\(",
    "conditional columns and indexes": r"\b(INDEX|COLUMN|KEY|CONSTRAINT)\s+IF\s+(NOT\s+)?EXISTS",
    "settings for one statement": r"^SET STATEMENT",
    "CREATE OR REPLACE of tables": r"\bOR REPLACE (TABLE|INDEX|SEQUENCE)",
    "sequences": r"\b(NEXTVAL|NEXT VALUE FOR|CREATE SEQUENCE)\b",
    "LIMIT ROWS EXAMINED": r"\bROWS EXAMINED\b",
    "types of its own": r"\b(UUID|INET4|INET6|VECTOR)\b(?!\s*\()",
}
RESERVED = set(RESERVED_WORDS_MYSQL - RESERVED_WORDS_MARIADB) - {"role"}
"""Words that SQLAlchemy need not quote for MariaDB; `role` MySQL 8 does not reserve in truth."""


class Logged(PrivateMariaDB):
    """Notes every statement."""

    def command(self):
        log = self.directory / "statements"
        return [*super().command(), "--general-log=1", f"--general-log-file={log}"]

    def statements(self):
        text = (self.directory / "statements").read_text(errors="replace")
        found = re.findall(r"\t *\d+ Query\t(.*?)(?=\n(?:\d{6}[ \d:]*)?\t|\Z)", text, re.DOTALL)
        return [without_texts(one) for one in found]


def without_texts(statement):
    return re.sub(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|/\*.*?\*/", " ", statement, flags=re.DOTALL)


@pytest.fixture
def statements(tmp_path_factory):
    """What a catalog and a store of readings send in the course of their lives."""
    server = Logged(tmp_path_factory.mktemp("server"))
    server.start()
    try:
        server.run("CREATE DATABASE work")
        url = server.url("work")
        catalog = SqlCatalog(url)
        catalog.series.reserve(7)
        catalog.reports.expire(1, 1)
        catalog.check()
        catalog.close()
        store = SqlReadingStore(url, sizes=Sizes(page=50, block=50, held=10))
        store.append(many(300))
        put(store, (1, 0, "a text"), (1, 86_400 * 40, 2.0), (1, 1, 5.0))
        assert seen(store.scan([1, 2, 3]))
        assert list(store.summarize(Aggregation([[1, 2], [3]], DEFAULT)))
        assert len(store.newest([1]))
        assert store.with_texts([1])
        assert store.counts()
        assert store.health().writable
        assert store.delete([2])
        assert list(store.expire(at(86_400 * 39)))
        store.close()
        yield server.statements()
    finally:
        server.kill()


def test_no_statement_needs_mariadb(statements):
    assert any(one.startswith("ALTER TABLE readings DROP PARTITION") for one in statements)
    assert any("ON DUPLICATE KEY UPDATE" in one for one in statements)
    assert len(set(statements)) > 100
    for one in set(statements):
        # SQLAlchemy's own, which asks MariaDB only for what it returns.
        if "alembic_version" in one:
            continue
        for what, pattern in MARIADB_ONLY.items():
            assert not re.search(pattern, one, re.IGNORECASE), f"{what}: {one}"
        bare = {word.lower() for word in re.findall(r"\b[A-Za-z_]+\b(?!\s*\()", one)}
        assert not bare & RESERVED, one
