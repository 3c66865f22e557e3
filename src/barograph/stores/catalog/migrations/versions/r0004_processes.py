"""What several processes on one catalog tell each other."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import DIGEST, Word

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False if key else "auto")


def upgrade() -> None:
    counters = op.create_table(
        "counters",
        sa.Column("name", Word(128), nullable=False),
        _number("value"),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
        **_OPTIONS,
    )
    op.bulk_insert(counters, [{"name": "changes", "value": 0}, {"name": "live", "value": 0}])
    op.create_table(
        "changes",
        _number("id", key=True),
        sa.Column("kind", Word(16), nullable=False),
        _number("ref"),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        **_OPTIONS,
    )
    op.create_table(
        "turns",
        sa.Column("name", Word(128), nullable=False),
        sa.Column("owner", Word(254), nullable=False),
        _number("until"),
        sa.PrimaryKeyConstraint("name", name="pk_turns"),
        **_OPTIONS,
    )
    op.create_table(
        "tries",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("tries", sa.Double(), nullable=False),
        _number("time"),
        _number("full"),
        sa.PrimaryKeyConstraint("digest", name="pk_tries"),
        **_OPTIONS,
    )
    op.create_index("ix_tries_full", "tries", ["full"])
    op.create_table(
        "relayed",
        _number("first", key=True),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first", name="pk_relayed"),
        **_OPTIONS,
    )


def downgrade() -> None:
    for table in ("relayed", "tries", "turns", "changes", "counters"):
        op.drop_table(table)
