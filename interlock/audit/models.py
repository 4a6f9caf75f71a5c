"""The tables of records: what each call has of its own, what equal ones share, and where to look.

How each database lays them out (SQLite without row ids, the index on request ids for those that are
noted alone) is said where they are made, in the migrations: to say it here would load the dialects
of both.
"""

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from interlock.storage.database import Base

# Pages are cut between ids, so both databases must compare them byte by byte.
_ID = String().with_variant(String(collation="C"), "postgresql")
# SQLite numbers the rows of a table by itself only where their type is this one.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class RecordProjectRow(Base):
    """A project that has records, and the number that stands for its id in them."""

    __tablename__ = "record_projects"

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)


class RecordKindRow(Base):
    """What the records of equal calls share, known by its `digest`; no number is given twice.

    No record of it is younger than `last_period`, in which one was last written.
    """

    __tablename__ = "record_kinds"

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    last_period: Mapped[int] = mapped_column(BigInteger, index=True)
    project_number: Mapped[int] = mapped_column(_NUMBER, ForeignKey("record_projects.number"))
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
    client_name: Mapped[str | None]


class RecordSightingRow(Base):
    """A period in which a server was called, or may have been; each of its records is in one."""

    __tablename__ = "record_sightings"

    project_number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=False)
    server: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class RecordRow(Base):
    """One call: what it has of its own, kept in the order in which pages show it.

    `time` is in microseconds since 1970. Where `request_id` is null it is the id itself, which then
    is that of a request. The kind is no foreign key, for that would be looked up for every record:
    `kinds.py` says why it is always there.
    """

    __tablename__ = "records"
    __table_args__ = (Index("ix_records_request_id", "request_id"),)

    project_number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=False)
    time: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(_ID, primary_key=True, unique=True)
    kind_number: Mapped[int] = mapped_column(_NUMBER)
    queue_ms: Mapped[float] = mapped_column(Double)
    upstream_ms: Mapped[float | None] = mapped_column(Double)
    total_ms: Mapped[float] = mapped_column(Double)
    request_bytes: Mapped[int] = mapped_column(BigInteger)
    response_bytes: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str | None]
    trace_id: Mapped[str | None]
