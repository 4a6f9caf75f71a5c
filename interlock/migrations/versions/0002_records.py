"""Records of calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column(
            "id",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("server", sa.String()),
        sa.Column("principal_kind", sa.String(), nullable=False),
        sa.Column("principal_id", sa.String(), nullable=False),
        sa.Column("principal_name", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("target", sa.String()),
        sa.Column("era", sa.String()),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("http_status", sa.BigInteger(), nullable=False),
        sa.Column("rpc_code", sa.BigInteger()),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("tool_error", sa.Boolean()),
        sa.Column("queue_ms", sa.Double[float](), nullable=False),
        sa.Column("upstream_ms", sa.Double[float]()),
        sa.Column("total_ms", sa.Double[float](), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("trace_id", sa.String()),
        sa.Column("client_name", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
    )
    op.create_index("ix_records_project_time", "records", ["project", "time", "id"])
    op.create_index(
        "ix_records_project_server_time", "records", ["project", "server", "time", "id"]
    )
    op.create_index("ix_records_time", "records", ["time"])


def downgrade() -> None:
    op.drop_table("records")
