"""Reports: their schedules, what they yielded, and where that is sent."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import LONG_BLOB, LONG_TEXT, Id, Json, Word

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _reference(
    table: str, column: str, target: str, ondelete: str | None
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete
    )


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("question", Json(), nullable=False),
        sa.Column("cron", Word(128), nullable=False),
        sa.Column("user_id", Id()),
        sa.Column("asker", Json(), nullable=False),
        sa.Column("email", Json(), nullable=False),
        sa.Column("webhook", Json(), nullable=False),
        sa.Column("formats", Json(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("next_time", sa.BigInteger()),
        sa.Column("last_time", sa.BigInteger()),
        sa.Column("last_job_id", sa.BigInteger()),
        sa.Column("last_error", LONG_TEXT),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        _reference("schedules", "user_id", "users", "CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_schedules_user_id", "schedules", ["user_id"])
    op.create_index("ix_schedules_next_time", "schedules", ["next_time"])
    op.create_table(
        "reports",
        sa.Column("id", Id(), nullable=False),
        sa.Column("key", Word(128), nullable=False),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("question", Json(), nullable=False),
        sa.Column("user_id", Id()),
        sa.Column("schedule_id", Id()),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("document", LONG_BLOB, nullable=False),
        sa.Column("document_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("key", name="uq_reports_key"),
        _reference("reports", "user_id", "users", "CASCADE"),
        _reference("reports", "schedule_id", "schedules", "SET NULL"),
        **_OPTIONS,
    )
    for column in ("user_id", "schedule_id", "created_time"):
        op.create_index(f"ix_reports_{column}", "reports", [column])
    op.create_table(
        "deliveries",
        sa.Column("id", Id(), nullable=False),
        sa.Column("report_id", Id(), nullable=False),
        sa.Column("way", Word(64), nullable=False),
        sa.Column("target", Word(254), nullable=False),
        sa.Column("formats", Json(), nullable=False),
        sa.Column("status", Word(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_time", sa.BigInteger()),
        sa.Column("ended_time", sa.BigInteger()),
        sa.Column("error", LONG_TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        _reference("deliveries", "report_id", "reports", "CASCADE"),
        **_OPTIONS,
    )
    for column in ("report_id", "next_time"):
        op.create_index(f"ix_deliveries_{column}", "deliveries", [column])


def downgrade() -> None:
    for table in ("deliveries", "reports", "schedules"):
        op.drop_table(table)
