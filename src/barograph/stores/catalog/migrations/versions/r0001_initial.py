"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import DIGEST, LONG_TEXT, Id, Json, Word

revision = "0001"
down_revision = None
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


def _reference(
    table: str, column: str, target: str, ondelete: str | None
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete
    )


def upgrade() -> None:
    _inventory()
    _credentials()
    _work()


def _inventory() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("username", Word(254), nullable=False),
        sa.Column("username_folded", Word(762), nullable=False),
        sa.Column("email", Word(254)),
        sa.Column("email_folded", Word(762)),
        sa.Column("role", Word(16), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("password_hash", Word(255)),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_folded", name="uq_users_username_folded"),
        sa.UniqueConstraint("email_folded", name="uq_users_email_folded"),
        **_OPTIONS,
    )
    op.create_table(
        "assets",
        _id(),
        sa.Column("kind", Word(64), nullable=False),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("name_folded", Word(762), nullable=False),
        sa.Column("attributes", Json(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assets"),
        sa.UniqueConstraint("kind", "name", name="uq_assets_kind_name"),
        **_OPTIONS,
    )
    op.create_table(
        "devices",
        _id(),
        sa.Column("key", Word(128), nullable=False),
        sa.Column("key_folded", Word(128), nullable=False),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("name_folded", Word(762), nullable=False),
        sa.Column("user_id", Id()),
        sa.Column("asset_id", Id()),
        sa.Column("attributes", Json(), nullable=False),
        sa.Column("round_time", sa.BigInteger()),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("key", name="uq_devices_key"),
        _reference("devices", "user_id", "users", None),
        _reference("devices", "asset_id", "assets", "SET NULL"),
        **_OPTIONS,
    )
    op.create_index("ix_devices_user_id", "devices", ["user_id"])
    op.create_index("ix_devices_asset_id", "devices", ["asset_id"])
    op.create_table(
        "series",
        _id(),
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("metric", Word(512), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("device_id", "metric", name="uq_series_device_id_metric"),
        _reference("series", "device_id", "devices", "CASCADE"),
        **_OPTIONS,
    )


def _credentials() -> None:
    op.create_table(
        "tokens",
        _id(),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("user_id", Id()),
        sa.Column("device_id", Id()),
        sa.Column("name", Word(254), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("last_used_time", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        _reference("tokens", "user_id", "users", "CASCADE"),
        _reference("tokens", "device_id", "devices", "CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_index("ix_tokens_device_id", "tokens", ["device_id"])
    op.create_table(
        "secrets",
        sa.Column("name", Word(128), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
        **_OPTIONS,
    )
    op.create_table(
        "sessions",
        _id(),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("expires_time", sa.BigInteger(), nullable=False),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        _reference("sessions", "user_id", "users", "CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_time", "sessions", ["expires_time"])
    op.create_table(
        "replaced_digests",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("session_id", Id(), nullable=False),
        sa.Column("expires_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_replaced_digests"),
        _reference("replaced_digests", "session_id", "sessions", "CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_replaced_digests_session_id", "replaced_digests", ["session_id"])
    op.create_index("ix_replaced_digests_expires_time", "replaced_digests", ["expires_time"])


def _work() -> None:
    op.create_table(
        "jobs",
        _id(),
        sa.Column("kind", Word(64), nullable=False),
        sa.Column("question", Json(), nullable=False),
        sa.Column("user_id", Id()),
        sa.Column("status", Word(16), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("result", Json()),
        sa.Column("error", LONG_TEXT),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", Word(254)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("created_time", sa.BigInteger(), nullable=False),
        sa.Column("started_time", sa.BigInteger()),
        sa.Column("ended_time", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        _reference("jobs", "user_id", "users", "CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_jobs_user_id", "jobs", ["user_id"])
    op.create_index("ix_jobs_status_id", "jobs", ["status", "id"])


def downgrade() -> None:
    for table in (
        "jobs",
        "replaced_digests",
        "sessions",
        "secrets",
        "tokens",
        "series",
        "devices",
        "assets",
        "users",
    ):
        op.drop_table(table)
