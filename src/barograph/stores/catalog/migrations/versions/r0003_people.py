"""Sharing, the audit log, tokens that end or only read; dashboards and saved questions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import DIGEST, Id, Json, Word

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _id() -> sa.Column[int]:
    return sa.Column("id", Id(), nullable=False)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.add_column("tokens", sa.Column("expires_time", sa.BigInteger()))
    op.add_column(
        "tokens", sa.Column("reads_only", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    _shares("device", "devices")
    op.create_table(
        "audit_entries",
        _id(),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", Word(254), nullable=False),
        sa.Column("actor_id", Id()),
        sa.Column("action", Word(64), nullable=False),
        sa.Column("subject", Word(254), nullable=False),
        sa.Column("subject_folded", Word(762), nullable=False),
        sa.Column("subject_id", Id()),
        sa.Column("detail", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        **_OPTIONS,
    )
    op.create_index("ix_audit_entries_time", "audit_entries", ["time"])
    op.create_index("ix_audit_entries_actor_id", "audit_entries", ["actor_id"])
    _dashboards()
    op.create_table(
        "saved_questions",
        _id(),
        sa.Column("user_id", Id()),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("question", Json(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_questions"),
        _reference("saved_questions", "user_id", "users"),
        **_OPTIONS,
    )
    op.create_index("ix_saved_questions_user_id", "saved_questions", ["user_id"])


def _shares(noun: str, target: str) -> None:
    table = f"{noun}_shares"
    op.create_table(
        table,
        sa.Column(f"{noun}_id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(f"{noun}_id", "user_id", name=f"pk_{table}"),
        _reference(table, f"{noun}_id", target),
        _reference(table, "user_id", "users"),
        **_OPTIONS,
    )
    op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _dashboards() -> None:
    op.create_table(
        "dashboards",
        _id(),
        sa.Column("user_id", Id()),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("panels", Json(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("changed_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dashboards"),
        _reference("dashboards", "user_id", "users"),
        **_OPTIONS,
    )
    op.create_index("ix_dashboards_user_id", "dashboards", ["user_id"])
    _shares("dashboard", "dashboards")
    op.create_table(
        "dashboard_links",
        _id(),
        sa.Column("dashboard_id", Id(), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("expires_time", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_dashboard_links"),
        sa.UniqueConstraint("digest", name="uq_dashboard_links_digest"),
        _reference("dashboard_links", "dashboard_id", "dashboards"),
        **_OPTIONS,
    )
    op.create_index("ix_dashboard_links_dashboard_id", "dashboard_links", ["dashboard_id"])


def downgrade() -> None:
    for table in (
        "saved_questions",
        "dashboard_links",
        "dashboard_shares",
        "dashboards",
        "audit_entries",
        "device_shares",
    ):
        op.drop_table(table)
    with op.batch_alter_table("tokens") as tokens:
        tokens.drop_column("reads_only")
        tokens.drop_column("expires_time")
