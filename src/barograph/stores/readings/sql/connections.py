"""The connections of a store, set up as its database's dialect says."""

import contextlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, event

from barograph.stores.catalog.engine import Database
from barograph.stores.readings.sql.dialect import Dialect

_WHAT = "readings' database"
_APPENDING = 2
_WRITING = 2


class Connections:
    """Those for writing are apart from those for reading, so that no reader keeps a writer waiting."""

    def __init__(
        self, address: URL, dialect: Dialect, *, reading_max: int, statement_seconds_max: int
    ) -> None:
        """Opens nothing yet. A statement of `reading` may take `statement_seconds_max`."""
        self._dialect = dialect
        self._seconds = statement_seconds_max
        options = dialect.driver_options
        with contextlib.ExitStack() as opened:
            self.writing = Database(address, _WRITING, what=_WHAT, driver_options=options)
            opened.callback(self.writing.close)
            self._prepare(self.writing, dialect.writing_session)
            self.appending = self.writing
            """For what one statement stores: nothing else goes to the server."""
            if dialect.at_once_max:
                self.appending = Database(
                    address, _APPENDING, what=_WHAT, driver_options=options, autocommit=True
                )
                opened.callback(self.appending.close)
                self._prepare(self.appending, dialect.writing_session)
            self.reading = Database(
                address,
                reading_max,
                what=_WHAT,
                isolation="REPEATABLE READ",
                driver_options=options,
            )
            opened.callback(self.reading.close)
            if dialect.limit is not None:
                dialect.limit(self.reading.engine, statement_seconds_max)
            self._prepare(self.reading, dialect.reading_session)
            self.close = opened.pop_all().close

    def _prepare(self, database: Database, session: Sequence[str]) -> None:
        prepare = self._dialect.prepare
        if prepare is not None:
            event.listen(database.engine, "connect", lambda raw, _: prepare(raw))
        statements = [one.format(seconds=self._seconds) for one in session]
        if statements:

            def begin(raw: Any, _: Any) -> None:
                cursor = raw.cursor()
                for statement in statements:
                    cursor.execute(statement)
                cursor.close()
                raw.commit()

            event.listen(database.engine, "connect", begin)
