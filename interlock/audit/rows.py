"""Records as rows: the statements that write a batch, and their values as the drivers take them.

A record is written for every call, and SQLAlchemy's checks and conversions of each value would cost
more than the database does.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Dialect, Table, column, table

from interlock.audit.kinds import Numbers, Traits, traits_of
from interlock.audit.models import RecordRow
from interlock.audit.record import (
    OF_REQUEST,
    RECORD_ID_LENGTH,
    Kind,
    Record,
    Repeat,
    fitted,
    microseconds,
)
from interlock.storage.inserts import insert_for
from interlock.telemetry.request_ids import REQUEST_ID_LENGTH

TOGETHER: Final = 50  # rows of one statement; older SQLite takes no more than 999 values
TABLE: Final = cast("Table", RecordRow.__table__)
_NUMBERS: Final = ("kind_number", "project_number")
# What each repeat has of its own, as it has it: the id of its request is what is kept of its own.
_REPEAT: Final = (
    *("queue_ms", "upstream_ms", "total_ms", "request_bytes", "response_bytes", "id", "time"),
    *_NUMBERS,
)
_COLUMNS: Final = (
    *("queue_ms", "upstream_ms", "total_ms", "request_bytes", "response_bytes"),
    *("request_id", "trace_id", "id", "time"),
    *_NUMBERS,
)

Row: TypeAlias = tuple[Any, ...]


def stored_id(record_id: str) -> str:
    """Return what is kept of a record's id: that of its request, where it is made of it.

    Sorted, they are in the same order as the ids themselves.
    """
    if len(record_id) == RECORD_ID_LENGTH and record_id.endswith(OF_REQUEST):
        return record_id[:REQUEST_ID_LENGTH]
    return record_id


def whole_id(stored: str) -> str:
    """Return the id of which `stored` was kept."""
    return stored + OF_REQUEST if len(stored) == REQUEST_ID_LENGTH else stored


class Batch:
    """Records on their way into the database, and the kinds that they are of, by their digests."""

    def __init__(self, records: Sequence[Record | Repeat]) -> None:
        self.kinds: dict[bytes, Traits] = {}
        # Of each the digest of its kind and its moment in microseconds since 1970.
        self.times: list[tuple[bytes, int]] = []
        self.repeats: list[tuple[bytes, int, Repeat]] = []
        self.others: list[tuple[bytes, int, Record]] = []
        for each in records:
            if isinstance(each, Repeat):
                traits, micros = each.kind.traits or _learn(each.kind), each.micros
                self.repeats.append((traits.digest, micros, each))
            else:
                record = fitted(each)
                traits, micros = traits_of(record), microseconds(record.time)
                self.others.append((traits.digest, micros, record))
            self.kinds[traits.digest] = traits
            self.times.append((traits.digest, micros))


class Rows:
    """Writes out batches of records for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._other = _Insert(dialect, _COLUMNS)
        self._repeat = _Insert(dialect, _REPEAT)

    def statements(
        self, batch: Batch, numbers: Mapping[bytes, Numbers]
    ) -> Iterator[tuple[str, list[Row]]]:
        """Yield statements, each with the rows of values that it is to be executed with."""
        others = [
            (*_own(record), micros, *numbers[digest]) for digest, micros, record in batch.others
        ]
        repeats = [(*call[2:], micros, *numbers[digest]) for digest, micros, call in batch.repeats]
        yield from self._executions(self._other, others)
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


class _Insert:
    """A statement for one row and for `TOGETHER`, which leaves records alone that are there.

    The values of a row are those of `names`, in this order.
    """

    def __init__(self, dialect: Dialect, names: tuple[str, ...]) -> None:
        place = table(TABLE.name, *(column(name, TABLE.c[name].type) for name in names))
        whole = insert_for(dialect)(place).on_conflict_do_nothing()
        self.one = str(whole.compile(dialect=dialect))
        begin, values, rest = self.one.partition("VALUES ")
        row, end, rest = rest.partition(")")
        self.many = f"{begin}{values}{', '.join([row + end] * TOGETHER)}{rest}"


def _joined(rows: Sequence[Row]) -> Row:
    return tuple(chain.from_iterable(rows))


def _own(record: Record) -> Row:
    """Return the values of a record as `_COLUMNS` has them, up to its time."""
    own = stored_id(record.id)
    return (
        record.queue_ms,
        record.upstream_ms,
        record.total_ms,
        record.request_bytes,
        record.response_bytes,
        record.request_id if record.request_id != own else None,
        record.trace_id,
        own,
    )


def _learn(kind: Kind) -> Traits:
    kind.traits = traits_of(fitted(kind.record))
    return kind.traits
