"""The INSERT of the database in use, which knows what to do with rows that are there already."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect


def insert_for(dialect: Dialect) -> Callable[[Any], Any]:
    """Return SQLAlchemy's `insert` of a dialect; the other one and its driver are not loaded."""
    if dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    return insert
