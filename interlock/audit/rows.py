"""Records as rows: the statements that write a batch, and their values as the drivers take them.

A record is written for every call, and SQLAlchemy's checks and conversions of each value would cost
more than the database does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Dialect, Insert, Table

from interlock.audit.models import RecordRow
from interlock.audit.record import Model, Record, Repeat, fitted

TOGETHER: Final = 32  # rows of one statement; older SQLite takes no more than 999 values
TABLE: Final = cast("Table", RecordRow.__table__)
_PLAIN: Final = tuple(each.name for each in fields(Record) if each.name not in {"time", "era"})
_COLUMNS: Final = ("time", "era", *_PLAIN)
_REST: Final = attrgetter(*_PLAIN)
_OWN: Final = (
    *("id", "request_id", "queue_ms", "upstream_ms", "total_ms"),
    *("request_bytes", "response_bytes"),
)
_OF_REPEAT: Final = attrgetter(*_OWN)
# A call that ended well has none of these; SQLite's driver takes far longer for None than for text.
_NEVER: Final = frozenset({"rpc_code", "reason", "trace_id"})

Row: TypeAlias = tuple[Any, ...]


class Rows:
    """Writes out batches of records for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._whole = _Insert(dialect, _COLUMNS)
        self._repeat = _Insert(dialect, tuple(each for each in _COLUMNS if each not in _NEVER))
        # What is the same for repeats stands behind what is not.
        self._shared = tuple(each for each in self._repeat.given if each not in {"time", *_OWN})
        self._second = -1, ""

    def statements(self, records: Sequence[Record | Repeat]) -> Iterator[tuple[str, list[Row]]]:
        """Yield statements, each with the rows of values that it is to be executed with."""
        repeats = [each for each in records if isinstance(each, Repeat)]
        others = [each for each in records if not isinstance(each, Repeat)]
        yield from self._executions(self._whole, [self._row(fitted(each)) for each in others])
        yield from self._executions(self._repeat, [self._repeated(each) for each in repeats])

    def _executions(self, insert: "_Insert", rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
        # Each execution in SQLite lets go of the interpreter and has to wait for it again while
        # calls are served, so that many rows are written by one.
        whole = len(rows) - len(rows) % TOGETHER if self._is_sqlite else 0
        if whole:
            starts = range(0, whole, TOGETHER)
            yield insert.many, [tuple(chain(*rows[at : at + TOGETHER])) for at in starts]
        if len(rows) > whole:
            yield insert.one, rows[whole:]

    def _row(self, record: Record) -> Row:
        moment = record.time.astimezone(UTC)
        text = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
        return self._whole.ordered((text if self._is_sqlite else moment, *_others(record)))

    def _repeated(self, call: Repeat) -> Row:
        shared = call.model.row
        if shared is None:
            shared = call.model.row = self._share(call.model)
        return self._repeat.ordered((self._moment(call.began), *_OF_REPEAT(call), *shared))

    def _share(self, model: Model) -> Row:
        values = dict(zip(_COLUMNS[1:], _others(fitted(model.record)), strict=True))
        if self._is_sqlite:
            values["tool_error"] = int(bool(values["tool_error"]))
        return tuple(values[name] for name in self._shared)

    def _moment(self, began: float) -> str | datetime:
        if not self._is_sqlite:
            return datetime.fromtimestamp(began, UTC)
        second, micros = divmod(round(began * 1_000_000), 1_000_000)
        if second != self._second[0]:
            # The text of a second is written once.
            self._second = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}."
        return f"{self._second[1]}{micros:06}"


class _Insert:
    """A statement for one row and for `TOGETHER`, which leaves records alone that are there."""

    def __init__(self, dialect: Dialect, names: tuple[str, ...]) -> None:
        insert = _insert_of(is_sqlite=dialect.name == "sqlite")
        compiled = insert.compile(dialect=dialect, column_keys=list(names))
        self.one = str(compiled)
        begin, values, rest = self.one.partition("VALUES ")
        row, end, rest = rest.partition(")")
        self.many = f"{begin}{values}{', '.join([row + end] * TOGETHER)}{rest}"
        # As the values are given: what is a call's own comes first, then what is shared.
        own = ("time", *_OWN) if len(names) < len(_COLUMNS) else ("time",)
        self.given = (*own, *(each for each in names if each not in own))
        self.ordered = itemgetter(*(self.given.index(name) for name in compiled.positiontup or ()))


def _insert_of(*, is_sqlite: bool) -> Insert:
    # The other database's dialect and its driver would be loaded for nothing.
    if is_sqlite:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    return insert(TABLE).on_conflict_do_nothing(index_elements=["id"])


def _others(record: Record) -> Row:
    """Return the values of all columns but the first."""
    return (record.era.value if record.era is not None else None, *_REST(record))
