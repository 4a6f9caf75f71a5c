"""What the records of equal calls share is kept once: kinds; times become integers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson
import sqlalchemy as sa
from alembic import op

from interlock.telemetry.logs import get_logger

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BATCH = 5000  # records
SOME = 500  # digests of one query; older SQLite takes no more than 999 values
TOLD = 100_000  # records between two lines of the log
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PERIOD = 600_000_000  # microseconds
# The id of a record that is made of its request's, and what it has in addition.
WHOLE, OF_REQUEST, MORE = 26, 20, "000000"

USED_LATER = """
UPDATE record_kinds SET last_period = :period WHERE number = :number AND last_period < :period
"""

TEXT_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

Traits: TypeAlias = tuple[Any, ...]

_LOG = get_logger("interlock.migrations")


def _columns_of_kinds() -> list[sa.Column[Any]]:
    return [
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
        sa.Column("client_name", sa.String()),
    ]


def _columns_of_records() -> list[sa.Column[Any]]:
    return [
        sa.Column("queue_ms", sa.Double[float](), nullable=False),
        sa.Column("upstream_ms", sa.Double[float]()),
        sa.Column("total_ms", sa.Double[float](), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
    ]


SHARED = tuple(column.name for column in _columns_of_kinds())
# What is the same for all records of a kind, and what each has of its own.
ALIKE = ("project_id", *SHARED)
OWN = (*(column.name for column in _columns_of_records()), "request_id", "trace_id", "time")
SERVER = ALIKE.index("server")


def _projects() -> sa.Table:
    return sa.Table(
        "record_projects",
        sa.MetaData(),
        sa.Column("number", NUMBER, nullable=False, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_record_projects"),
        sa.UniqueConstraint("id", name="uq_record_projects_id"),
        sqlite_autoincrement=True,
    )


def _kinds() -> sa.Table:
    return sa.Table(
        "record_kinds",
        _projects().metadata,
        sa.Column("number", NUMBER, nullable=False, autoincrement=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_period", sa.BigInteger(), nullable=False),
        sa.Column("project_number", NUMBER, nullable=False),
        *_columns_of_kinds(),
        sa.PrimaryKeyConstraint("number", name="pk_record_kinds"),
        sa.UniqueConstraint("digest", name="uq_record_kinds_digest"),
        sa.ForeignKeyConstraint(
            ["project_number"],
            ["record_projects.number"],
            name="fk_record_kinds_project_number_record_projects",
        ),
        sa.Index("ix_record_kinds_last_period", "last_period"),
        sqlite_autoincrement=True,
    )


def _sightings() -> sa.Table:
    return sa.Table(
        "record_sightings",
        sa.MetaData(),
        sa.Column("project_number", NUMBER, nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_number", "server", "period", name="pk_record_sightings"),
        sqlite_with_rowid=False,
    )


def _records() -> sa.Table:
    is_noted = sa.text("request_id IS NOT NULL")
    return sa.Table(
        "records",
        sa.MetaData(),
        sa.Column("project_number", NUMBER, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("id", TEXT_ID, nullable=False),
        sa.Column("kind_number", NUMBER, nullable=False),
        *_columns_of_records(),
        sa.Column("request_id", sa.String()),
        sa.Column("trace_id", sa.String()),
        sa.PrimaryKeyConstraint("project_number", "time", "id", name="pk_records"),
        sa.UniqueConstraint("id", name="uq_records_id"),
        sa.Index(
            "ix_records_request_id",
            "request_id",
            sqlite_where=is_noted,
            postgresql_where=is_noted,
        ),
        sqlite_with_rowid=False,
    )


def _records_before() -> sa.Table:
    *shared, client_name = _columns_of_kinds()
    return sa.Table(
        "records",
        sa.MetaData(),
        sa.Column("id", TEXT_ID, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        *shared,
        *_columns_of_records(),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("trace_id", sa.String()),
        client_name,
        sa.Column("project_id", sa.String(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sa.Index("ix_records_project_time", "project_id", "time", "id"),
        sa.Index("ix_records_project_server_time", "project_id", "server", "time", "id"),
        sa.Index("ix_records_time", "time"),
    )


class _Call:
    """One record of before: its id, what it has in common with others, and what is its own."""

    __slots__ = ("id", "own", "period", "time", "traits")

    def __init__(self, record_id: str, traits: Traits, own: tuple[Any, ...]) -> None:
        self.id, self.traits, self.own = record_id, traits, own
        moment: datetime = own[-1]
        # SQLite forgets the zone.
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        self.time = (aware - EPOCH) // MICROSECOND
        self.period = self.time // PERIOD

    def row(self, project: int, kind: int) -> tuple[Any, ...]:
        """Return its values in the order of the new table's columns."""
        is_of_request = len(self.id) == WHOLE and self.id.endswith(MORE)
        own_id = self.id[:OF_REQUEST] if is_of_request else self.id
        *numbers, request_id, trace_id, _ = self.own
        noted = request_id if request_id != own_id else None
        return (project, self.time, own_id, kind, *numbers, noted, trace_id)


def upgrade() -> None:
    connection = op.get_bind()
    old = _set_aside(_records_before())
    kinds, sightings, records = _kinds(), _sightings(), _records()
    projects = kinds.metadata.tables["record_projects"]
    for table in (projects, kinds, sightings, records):
        table.create(connection)
    # Its values are checked and converted by nobody, which would take longer than all the rest.
    statement = str(records.insert().compile(dialect=connection.dialect))
    known: dict[str, int] = {}
    for rows in _batches(old, ("id", *ALIKE, *OWN)):
        calls = [_Call(row[0], row[1 : -len(OWN)], row[-len(OWN) :]) for row in rows]
        last: dict[Traits, int] = {}
        for call in calls:
            last[call.traits] = max(call.period, last.get(call.traits, call.period))
        for each in {traits[0] for traits in last} - known.keys():
            connection.execute(projects.insert().values(id=each))
            number = sa.select(projects.c.number).where(projects.c.id == each)
            known[each] = connection.execute(number).scalar_one()
        found = _numbers(kinds, last, known)
        seen = {(known[call.traits[0]], call.traits[SERVER], call.period) for call in calls}
        _see(sightings, seen)
        new = [call.row(known[call.traits[0]], found[call.traits]) for call in calls]
        connection.exec_driver_sql(statement, new)
    old.drop(connection)


def downgrade() -> None:
    new = _set_aside(_records())
    before, kinds = _records_before(), _kinds()
    projects = kinds.metadata.tables["record_projects"]
    before.create(op.get_bind())
    columns = [projects.c.id.label("project_id"), *(kinds.c[name] for name in SHARED)]
    whole = sa.select(*columns, kinds.c.number).join(
        projects, projects.c.number == kinds.c.project_number
    )
    names = new.c.keys()
    for rows in _batches(new, names):
        found: dict[int, Any] = {}
        for some in _some({row.kind_number for row in rows}):
            chosen = op.get_bind().execute(whole.where(kinds.c.number.in_(some)))
            found |= {kind["number"]: kind for kind in chosen.mappings()}
        old = [
            _old(dict(zip(names, row, strict=True)), found[row.kind_number]) for row in rows
        ]
        op.get_bind().execute(before.insert(), old)
    for table in (new, _sightings(), kinds, projects):
        table.drop(op.get_bind())


def _set_aside(table: sa.Table) -> sa.Table:
    """Give a table of records and its keys other names, and return it without its indexes."""
    for index in tuple(table.indexes):
        index.drop(op.get_bind())
        table.indexes.discard(index)
    if op.get_bind().dialect.name == "postgresql":
        for key in table.constraints:
            op.execute(f"ALTER TABLE records RENAME CONSTRAINT {key.name} TO {key.name}_aside")
    op.rename_table("records", "records_aside")
    return table.to_metadata(sa.MetaData(), name="records_aside")


def _batches(table: sa.Table, names: Iterable[str]) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield all records of a table, by their ids, and tell the log how far that is."""
    connection, done = op.get_bind(), 0
    count = connection.scalar(sa.select(sa.func.count()).select_from(table))
    if not count:
        return
    _LOG.info("records are being rewritten", records=count)
    chosen = sa.select(*(table.c[name] for name in names)).order_by(table.c.id).limit(BATCH)
    rows = connection.execute(chosen).all()
    while rows:
        yield rows
        done += len(rows)
        if done % TOLD < BATCH and done < count:
            _LOG.info("records are being rewritten", records=count, done=done)
        rows = connection.execute(chosen.where(table.c.id > rows[-1].id)).all()
    _LOG.info("records are rewritten", records=done)


def _see(sightings: sa.Table, seen: set[tuple[int, str | None, int]]) -> None:
    """Note in which periods servers were called, where it is not noted yet."""
    # The other database's dialect would be loaded for nothing.
    if op.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert
    names = sightings.c.keys()
    rows = [dict(zip(names, each, strict=True)) for each in seen if each[1] is not None]
    if rows:
        op.get_bind().execute(insert(sightings).on_conflict_do_nothing(), rows)


def _numbers(
    kinds: sa.Table, last: Mapping[Traits, int], projects: Mapping[str, int]
) -> dict[Traits, int]:
    """Return the numbers of kinds; those that are new are made. `last` are their last periods."""
    digests = {blake2b(orjson.dumps(each), digest_size=20).digest(): each for each in last}
    found = _known(kinds, digests)
    later = [{"number": found[each], "period": last[digests[each]]} for each in found]
    if later:
        op.get_bind().execute(sa.text(USED_LATER), later)
    new: list[dict[str, Any]] = [
        {
            "digest": digest,
            "last_period": last[traits],
            "project_number": projects[traits[0]],
            **dict(zip(SHARED, traits[1:], strict=True)),
        }
        for digest, traits in digests.items()
        if digest not in found
    ]
    if new:
        op.get_bind().execute(kinds.insert(), new)
    found |= _known(kinds, [each["digest"] for each in new])
    return {digests[digest]: number for digest, number in found.items()}


def _known(kinds: sa.Table, digests: Iterable[bytes]) -> dict[bytes, int]:
    """Return the numbers of those kinds that there are, by their digests."""
    found: dict[bytes, int] = {}
    for some in _some(digests):
        asked = sa.select(kinds.c.digest, kinds.c.number).where(kinds.c.digest.in_(some))
        found |= {row.digest: row.number for row in op.get_bind().execute(asked)}
    return found


def _some(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield as many values at a time as one query takes."""
    whole = list(values)
    yield from (whole[at : at + SOME] for at in range(0, len(whole), SOME))


def _old(row: Mapping[Any, Any], kind: Mapping[Any, Any]) -> dict[str, Any]:
    record_id = row["id"]
    return {
        "id": record_id + MORE if len(record_id) == OF_REQUEST else record_id,
        **{name: kind[name] for name in ALIKE},
        **{name: row[name] for name in OWN},
        "time": EPOCH + row["time"] * MICROSECOND,
        "request_id": row["request_id"] if row["request_id"] is not None else record_id,
    }
