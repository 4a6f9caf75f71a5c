"""The tables of identity."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from interlock.storage.database import Base, UTCDateTime


class WorkspaceRow(Base):
    """A tenant."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ProjectRow(Base):
    """Some servers under one endpoint; names are unique in all workspaces, for URLs carry them."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(unique=True)
    naming: Mapped[str]
    aliases: Mapped[dict[str, str]] = mapped_column(JSON)
    open: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    rate_limit: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class PersonRow(Base):
    """Someone who signs in; the e-mail is kept in small letters."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_admin: Mapped[bool]
    must_change_password: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class LoginSessionRow(Base):
    """A login, found by the keyed hash of its token."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    last_seen: Mapped[datetime] = mapped_column(UTCDateTime)


class APIKeyRow(Base):
    """An API key, found by the keyed hash of its secret."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    role: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    prefix: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    access: Mapped[dict[str, list[str]] | None] = mapped_column(JSON(none_as_null=True))
    rate_limit: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
