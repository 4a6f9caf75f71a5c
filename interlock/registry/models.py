"""The tables of the registry."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from interlock.storage.database import Base, UTCDateTime


class ServerRow(Base):
    """A registered server; `target` is sealed, for commands, headers and addresses hold secrets."""

    __tablename__ = "servers"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    position: Mapped[int]
    transport: Mapped[str]
    target: Mapped[str]
    timeout: Mapped[float]
    auto_approve: Mapped[list[str]] = mapped_column(JSON)
    disabled: Mapped[bool]
    description: Mapped[str]
    limits: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CatalogueRow(Base):
    """What a server offered when it was last asked, as it said itself."""

    __tablename__ = "catalogues"

    server_id: Mapped[str] = mapped_column(
        ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True
    )
    eras: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    items: Mapped[dict[str, Any]] = mapped_column(JSON)
    ttl_ms: Mapped[int]
    is_private: Mapped[bool]
    fetched_at: Mapped[datetime] = mapped_column(UTCDateTime)
