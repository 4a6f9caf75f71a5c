"""Kinds of records: what equal calls share is written once, and each record has its number.

Callers choose what they call and how they are called, so that kinds may be many; they go when no
record is of them any more. The kind of a record that is written is always there, whoever deletes
kinds meanwhile, for nothing is remembered of it from one transaction to the next:

- each batch asks for its kinds by their digests, in the transaction that writes it;
- those that were not used in the present period are marked as used, which locks their rows;
- only those are deleted that were last used long before the present.

Beside them it is noted in which periods each server was called, so that its records are found among
many others.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter, itemgetter
from time import time_ns
from typing import Any, Final, NamedTuple, TypeAlias, cast

import orjson
from sqlalchemy import Dialect, Table, bindparam, case, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from interlock.audit.models import RecordKindRow, RecordProjectRow, RecordSightingRow
from interlock.audit.record import Record
from interlock.storage.inserts import insert_for

KINDS: Final = cast("Table", RecordKindRow.__table__)
PROJECTS: Final = cast("Table", RecordProjectRow.__table__)
SIGHTINGS: Final = cast("Table", RecordSightingRow.__table__)
PERIOD: Final = 600_000_000  # microseconds
GRACE: Final = 24 * 3600 * 1_000_000 // PERIOD  # periods that the clocks of processes may differ by
TOGETHER: Final = 500  # kinds of one query; older SQLite takes no more than 999 values
SHARED: Final = (
    *("project", "server", "principal_kind", "principal_id", "principal_name", "method"),
    *("target", "era", "transport", "http_status", "rpc_code", "outcome", "reason"),
    *("tool_error", "client_name"),
)
"""What is the same for all records of a kind, beside their project's id."""

_NAMES: Final = ("project_id", *SHARED)
_VALUES: Final = attrgetter(*_NAMES)
_SERVER: Final = _NAMES.index("server")

Numbers: TypeAlias = tuple[int, int]
"""The numbers of a kind and of its project."""


class Traits(NamedTuple):
    """What tells a kind from others: its project's id and the values of `SHARED`, and their digest.

    Callers choose much of it, and must not be able to make their call look like another one: the
    digest is one of which nobody finds two alike.
    """

    digest: bytes
    values: tuple[Any, ...]


def traits_of(record: Record) -> Traits:
    """Return the traits of a record that was `fitted`."""
    values = _VALUES(record)
    return Traits(blake2b(orjson.dumps(values), digest_size=20).digest(), values)


class Kinds:
    """The table of kinds, with the projects that they are of and the sightings of their servers."""

    def __init__(self, dialect: Dialect) -> None:
        insert = insert_for(dialect)
        columns = (KINDS.c.digest, KINDS.c.number, KINDS.c.project_number, KINDS.c.last_period)
        wanted = KINDS.c.digest.in_(bindparam("digests", expanding=True))
        self._find = select(*columns).where(wanted)
        self._add_project = insert(PROJECTS).on_conflict_do_nothing()
        self._add_sighting = insert(SIGHTINGS).on_conflict_do_nothing()
        number = select(PROJECTS.c.number).where(PROJECTS.c.id == bindparam("project_id"))
        add = insert(KINDS).values(
            project_number=number.scalar_subquery(),
            **{name: bindparam(name) for name in ("digest", "last_period", *SHARED)},
        )
        new, old = add.excluded.last_period, KINDS.c.last_period
        use = add.on_conflict_do_update(
            index_elements=["digest"], set_={"last_period": case((new > old, new), else_=old)}
        ).compile(dialect=dialect)
        # Callers may make a kind with every call; then conversions would be most of what it costs.
        self._use, self._order = str(use), tuple(use.positiontup or ())

    async def numbers(
        self,
        connection: AsyncConnection,
        kinds: Mapping[bytes, Traits],
        times: Sequence[tuple[bytes, int]],
    ) -> dict[bytes, Numbers]:
        """Return the numbers of a batch's kinds by their digests; those that are new are made.

        `times` are those of the records that are to be written, with the digests of their kinds.
        The numbers hold in this transaction only.
        """
        newest = max(time for _, time in times)
        period = max(time_ns() // 1000, newest) // PERIOD
        # All writers come to kinds in one order, so that no two wait for each other.
        digests = sorted(kinds)
        found = await self._known(connection, digests)
        late = [each for each in digests if each not in found or found[each][2] != period]
        # Of a kind that is marked as used in a period, its server is known to be seen in that one.
        seen = {(each, period) for each in late}
        seen.update((each, time // PERIOD) for each, time in times if time < period * PERIOD)
        if late:
            await self._mark(connection, {each: kinds[each] for each in late}, period)
            found |= await self._known(connection, late)
        if seen:
            places = {(found[each][1], kinds[each].values[_SERVER], at) for each, at in seen}
            await self._see(connection, {place for place in places if place[1] is not None})
        return {digest: row[:2] for digest, row in found.items()}

    async def _known(
        self, connection: AsyncConnection, digests: list[bytes]
    ) -> dict[bytes, tuple[int, int, int]]:
        """Return the number, the project's and the last period of those kinds that there are."""
        found: dict[bytes, tuple[int, int, int]] = {}
        for at in range(0, len(digests), TOGETHER):
            some = {"digests": digests[at : at + TOGETHER]}
            rows = await connection.execute(self._find, some)
            found |= {row[0]: (row[1], row[2], row[3]) for row in rows}
        return found

    async def _mark(
        self, connection: AsyncConnection, late: Mapping[bytes, Traits], period: int
    ) -> None:
        """Mark kinds as used in a period, and make those that are not there."""
        projects = sorted({each.values[0] for each in late.values()})
        await connection.execute(self._add_project, [{"id": each} for each in projects])
        names = ("digest", "last_period", *_NAMES)
        order = itemgetter(*(names.index(name) for name in self._order))
        rows = [order((digest, period, *each.values)) for digest, each in late.items()]
        await connection.exec_driver_sql(self._use, rows)

    async def _see(self, connection: AsyncConnection, places: set[tuple[int, str, int]]) -> None:
        """Note the periods in which servers of projects were called."""
        names = tuple(SIGHTINGS.c.keys())
        rows = [dict(zip(names, place, strict=True)) for place in sorted(places)]
        if rows:
            await connection.execute(self._add_sighting, rows)

    async def forget(self, connection: AsyncConnection, moment: int, *, limit: int) -> int:
        """Delete what no record needs, where none is left from before `moment`.

        These are up to `limit` kinds, whose number is returned, and the sightings before it.
        """
        oldest = moment // PERIOD
        await connection.execute(delete(SIGHTINGS).where(SIGHTINGS.c.period < oldest))
        unused = select(KINDS.c.number).where(KINDS.c.last_period < oldest - GRACE).limit(limit)
        gone = await connection.execute(delete(KINDS).where(KINDS.c.number.in_(unused)))
        return gone.rowcount
