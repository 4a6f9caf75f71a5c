"""All SQL on records: batches in, pages out, old ones away."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Insert,
    RowMapping,
    Table,
    case,
    delete,
    extract,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from interlock.audit.filters import Position, RecordFilter
from interlock.audit.models import RecordRow
from interlock.audit.record import Record, fitted, is_record_id
from interlock.audit.statistics import BOUNDS_MS, Span, Tally
from interlock.errors import NotFound, Unavailable
from interlock.protocol.versions import Era
from interlock.storage.database import Database
from interlock.storage.outage import DatabaseUnavailable

_TABLE: Final = cast("Table", RecordRow.__table__)
_PLAIN: Final = tuple(each.name for each in fields(Record) if each.name not in {"time", "era"})
_COLUMNS: Final = ("time", "era", *_PLAIN)
_REST: Final = attrgetter(*_PLAIN)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EQUAL: Final = ("server", "target", "method", "outcome", "era", "request_id")


class RecordsUnavailable(Unavailable):
    """The database of records does not answer, or refuses to write."""

    reason = "records_unavailable"


class RecordStore:
    """The records in the database. Every method raises RecordsUnavailable where it fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_sqlite = database.engine.dialect.name == "sqlite"
        insert = _insert_of(is_sqlite=self._is_sqlite)
        compiled = insert.compile(dialect=database.engine.dialect)
        self._insert = str(compiled)
        self._order = itemgetter(*(_COLUMNS.index(name) for name in compiled.positiontup or ()))

    async def add(self, records: Sequence[Record]) -> None:
        """Write a batch in one transaction; records that are already there stay as they are."""
        rows = [self._row(fitted(record)) for record in records]
        async with self._writing() as session:
            # By the driver itself: for every call a record is written, and the checks and
            # conversions of each value would cost more than the database does.
            connection = await session.connection()
            await connection.exec_driver_sql(self._insert, rows)

    def _row(self, record: Record) -> tuple[Any, ...]:
        """Return the values of a record as the driver takes them, in the order of the statement."""
        moment = record.time.astimezone(UTC)
        text = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
        era = record.era.value if record.era is not None else None
        values = (text if self._is_sqlite else moment, era, *_REST(record))
        return self._order(values)

    async def get(self, project_id: str, record_id: str) -> Record:
        """Return one record. Raises NotFound."""
        asked = select(_TABLE).where(_TABLE.c.project_id == project_id, _TABLE.c.id == record_id)
        found = await self._read(asked) if is_record_id(record_id) else []
        if not found:
            raise NotFound("This project has no such record.")
        return found[0]

    async def page(
        self, project_id: str, asked: RecordFilter, *, after: Position | None, limit: int
    ) -> list[Record]:
        """Return up to `limit` records, newest first, that come `after` a position in the list."""
        table = _TABLE.c
        chosen = select(_TABLE).where(table.project_id == project_id, *_conditions(asked))
        if after is not None:
            place = tuple_(literal(after.time, table.time.type), literal(after.id, table.id.type))
            chosen = chosen.where(tuple_(table.time, table.id) < place)
        return await self._read(chosen.order_by(table.time.desc(), table.id.desc()).limit(limit))

    async def pages(
        self, project_id: str, asked: RecordFilter, *, size: int = 500
    ) -> AsyncIterator[list[Record]]:
        """Yield all records page by page, newest first; no transaction stays open in between."""
        after: Position | None = None
        while page := await self.page(project_id, asked, after=after, limit=size):
            yield page
            after = Position.of(page[-1])

    async def tallies_by_step(self, project_id: str, span: Span) -> list[Tally]:
        """Count the records of a span that are alike; the key is the number of their step."""
        since = (span.since - _EPOCH) // timedelta(microseconds=1)
        passed = _microseconds(_TABLE.c.time, is_sqlite=self._is_sqlite) - since
        step = passed // (span.step // timedelta(microseconds=1))
        return await self._tally(project_id, span, step)

    async def tallies_by_tool(self, project_id: str, span: Span) -> list[Tally]:
        """Count the records of a span that are alike; the key is server, and tool if one was called."""
        tool = case((_TABLE.c.method == "tools/call", _TABLE.c.target), else_=None)
        return await self._tally(project_id, span, _TABLE.c.server, tool)

    async def _tally(self, project_id: str, span: Span, *key: ColumnElement[Any]) -> list[Tally]:
        table = _TABLE.c
        classes = [(table.total_ms <= bound, number) for number, bound in enumerate(BOUNDS_MS)]
        alike = (*key, table.outcome, case(*classes, else_=len(BOUNDS_MS)))
        conditions = _conditions(RecordFilter(since=span.since, until=span.until))
        asked = select(*alike, func.count()).where(table.project_id == project_id, *conditions)
        async with self._reading() as session:
            rows = cast(
                "Sequence[tuple[Any, ...]]", (await session.execute(asked.group_by(*alike))).all()
            )
        return [Tally(tuple(row[:-3]), *row[-3:]) for row in rows]

    async def delete_before(self, moment: datetime, *, limit: int) -> int:
        """Delete up to `limit` of the oldest records from before `moment`; return how many."""
        old = select(_TABLE.c.id).where(_TABLE.c.time < moment)
        old = old.order_by(_TABLE.c.time).limit(limit)
        async with self._writing() as session:
            gone = await session.execute(delete(_TABLE).where(_TABLE.c.id.in_(old)))
            return cast("CursorResult[Any]", gone).rowcount

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncSession]:
        try:
            async with self._database.transaction() as session:
                yield session
        except (SQLAlchemyError, DatabaseUnavailable) as error:
            raise _unavailable(error) from error

    async def _read(self, statement: Any) -> list[Record]:
        async with self._reading() as session:
            return [_record(row) for row in (await session.execute(statement)).mappings()]

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[AsyncSession]:
        try:
            async with self._database.reading() as session:
                yield session
        except (SQLAlchemyError, DatabaseUnavailable) as error:
            raise _unavailable(error) from error


def _insert_of(*, is_sqlite: bool) -> Insert:
    # The other database's dialect and its driver would be loaded for nothing.
    if is_sqlite:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    return insert(_TABLE).on_conflict_do_nothing(index_elements=["id"])


def _unavailable(error: SQLAlchemyError | DatabaseUnavailable) -> RecordsUnavailable:
    if isinstance(error, DatabaseUnavailable):
        return RecordsUnavailable(error.message)
    return RecordsUnavailable(f"The database of records does not answer ({type(error).__name__}).")


def _conditions(asked: RecordFilter) -> list[ColumnElement[bool]]:
    table = _TABLE.c
    wanted = {name: getattr(asked, name) for name in _EQUAL}
    conditions: list[ColumnElement[bool]] = [
        table[name] == value for name, value in wanted.items() if value is not None
    ]
    if asked.principal is not None:
        names = (table.principal_id, table.principal_name)
        conditions.append(or_(*(name == asked.principal for name in names)))
    if asked.since is not None:
        conditions.append(table.time >= asked.since)
    if asked.until is not None:
        conditions.append(table.time < asked.until)
    if asked.min_ms is not None:
        conditions.append(table.total_ms >= asked.min_ms)
    return conditions


def _microseconds(time: ColumnElement[datetime], *, is_sqlite: bool) -> ColumnElement[int]:
    """Return the expression for a moment as microseconds since 1970, which are exact."""
    if not is_sqlite:
        return sql_cast(extract("epoch", time) * 1_000_000, BigInteger)
    # SQLite keeps moments as text, whose fraction its own functions round.
    seconds = sql_cast(func.strftime("%s", time), BigInteger)
    return seconds * 1_000_000 + sql_cast(func.substr(time, 21, 6), BigInteger)


def _record(row: RowMapping) -> Record:
    values = dict(row)
    if values["era"] is not None:
        values["era"] = Era(values["era"])
    return Record(**{str(name): value for name, value in values.items()})
