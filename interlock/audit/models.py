"""The table of records."""

from datetime import datetime

from sqlalchemy import BigInteger, Double, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from interlock.storage.database import Base, UTCDateTime

# Pages are cut between ids, so both databases must compare them byte by byte.
_ID = String().with_variant(String(collation="C"), "postgresql")


class RecordRow(Base):
    """One call."""

    __tablename__ = "records"
    __table_args__ = (
        Index("ix_records_project_time", "project_id", "time", "id"),
        Index("ix_records_project_server_time", "project_id", "server", "time", "id"),
        Index("ix_records_time", "time"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    time: Mapped[datetime] = mapped_column(UTCDateTime)
    project: Mapped[str]
    server: Mapped[str | None]
    principal_kind: Mapped[str]
    principal_id: Mapped[str]
    principal_name: Mapped[str]
    method: Mapped[str]
    target: Mapped[str | None]
    era: Mapped[str | None]
    transport: Mapped[str]
    http_status: Mapped[int] = mapped_column(BigInteger)
    rpc_code: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str]
    reason: Mapped[str | None]
    tool_error: Mapped[bool | None]
    queue_ms: Mapped[float] = mapped_column(Double)
    upstream_ms: Mapped[float | None] = mapped_column(Double)
    total_ms: Mapped[float] = mapped_column(Double)
    request_bytes: Mapped[int] = mapped_column(BigInteger)
    response_bytes: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str]
    trace_id: Mapped[str | None]
    client_name: Mapped[str | None]
    project_id: Mapped[str] = mapped_column(server_default="")
