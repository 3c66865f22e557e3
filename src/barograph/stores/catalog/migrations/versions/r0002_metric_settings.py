"""How metrics are shown."""

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import Id, Word

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "metric_settings",
        sa.Column("series_id", Id(), nullable=False),
        sa.Column("label", Word(64)),
        sa.Column("unit", Word(24)),
        sa.Column("colour", sa.Integer()),
        sa.Column("low", sa.Double()),
        sa.Column("high", sa.Double()),
        sa.PrimaryKeyConstraint("series_id", name="pk_metric_settings"),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name="fk_metric_settings_series_id", ondelete="CASCADE"
        ),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("metric_settings")
