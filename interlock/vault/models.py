"""The table of wrapped data keys."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from interlock.storage.database import Base, UTCDateTime


class DataKeyRow(Base):
    """One data key, wrapped by the master key; a workspace's newest one seals."""

    __tablename__ = "data_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str] = mapped_column(index=True)
    wrapped: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
