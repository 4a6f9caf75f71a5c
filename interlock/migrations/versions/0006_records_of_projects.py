"""Records belong to a project by its id: a new project with an old name has none of the old one's."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What was recorded before a project was made is of another one, which had its name.
_FILL = """
UPDATE records SET project_id = COALESCE((
  SELECT projects.id FROM projects
  WHERE projects.name = records.project AND projects.created_at <= records.time
), '')
"""


def _index(first: str) -> None:
    op.create_index("ix_records_project_time", "records", [first, "time", "id"])
    op.create_index("ix_records_project_server_time", "records", [first, "server", "time", "id"])


def _drop_indexes() -> None:
    op.drop_index("ix_records_project_time", "records")
    op.drop_index("ix_records_project_server_time", "records")


def upgrade() -> None:
    op.add_column(
        "records", sa.Column("project_id", sa.String(), nullable=False, server_default="")
    )
    op.execute(_FILL)
    _drop_indexes()
    _index("project_id")


def downgrade() -> None:
    _drop_indexes()
    op.drop_column("records", "project_id")
    _index("project")
