"""Records as rows: the statements that write a batch, and their values as the drivers take them.

A record is written for every call, and SQLAlchemy's checks and conversions of each value would cost
more than the database does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Dialect, Insert, Table, TableClause, column, table

from interlock.audit.models import RecordRow
from interlock.audit.record import Model, Record, Repeat, fitted

TOGETHER: Final = 32  # rows of one statement; older SQLite takes no more than 999 values
TABLE: Final = cast("Table", RecordRow.__table__)
_PLAIN: Final = tuple(each.name for each in fields(Record) if each.name not in {"time", "era"})
_COLUMNS: Final = ("time", "era", *_PLAIN)
_REST: Final = attrgetter(*_PLAIN)
# What each repeat has of its own: first all but its model and its moment, as it has them.
_OWN: Final = (*Repeat._fields[2:], "time", "id")
# A call that ended well has none of these; SQLite's driver takes far longer for None than for text.
_NEVER: Final = frozenset({"rpc_code", "reason", "trace_id"})

Row: TypeAlias = tuple[Any, ...]


class Rows:
    """Writes out batches of records for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._shared = tuple(each for each in _COLUMNS if each not in {*_OWN, *_NEVER})
        self._whole = _Insert(dialect, _COLUMNS)
        self._repeat = _Insert(dialect, (*_OWN, *self._shared))
        self._second, self._written = -1, ""

    def statements(self, records: Sequence[Record | Repeat]) -> Iterator[tuple[str, list[Row]]]:
        """Yield statements, each with the rows of values that it is to be executed with."""
        others = [self._row(fitted(each)) for each in records if isinstance(each, Record)]
        repeats = [self._repeated(each) for each in records if isinstance(each, Repeat)]
        yield from self._executions(self._whole, others)
        yield from self._executions(self._repeat, repeats)

    def _executions(self, insert: "_Insert", rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
        # Each execution in SQLite lets go of the interpreter and has to wait for it again while
        # calls are served, so that many rows are written by one.
        whole = len(rows) - len(rows) % TOGETHER if self._is_sqlite else 0
        if whole:
            starts = range(0, whole, TOGETHER)
            yield insert.many, [_joined(rows[at : at + TOGETHER]) for at in starts]
        if len(rows) > whole:
            yield insert.one, rows[whole:]

    def _row(self, record: Record) -> Row:
        moment = record.time.astimezone(UTC)
        text = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
        return (text if self._is_sqlite else moment, *_others(record))

    def _repeated(self, call: Repeat) -> Row:
        shared = call.model.row
        if shared is None:
            shared = call.model.row = self._share(call.model)
        return (*call[2:], self._moment(call.began), call.id, *shared)

    def _share(self, model: Model) -> Row:
        values = dict(zip(_COLUMNS[1:], _others(fitted(model.record)), strict=True))
        if self._is_sqlite:
            values["tool_error"] = int(bool(values["tool_error"]))
        return tuple(values[name] for name in self._shared)

    def _moment(self, began: float) -> str | datetime:
        if not self._is_sqlite:
            return datetime.fromtimestamp(began, UTC)
        second, micros = divmod(round(began * 1_000_000), 1_000_000)
        if second != self._second:
            # The text of a second is written once.
            self._second = second
            self._written = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}."
        # The quickest way to six digits, as a format takes twice as long.
        return self._written + str(1_000_000 + micros)[1:]


class _Insert:
    """A statement for one row and for `TOGETHER`, which leaves records alone that are there.

    The values of a row are those of `names`, in this order.
    """

    def __init__(self, dialect: Dialect, names: tuple[str, ...]) -> None:
        place = table(TABLE.name, *(column(name, TABLE.c[name].type) for name in names))
        self.one = str(
            _insert_into(place, is_sqlite=dialect.name == "sqlite").compile(dialect=dialect)
        )
        begin, values, rest = self.one.partition("VALUES ")
        row, end, rest = rest.partition(")")
        self.many = f"{begin}{values}{', '.join([row + end] * TOGETHER)}{rest}"


def _insert_into(place: TableClause, *, is_sqlite: bool) -> Insert:
    # The other database's dialect and its driver would be loaded for nothing.
    if is_sqlite:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    return insert(place).on_conflict_do_nothing(index_elements=["id"])


def _joined(rows: Sequence[Row]) -> Row:
    values: list[Any] = []
    for row in rows:
        values += row
    return tuple(values)


def _others(record: Record) -> Row:
    """Return the values of all columns but the first."""
    return (record.era.value if record.era is not None else None, *_REST(record))
