"""${message}."""

import sqlalchemy as sa
from alembic import op

from barograph.stores.catalog.columns import DIGEST, LONG_TEXT, Id, Json, Word

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
