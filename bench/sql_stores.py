"""Readings in PostgreSQL, MariaDB and SQLite: durable bulk writes beside SQLAlchemy's ORM, and a month's summary.

Both sides write the same batches to tables of the same columns and key in the same database, one
transaction a batch; the ORM side is `session.add_all` and `commit`, as its tutorial shows it. They
take turns. The servers' tables are made in a database of their own, which is dropped in the end;
where a server does not answer, it is left out and said so. The question is about one device that
sends one metric, or three, once a minute, and asks for one month with min, max, count, sum and median.
"""

import argparse
import contextlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import BigInteger, Double, Integer, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.domain.statistic import DEFAULT
from barograph.domain.time import DAY, MINUTE
from barograph.ports.reading_store import Aggregation
from barograph.stores.catalog.address import read_url
from barograph.stores.readings.sql import SqlReadingStore

T0 = 1_751_328_000_000_000
MONTH = 30 * DAY
METRICS = 3
SERVERS = {
    "PostgreSQL": ("BAROGRAPH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "MariaDB": ("BAROGRAPH_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/mysql"),
}


class Base(DeclarativeBase):
    pass


class OrmReading(Base):
    """The table that a tutorial would make."""

    __tablename__ = "orm_readings"

    series: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    time: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[float] = mapped_column(Double)


@contextlib.contextmanager
def database(name: str, directory: Path) -> Iterator[str | None]:
    """The URL of an empty database, dropped in the end; None where the server does not answer."""
    if name == "SQLite":
        yield f"sqlite:///{directory}/readings.db"
        return
    variable, usual = SERVERS[name]
    server = read_url(os.environ.get(variable, usual))
    admin = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    made = f"barograph_bench_{secrets.token_hex(4)}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made}"))
    except OperationalError as error:
        print(f"skipped: {name} does not answer (set {variable}): {error.orig}")
        yield None
        return
    try:
        yield server.set(database=made).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {made}"))
        admin.dispose()


def batch(number: int, size: int, series: int) -> Batch:
    """Readings `number * size …` in order of time and then series, as devices send them."""
    index = np.arange(number * size, (number + 1) * size)
    values = np.round(20 + 8 * np.sin(index / 1e5) + (index * 7919 % 1000) / 500, 2)
    return Batch(index % series + 1, T0 + index // series * MINUTE, values)


def write(store: SqlReadingStore, url: str, given: argparse.Namespace) -> dict[str, list[float]]:
    """Readings per second of each side, per round."""
    engine = create_engine(read_url(url))
    Base.metadata.create_all(engine)

    def ours(number: int) -> None:
        store.append(batch(number, given.batch, 1000))

    def orm(number: int) -> None:
        made = batch(number, given.batch, 1000)
        rows = zip(made.series, made.times, made.values, strict=True)
        with Session(engine) as session:
            session.add_all(
                OrmReading(series=int(series), time=int(at), value=float(value))
                for series, at, value in rows
            )
            session.commit()

    rates: dict[str, list[float]] = {"barograph": [], "ORM": []}
    for round_ in range(given.rounds + 1):
        for name, side in (("barograph", ours), ("ORM", orm)):
            numbers = range(round_ * given.batches, (round_ + 1) * given.batches)
            began = time.perf_counter()
            for number in numbers:
                side(number)
            rate = given.batches * given.batch / (time.perf_counter() - began)
            if round_:  # the first is for warming up
                rates[name].append(rate)
    Base.metadata.drop_all(engine)
    engine.dispose()
    return rates


def ask(name: str, store: SqlReadingStore, url: str, given: argparse.Namespace) -> None:
    """Load, and print what a month's summary takes."""
    series = max(given.readings // (MONTH // MINUTE), METRICS)
    size = 50_000
    store.delete(range(1001))
    for number in range(-(-given.readings // size)):
        store.append(batch(number, size, series))
    if url.startswith("postgresql"):
        # As autovacuum does it after a minute or so.
        engine = create_engine(read_url(url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM ANALYZE readings"))
        engine.dispose()
    size = (store.health().size_bytes or 0) / given.readings
    print(f"{name}: {given.readings:,} readings stored, {size:.0f} bytes each", flush=True)
    for metrics in (1, METRICS):
        groups = [[series // 2 + metric] for metric in range(metrics)]
        question = Aggregation(groups, DEFAULT, Period(T0, T0 + MONTH))
        taken = []
        cells = []
        for _ in range(given.times + 2):
            began = time.perf_counter()
            cells = list(store.summarize(question))
            taken.append((time.perf_counter() - began) * 1e3)
        asked = sum(int(str(cell.summary["count"])) for cell in cells)
        print(
            f"{name}: the month of a device with {metrics} metric(s), {asked:,} readings: "
            f"{statistics.median(taken[2:]):.1f} ms, at best {min(taken[2:]):.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=10, help="of each side in a round")
    parser.add_argument("--batch", type=int, default=5_000, help="readings in a batch")
    parser.add_argument("--readings", type=int, default=10_000_000, help="0: ask nothing")
    parser.add_argument("--times", type=int, default=20, help="how often the question is asked")
    parser.add_argument("--only", choices=("PostgreSQL", "MariaDB", "SQLite"))
    given = parser.parse_args()
    for name in ("PostgreSQL", "MariaDB", "SQLite"):
        if given.only not in {None, name}:
            continue
        with tempfile.TemporaryDirectory() as scratch, database(name, Path(scratch)) as url:
            if url is None:
                continue
            with contextlib.closing(SqlReadingStore(url)) as store:
                rates = write(store, url, given)
                pairs = zip(rates["barograph"], rates["ORM"], strict=True)
                times = statistics.median(a / b for a, b in pairs)
                middle = {side: statistics.median(found) for side, found in rates.items()}
                print(
                    f"{name}: durable bulk write {middle['barograph']:,.0f} readings/s, "
                    f"ORM {middle['ORM']:,.0f}: {times:.1f} times",
                    flush=True,
                )
                if given.readings:
                    ask(name, store, url, given)


if __name__ == "__main__":
    main()
