"""All SQL on records but that of their kinds: batches in, pages out, old ones away."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Executable,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from interlock.audit.filters import Position, RecordFilter
from interlock.audit.kinds import KINDS, PERIOD, PROJECTS, SHARED, SIGHTINGS, Kinds
from interlock.audit.record import Record, Repeat, is_record_id, microseconds, moment_at
from interlock.audit.rows import TABLE, Batch, Rows, stored_id, whole_id
from interlock.audit.statistics import BOUNDS_MS, Span, Tally
from interlock.errors import NotFound, Unavailable
from interlock.protocol.versions import Era
from interlock.storage.database import Database
from interlock.storage.outage import DatabaseUnavailable

_OWN: Final = ("id", "time", "request_id", "trace_id", "queue_ms", "upstream_ms", "total_ms")
_SIZES: Final = ("request_bytes", "response_bytes")
_NAMES: Final = (*_OWN, *_SIZES, *SHARED)
_EQUAL: Final = ("server", "target", "method", "outcome", "era")


class RecordsUnavailable(Unavailable):
    """The database of records does not answer, or refuses to write."""

    reason = "records_unavailable"


class RecordStore:
    """The records in the database. Every method raises RecordsUnavailable where it fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_lateral = database.engine.dialect.name != "sqlite"
        self._rows = Rows(database.engine.dialect)
        self._kinds = Kinds(database.engine.dialect)

    async def add(self, records: Sequence[Record | Repeat]) -> None:
        """Write a batch in one transaction; records that are already there stay as they are."""
        batch = Batch(records)
        async with self._writing() as session:
            connection = await session.connection()
            numbers = await self._kinds.numbers(connection, batch.kinds, batch.times)
            for statement, rows in self._rows.statements(batch, numbers):
                await connection.exec_driver_sql(statement, rows)

    async def get(self, project_id: str, record_id: str) -> Record:
        """Return one record. Raises NotFound."""
        asked = _records(project_id, by_id=True).where(TABLE.c.id == stored_id(record_id))
        found = await self._read(project_id, asked) if is_record_id(record_id) else []
        if not found:
            raise NotFound("This project has no such record.")
        return found[0]

    async def page(
        self, project_id: str, asked: RecordFilter, *, after: Position | None, limit: int
    ) -> list[Record]:
        """Return up to `limit` records, newest first, that come `after` a position in the list."""
        chosen = _records(project_id, by_id=asked.request_id is not None)
        chosen = chosen.where(*_conditions(asked))
        if after is not None:
            place = literal(microseconds(after.time)), literal(stored_id(after.id))
            chosen = chosen.where(tuple_(TABLE.c.time, TABLE.c.id) < tuple_(*place))
        if asked.server is None or asked.request_id is not None:
            return await self._read(project_id, _newest(chosen, TABLE, limit))
        within = _periods(project_id, asked, after)
        by_period = _by_lateral if self._has_lateral else _by_join
        return await self._read(project_id, by_period(chosen, within, limit))

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
        length = span.step // timedelta(microseconds=1)
        step = (TABLE.c.time - microseconds(span.since)) // length
        alike = (step, KINDS.c.outcome, _DURATION)
        asked = select(*alike, func.count()).select_from(_WITH_KINDS)
        return await self._tally(asked.where(*_within(project_id, span)).group_by(*alike))

    async def tallies_by_tool(self, project_id: str, span: Span) -> list[Tally]:
        """Count the records of a span that are alike; the key is server, and tool if one was called."""
        number = TABLE.c.kind_number
        each = select(number, _DURATION.label("duration"), func.count().label("count"))
        each = each.where(*_within(project_id, span)).group_by(number, _DURATION).subquery()
        tool = case((KINDS.c.method == "tools/call", KINDS.c.target), else_=None)
        alike = (KINDS.c.server, tool, KINDS.c.outcome, each.c.duration)
        count = sql_cast(func.sum(each.c.count), BigInteger)
        asked = select(*alike, count).join_from(each, KINDS, KINDS.c.number == each.c.kind_number)
        return await self._tally(asked.group_by(*alike))

    async def _tally(self, asked: Executable) -> list[Tally]:
        async with self._reading() as session:
            rows = cast("Sequence[tuple[Any, ...]]", (await session.execute(asked)).all())
        return [Tally(tuple(row[:-3]), *row[-3:]) for row in rows]

    async def delete_before(self, moment: datetime, *, limit: int) -> int:
        """Delete up to `limit` of the oldest records from before `moment`, each project's in turn.

        Where there are fewer, kinds go that have no record any more. Return how many both were:
        less than `limit` where there is nothing left to delete.
        """
        before = microseconds(moment)
        old = select(TABLE.c.id).select_from(PROJECTS).where(TABLE.c.time < before)
        old = old.join(TABLE, TABLE.c.project_number == PROJECTS.c.number)
        old = old.order_by(TABLE.c.project_number, TABLE.c.time).limit(limit)
        async with self._writing() as session:
            gone = await session.execute(delete(TABLE).where(TABLE.c.id.in_(old)))
            count = cast("CursorResult[Any]", gone).rowcount
            if count == limit:
                return count
            connection = await session.connection()
            return count + await self._kinds.forget(connection, before, limit=limit - count)

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncSession]:
        try:
            async with self._database.transaction() as session:
                yield session
        except (SQLAlchemyError, DatabaseUnavailable) as error:
            raise _unavailable(error) from error

    async def _read(self, project_id: str, chosen: Select[Any]) -> list[Record]:
        async with self._reading() as session:
            rows = (await session.execute(chosen)).all()
        return [_record(project_id, row) for row in rows]

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


_WITH_KINDS: Final = TABLE.join(KINDS, KINDS.c.number == TABLE.c.kind_number)
_COLUMNS: Final = (
    *(TABLE.c[name] for name in (*_OWN, *_SIZES)),
    *(KINDS.c[name] for name in SHARED),
)

_DURATION: Final = case(
    *((TABLE.c.total_ms <= bound, number) for number, bound in enumerate(BOUNDS_MS)),
    else_=len(BOUNDS_MS),
)


def _within(project_id: str, span: Span) -> list[ColumnElement[bool]]:
    times = _conditions(RecordFilter(since=span.since, until=span.until))
    return [TABLE.c.project_number == _number(project_id), *times]


def _number(project_id: str) -> ScalarSelect[int]:
    return select(PROJECTS.c.number).where(PROJECTS.c.id == project_id).scalar_subquery()


def _records(project_id: str, *, by_id: bool = False) -> Select[Any]:
    # SQLite would rather go through all records of a project than look a few ids up.
    number = TABLE.c.project_number + 0 if by_id else TABLE.c.project_number
    return select(*_COLUMNS).select_from(_WITH_KINDS).where(number == _number(project_id))


def _conditions(asked: RecordFilter) -> list[ColumnElement[bool]]:
    wanted = {name: getattr(asked, name) for name in _EQUAL}
    conditions: list[ColumnElement[bool]] = [
        KINDS.c[name] == value for name, value in wanted.items() if value is not None
    ]
    if asked.principal is not None:
        names = (KINDS.c.principal_id, KINDS.c.principal_name)
        conditions.append(or_(*(name == asked.principal for name in names)))
    if asked.since is not None:
        conditions.append(TABLE.c.time >= microseconds(asked.since))
    if asked.until is not None:
        conditions.append(TABLE.c.time < microseconds(asked.until))
    if asked.min_ms is not None:
        conditions.append(TABLE.c.total_ms >= asked.min_ms)
    if asked.request_id is not None:
        conditions.append(_is_of_request(asked.request_id))
    return conditions


def _is_of_request(request_id: str) -> ColumnElement[bool]:
    """Return the condition for records of a request, each way to which has an index."""
    found = TABLE.alias("found")
    is_id = select(found.c.id).where(found.c.id == request_id, found.c.request_id.is_(None))
    is_noted = select(found.c.id).where(found.c.request_id == request_id)
    return TABLE.c.id.in_(union_all(is_id, is_noted))


def _newest(
    chosen: Select[Any], place: FromClause, limit: int, *first: ColumnElement[Any]
) -> Select[Any]:
    return chosen.order_by(*first, place.c.time.desc(), place.c.id.desc()).limit(limit)


def _periods(
    project_id: str, asked: RecordFilter, after: Position | None
) -> list[ColumnElement[bool]]:
    """Return the conditions for the periods to look through: in which the server was called."""
    period = SIGHTINGS.c.period
    within = [
        SIGHTINGS.c.project_number == _number(project_id),
        SIGHTINGS.c.server == asked.server,
    ]
    if asked.since is not None:
        within.append(period >= microseconds(asked.since) // PERIOD)
    latest = [moment for moment in (asked.until, after.time if after else None) if moment]
    if latest:
        within.append(period <= microseconds(min(latest)) // PERIOD)
    return within


_IN_PERIOD: Final = (
    TABLE.c.time >= SIGHTINGS.c.period * PERIOD,
    TABLE.c.time < (SIGHTINGS.c.period + 1) * PERIOD,
)


def _by_join(chosen: Select[Any], within: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    """Go from period to period, the latest first, until there are enough records."""
    chosen = chosen.where(*within, *_IN_PERIOD)
    return _newest(chosen, TABLE, limit, SIGHTINGS.c.period.desc())


def _by_lateral(chosen: Select[Any], within: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    """Do the same in words that leave PostgreSQL, which would join all records first, no choice."""
    one = _newest(chosen.where(*_IN_PERIOD), TABLE, limit).correlate(SIGHTINGS).lateral("one")
    found = select(*one.c).select_from(SIGHTINGS.join(one, true())).where(*within)
    return _newest(found, one, limit, SIGHTINGS.c.period.desc())


def _record(project_id: str, row: Row[Any]) -> Record:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    if values["request_id"] is None:
        values["request_id"] = values["id"]
    values["id"], values["time"] = whole_id(values["id"]), moment_at(values["time"])
    if values["era"] is not None:
        values["era"] = Era(values["era"])
    return Record(project_id=project_id, **values)
