"""The tables. A change here needs a migration beside it; a test compares the two.

Ids come from AUTOINCREMENT, a sequence or InnoDB's persistent counter, so none is used twice.
Times are microseconds. `…_folded` columns hold what `text.fold` makes of their neighbour: names are
compared and searched there, so that every database agrees on what "without regard to case" means.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.schema import SchemaItem

from barograph.domain.metric import LABEL_CHARS_MAX, UNIT_CHARS_MAX
from barograph.stores.catalog.columns import DIGEST, LONG_BLOB, LONG_TEXT, Id, Json, Word

HEAD = "0008"
"""The migration that makes these tables."""

KIND_CHARS_MAX = 64
KEY_CHARS_MAX = 128
EMAIL_CHARS_MAX = 254
CRON_CHARS_MAX = 128
NAME_CHARS_MAX = 254
METRIC_CHARS_MAX = 512
FOLDED_CHARS_MAX = 3 * NAME_CHARS_MAX
"""Folding makes at most three characters of one; 762 is also what MySQL can index."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_MYSQL_OPTIONS = {"engine": "InnoDB", "charset": "utf8mb4"}


@event.listens_for(metadata, "before_create")
def _add_mysql_options(target: MetaData, connection: Connection, **_: object) -> None:
    # Named with the tables they would have SQLAlchemy import MySQL's dialect for every database.
    name = connection.dialect.name
    if name in {"mysql", "mariadb"}:
        for table in target.tables.values():
            table.dialect_kwargs.update(
                {f"{name}_{option}": value for option, value in _MYSQL_OPTIONS.items()}
            )


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items, sqlite_autoincrement=True)


def _numbered(name: str, *items: SchemaItem) -> Table:
    """A table whose rows' numbers are not the database's to give."""
    return Table(name, metadata, *items)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _reference(name: str, target: str, ondelete: str | None, **options: Any) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id", ondelete=ondelete), **options)


users = _table(
    "users",
    _id(),
    Column("username", Word(NAME_CHARS_MAX), nullable=False),
    Column("username_folded", Word(FOLDED_CHARS_MAX), nullable=False, unique=True),
    Column("email", Word(EMAIL_CHARS_MAX)),
    Column("email_folded", Word(FOLDED_CHARS_MAX), unique=True),
    Column("role", Word(16), nullable=False),
    Column("created_time", BigInteger, nullable=False),
    Column("password_hash", Word(255)),
)

assets = _table(
    "assets",
    _id(),
    Column("kind", Word(KIND_CHARS_MAX), nullable=False),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("name_folded", Word(FOLDED_CHARS_MAX), nullable=False),
    Column("attributes", Json, nullable=False),
    Column("created_time", BigInteger, nullable=False),
    UniqueConstraint("kind", "name"),
)

devices = _table(
    "devices",
    _id(),
    Column("key", Word(KEY_CHARS_MAX), nullable=False, unique=True),
    Column("key_folded", Word(KEY_CHARS_MAX), nullable=False),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("name_folded", Word(FOLDED_CHARS_MAX), nullable=False),
    _reference("user_id", "users", None, index=True),
    _reference("asset_id", "assets", "SET NULL", index=True),
    Column("attributes", Json, nullable=False),
    Column("round_time", BigInteger),
    Column("created_time", BigInteger, nullable=False),
)

tokens = _table(
    "tokens",
    _id(),
    Column("digest", DIGEST, nullable=False, unique=True),
    _reference("user_id", "users", "CASCADE", index=True),
    _reference("device_id", "devices", "CASCADE", index=True),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("created_time", BigInteger, nullable=False),
    Column("last_used_time", BigInteger),
    Column("expires_time", BigInteger),
    Column("reads_only", Boolean, nullable=False, server_default=false()),
)

series = _table(
    "series",
    _id(),
    _reference("device_id", "devices", "CASCADE", nullable=False),
    Column("metric", Word(METRIC_CHARS_MAX), nullable=False),
    UniqueConstraint("device_id", "metric"),
)

metric_settings = _table(
    "metric_settings",
    Column(
        "series_id",
        Id,
        ForeignKey("series.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("label", Word(LABEL_CHARS_MAX)),
    Column("unit", Word(UNIT_CHARS_MAX)),
    Column("colour", Integer),
    Column("low", Double),
    Column("high", Double),
)

jobs = _table(
    "jobs",
    _id(),
    Column("kind", Word(KIND_CHARS_MAX), nullable=False),
    Column("question", Json, nullable=False),
    _reference("user_id", "users", "CASCADE", index=True),
    Column("status", Word(16), nullable=False),
    Column("progress", Double, nullable=False),
    Column("result", Json),
    Column("error", LONG_TEXT),
    Column("cancel_asked", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Word(NAME_CHARS_MAX)),
    Column("lease_until", BigInteger),
    Column("created_time", BigInteger, nullable=False),
    Column("started_time", BigInteger),
    Column("ended_time", BigInteger),
    Index(None, "status", "id"),
)

schedules = _table(
    "schedules",
    _id(),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("question", Json, nullable=False),
    Column("cron", Word(CRON_CHARS_MAX), nullable=False),
    _reference("user_id", "users", "CASCADE", index=True),
    Column("asker", Json, nullable=False),
    Column("email", Json, nullable=False),
    Column("webhook", Json, nullable=False),
    Column("formats", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_time", BigInteger, nullable=False),
    Column("next_time", BigInteger, index=True),
    Column("last_time", BigInteger),
    Column("last_job_id", BigInteger),
    Column("last_error", LONG_TEXT),
    Column("lease_until", BigInteger),
)

reports = _table(
    "reports",
    _id(),
    Column("key", Word(KEY_CHARS_MAX), nullable=False, unique=True),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("question", Json, nullable=False),
    _reference("user_id", "users", "CASCADE", index=True),
    _reference("schedule_id", "schedules", "SET NULL", index=True),
    Column("created_time", BigInteger, nullable=False, index=True),
    Column("document", LONG_BLOB, nullable=False),
    Column("document_bytes", BigInteger, nullable=False),
)

deliveries = _table(
    "deliveries",
    _id(),
    _reference("report_id", "reports", "CASCADE", nullable=False, index=True),
    Column("way", Word(KIND_CHARS_MAX), nullable=False),
    Column("target", Word(NAME_CHARS_MAX), nullable=False),
    Column("formats", Json, nullable=False),
    Column("status", Word(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_time", BigInteger, index=True),
    Column("ended_time", BigInteger),
    Column("error", LONG_TEXT),
)

commands = _table(
    "commands",
    _id(),
    _reference("device_id", "devices", "CASCADE", nullable=False, index=True),
    Column("command", Json),
    Column("created_time", BigInteger, nullable=False, index=True),
    Column("expires_time", BigInteger, nullable=False),
    Column("delivered_time", BigInteger),
    Column("answered_time", BigInteger),
    Column("reply", Json),
    Column("cancelled_time", BigInteger),
)

refused_messages = _table(
    "refused_messages",
    _id(),
    _reference("device_id", "devices", "CASCADE", nullable=False, index=True),
    Column("time", BigInteger, nullable=False, index=True),
    Column("topic", LONG_TEXT, nullable=False),
    Column("message", LONG_TEXT, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
)

secrets = _table(
    "secrets",
    Column("name", Word(KEY_CHARS_MAX), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

sessions = _table(
    "sessions",
    _id(),
    _reference("user_id", "users", "CASCADE", nullable=False, index=True),
    Column("digest", DIGEST, nullable=False, unique=True),
    Column("expires_time", BigInteger, nullable=False, index=True),
    Column("created_time", BigInteger, nullable=False),
)

replaced_digests = _table(
    "replaced_digests",
    Column("digest", DIGEST, primary_key=True),
    _reference("session_id", "sessions", "CASCADE", nullable=False, index=True),
    Column("expires_time", BigInteger, nullable=False, index=True),
)
"""What a session's digest was before: who presents one of these has stolen it."""

device_shares = _table(
    "device_shares",
    _reference("device_id", "devices", "CASCADE", primary_key=True),
    _reference("user_id", "users", "CASCADE", primary_key=True, index=True),
    Column("writes", Boolean, nullable=False),
    Column("created_time", BigInteger, nullable=False),
)

audit_entries = _table(
    "audit_entries",
    _id(),
    Column("time", BigInteger, nullable=False, index=True),
    Column("actor", Word(NAME_CHARS_MAX), nullable=False),
    # No references: an entry outlives what it tells of.
    Column("actor_id", Id, index=True),
    Column("action", Word(KIND_CHARS_MAX), nullable=False),
    Column("subject", Word(NAME_CHARS_MAX), nullable=False),
    Column("subject_folded", Word(FOLDED_CHARS_MAX), nullable=False),
    Column("subject_id", Id),
    Column("detail", Json, nullable=False),
)

dashboards = _table(
    "dashboards",
    _id(),
    _reference("user_id", "users", "CASCADE", index=True),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("panels", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_time", BigInteger, nullable=False),
    Column("changed_time", BigInteger, nullable=False),
)

dashboard_shares = _table(
    "dashboard_shares",
    _reference("dashboard_id", "dashboards", "CASCADE", primary_key=True),
    _reference("user_id", "users", "CASCADE", primary_key=True, index=True),
    Column("writes", Boolean, nullable=False),
    Column("created_time", BigInteger, nullable=False),
)

dashboard_links = _table(
    "dashboard_links",
    _id(),
    _reference("dashboard_id", "dashboards", "CASCADE", nullable=False, index=True),
    Column("digest", DIGEST, nullable=False, unique=True),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("created_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger),
)

saved_questions = _table(
    "saved_questions",
    _id(),
    _reference("user_id", "users", "CASCADE", index=True),
    Column("name", Word(NAME_CHARS_MAX), nullable=False),
    Column("question", Json, nullable=False),
    Column("created_time", BigInteger, nullable=False),
)

counters = _table(
    "counters",
    Column("name", Word(KEY_CHARS_MAX), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""The last number of the changes, of the presences, and of the readings relayed live. The rows are
always there."""

presences = _numbered(
    "presences",
    Column(
        "device_id",
        Id,
        ForeignKey("devices.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("server", Word(KEY_CHARS_MAX), nullable=False),
    Column("online", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("detail", LONG_TEXT, nullable=False),
    Column("number", BigInteger, nullable=False, index=True),
)

changes = _numbered(
    "changes",
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Word(16), nullable=False),
    # No reference: that something is gone is a change as well.
    Column("ref", BigInteger, nullable=False),
)

turns = _table(
    "turns",
    Column("name", Word(KEY_CHARS_MAX), primary_key=True),
    Column("owner", Word(NAME_CHARS_MAX), nullable=False),
    Column("until", BigInteger, nullable=False),
)

tries = _table(
    "tries",
    Column("digest", DIGEST, primary_key=True),
    Column("tries", Double, nullable=False),
    Column("time", BigInteger, nullable=False),
    # When all tries will be there again, and the row says nothing any more.
    Column("full", BigInteger, nullable=False, index=True),
)

relayed = _numbered(
    "relayed",
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("readings", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)


def current_revision(connection: Connection) -> str | None:
    """Which migration the database is at; None before the first."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
