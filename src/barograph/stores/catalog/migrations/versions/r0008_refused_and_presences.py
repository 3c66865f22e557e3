"""The last refused messages of devices, and which devices are connected."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import LONG_TEXT, Id, Word

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "refused_messages",
        sa.Column("id", Id(), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("topic", LONG_TEXT, nullable=False),
        sa.Column("message", LONG_TEXT, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_messages"),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name="fk_refused_messages_device_id",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )
    op.create_index("ix_refused_messages_device_id", "refused_messages", ["device_id"])
    op.create_index("ix_refused_messages_time", "refused_messages", ["time"])
    op.create_table(
        "presences",
        sa.Column("device_id", Id(), nullable=False, autoincrement=False),
        sa.Column("server", Word(128), nullable=False),
        sa.Column("online", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("detail", LONG_TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_presences"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_presences_device_id", ondelete="CASCADE"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_presences_number", "presences", ["number"])
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": "presences", "value": 0}])


def downgrade() -> None:
    op.execute("DELETE FROM counters WHERE name = 'presences'")
    op.drop_table("presences")
    op.drop_table("refused_messages")
