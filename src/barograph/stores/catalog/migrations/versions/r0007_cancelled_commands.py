"""Commands that were called off."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("commands", sa.Column("cancelled_time", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("commands", "cancelled_time")
