"""The tables as queries see them. How each database makes them stands in its dialect's file.

A text state's row has no `value`, a number's has no `text`. `reading_series` has a row for every
series that was ever stored; rows are only added and `texts` is only set, so that what one process
remembers of it stays true whatever others do.
"""

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, SmallInteger, Table, Text

VERSION = 1
"""Of the tables; kept in `reading_store`."""

metadata = MetaData()

readings = Table(
    "readings",
    metadata,
    Column("series", Integer, primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("value", Double),
    Column("text", Text),
)

known_series = Table(
    "reading_series",
    metadata,
    Column("series", Integer, primary_key=True),
    Column("texts", SmallInteger, nullable=False),
)

about = Table(
    "reading_store",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("probed", BigInteger, nullable=False),
)
