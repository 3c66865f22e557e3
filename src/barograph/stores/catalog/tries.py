"""How often somebody has tried something, counted for all processes."""

import math
from hashlib import sha256

from sqlalchemy import Connection, Row, select, update

from barograph.domain.tries import Allowance
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.faults import PRIMARY_KEYS
from barograph.stores.catalog.schema import tries

_EXPIRE_EVERY = 1_000


class SqlTries:
    """`ports.processes.Tries` in SQL. Keys are kept as digests: who tried is nobody's business."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._taken = 0

    def take(self, key: str, allowance: Allowance, now: int) -> float:
        digest = sha256(key.encode("utf-8", "surrogatepass")).digest()

        def work(tx: Connection) -> float:
            row = _locked(tx, digest)
            left = allowance.burst if row is None else allowance.left(row.tries, row.time, now)
            wait = allowance.wait(left)
            if not wait:
                _keep(tx, digest, allowance, left - 1, now, new=row is None)
            return wait

        self._taken += 1
        if self._taken % _EXPIRE_EVERY == 0:
            self._database.write(lambda tx: tx.execute(tries.delete().where(tries.c.full <= now)))
        return self._database.write(work, again=PRIMARY_KEYS)

    def give_back(self, key: str, allowance: Allowance, now: int) -> None:
        digest = sha256(key.encode("utf-8", "surrogatepass")).digest()

        def work(tx: Connection) -> None:
            row = _locked(tx, digest)
            if row is not None:
                left = min(allowance.burst, allowance.left(row.tries, row.time, now) + 1)
                _keep(tx, digest, allowance, left, now, new=False)

        self._database.write(work)


def _locked(tx: Connection, digest: bytes) -> Row[tuple[bytes, float, int, int]] | None:
    return tx.execute(select(tries).where(tries.c.digest == digest).with_for_update()).first()


def _keep(
    tx: Connection, digest: bytes, allowance: Allowance, left: float, now: int, *, new: bool
) -> None:
    full = now + math.ceil((allowance.burst - left) * allowance.interval)
    values = {"tries": left, "time": now, "full": full}
    if new:
        tx.execute(tries.insert().values(digest=digest, **values))
    else:
        tx.execute(update(tries).where(tries.c.digest == digest).values(values))
