"""What keys and projects are limited to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("access", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("rate_limit", sa.JSON(), nullable=True))
    op.add_column("projects", sa.Column("rate_limit", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "rate_limit")
    op.drop_column("api_keys", "rate_limit")
    op.drop_column("api_keys", "access")
