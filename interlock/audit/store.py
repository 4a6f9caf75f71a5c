"""All SQL on records: batches in, pages out, old ones away."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    RowMapping,
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
from interlock.audit.record import Record, Repeat, is_record_id
from interlock.audit.rows import TABLE, Rows
from interlock.audit.statistics import BOUNDS_MS, Span, Tally
from interlock.errors import NotFound, Unavailable
from interlock.protocol.versions import Era
from interlock.storage.database import Database
from interlock.storage.outage import DatabaseUnavailable

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
        self._rows = Rows(database.engine.dialect)

    async def add(self, records: Sequence[Record | Repeat]) -> None:
        """Write a batch in one transaction; records that are already there stay as they are."""
        statements = list(self._rows.statements(records))
        async with self._writing() as session:
            connection = await session.connection()
            for statement, rows in statements:
                await connection.exec_driver_sql(statement, rows)

    async def get(self, project_id: str, record_id: str) -> Record:
        """Return one record. Raises NotFound."""
        asked = select(TABLE).where(TABLE.c.project_id == project_id, TABLE.c.id == record_id)
        found = await self._read(asked) if is_record_id(record_id) else []
        if not found:
            raise NotFound("This project has no such record.")
        return found[0]

    async def page(
        self, project_id: str, asked: RecordFilter, *, after: Position | None, limit: int
    ) -> list[Record]:
        """Return up to `limit` records, newest first, that come `after` a position in the list."""
        table = TABLE.c
        chosen = select(TABLE).where(table.project_id == project_id, *_conditions(asked))
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
        passed = _microseconds(TABLE.c.time, is_sqlite=self._is_sqlite) - since
        step = passed // (span.step // timedelta(microseconds=1))
        return await self._tally(project_id, span, step)

    async def tallies_by_tool(self, project_id: str, span: Span) -> list[Tally]:
        """Count the records of a span that are alike; the key is server, and tool if one was called."""
        tool = case((TABLE.c.method == "tools/call", TABLE.c.target), else_=None)
        return await self._tally(project_id, span, TABLE.c.server, tool)

    async def _tally(self, project_id: str, span: Span, *key: ColumnElement[Any]) -> list[Tally]:
        table = TABLE.c
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
        old = select(TABLE.c.id).where(TABLE.c.time < moment)
        old = old.order_by(TABLE.c.time).limit(limit)
        async with self._writing() as session:
            gone = await session.execute(delete(TABLE).where(TABLE.c.id.in_(old)))
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


def _unavailable(error: SQLAlchemyError | DatabaseUnavailable) -> RecordsUnavailable:
    if isinstance(error, DatabaseUnavailable):
        return RecordsUnavailable(error.message)
    return RecordsUnavailable(f"The database of records does not answer ({type(error).__name__}).")


def _conditions(asked: RecordFilter) -> list[ColumnElement[bool]]:
    table = TABLE.c
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
