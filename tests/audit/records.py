"""Records for tests: one that says what matters, and arbitrary ones."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from interlock.audit.filters import RecordFilter
from interlock.audit.record import Outcome, Record
from interlock.audit.store import RecordStore
from interlock.protocol.versions import Era

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
SERVERS = ("time", "weather")
TARGETS = ("now", "file:///a")
METHODS = ("tools/call", "resources/read")
PEOPLE = ("ann", "bob")
MOMENTS = tuple(NOON + timedelta(microseconds=n) for n in range(4))
REQUESTS = ("r1", "r2")
DURATIONS = (0.0, 1.5, 20.0)


def record(**values: Any) -> Record:
    """Make a record of an ordinary call, with `values` in place of the ordinary ones."""
    ordinary: dict[str, Any] = {
        "time": NOON,
        "project": "p",
        "server": "time",
        "principal_kind": "key",
        "principal_id": "k1",
        "principal_name": "ann",
        "method": "tools/call",
        "target": "now",
        "era": Era.LEGACY,
        "transport": "streamable-http",
        "http_status": 200,
        "outcome": "ok",
        "queue_ms": 0.5,
        "upstream_ms": 3.0,
        "total_ms": 4.0,
        "request_id": "r1",
    }
    ordinary["project_id"] = values.get("project", "p")
    return Record(**{**ordinary, **values})


def some_records() -> st.SearchStrategy[list[Record]]:
    """Strategy: records of few values, so that many share a moment and filters find some."""
    one = st.builds(
        record,
        time=st.sampled_from(MOMENTS),
        server=st.none() | st.sampled_from(SERVERS),
        target=st.none() | st.sampled_from(TARGETS),
        method=st.sampled_from(METHODS),
        outcome=st.sampled_from(OUTCOMES),
        principal_id=st.sampled_from(PEOPLE),
        principal_name=st.sampled_from(PEOPLE),
        era=st.none() | st.sampled_from(Era),
        request_id=st.sampled_from(REQUESTS),
        total_ms=st.sampled_from(DURATIONS),
    )
    return st.lists(one, max_size=25)


def some_filters() -> st.SearchStrategy[RecordFilter]:
    """Strategy: filters over the values of `some_records`, mostly of one or two fields."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "server": st.sampled_from(SERVERS),
        "target": st.sampled_from(TARGETS),
        "method": st.sampled_from(METHODS),
        "outcome": st.sampled_from(OUTCOMES),
        "principal": st.sampled_from(PEOPLE),
        "era": st.sampled_from(Era),
        "since": st.sampled_from(MOMENTS),
        "until": st.sampled_from(MOMENTS),
        "request_id": st.sampled_from(REQUESTS),
        "min_ms": st.sampled_from(DURATIONS),
    }
    names = st.sets(st.sampled_from(sorted(fields)), max_size=2)
    chosen = names.flatmap(
        lambda some: st.fixed_dictionaries({name: fields[name] for name in some})
    )
    return chosen.map(lambda values: RecordFilter(**values))


def matches(one: Record, asked: RecordFilter) -> bool:
    """Tell in plain Python whether a filter asks for a record."""
    equal = ("server", "target", "method", "outcome", "era", "request_id")
    wanted = [(getattr(asked, name), getattr(one, name)) for name in equal]
    return (
        all(value is None or value == found for value, found in wanted)
        and asked.principal in (None, one.principal_id, one.principal_name)
        and (asked.since is None or one.time >= asked.since)
        and (asked.until is None or one.time < asked.until)
        and (asked.min_ms is None or one.total_ms >= asked.min_ms)
    )


async def all_of(store: RecordStore, project: str = "p") -> list[Record]:
    """Read all records of a project, newest first."""
    return [one async for page in store.pages(project, RecordFilter()) for one in page]


def newest_first(records: list[Record]) -> list[Record]:
    """Return records in the order in which readers see them."""
    return sorted(records, key=lambda one: (one.time, one.id), reverse=True)
