from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.audit.record import (
    TEXT_LIMITS,
    fitted,
    is_record_id,
    new_record_id,
    resource_target,
)
from interlock.audit.store import RecordStore
from tests.audit.records import record


def test_record_ids_sort_by_the_order_in_which_they_were_made() -> None:
    ids = [new_record_id() for _ in range(1000)]

    assert sorted(set(ids)) == ids
    assert all(is_record_id(each) for each in ids)


@pytest.mark.parametrize("value", [None, 5, "", "x" * 25, "x" * 27, "é" * 26, "-" * 26])
def test_other_values_are_no_record_ids(value: Any) -> None:
    assert not is_record_id(value)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        record(time=datetime(2026, 1, 31))  # noqa: DTZ001 - the fault under test


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///a/b.txt", "file:///a/b.txt"),
        ("https://host/a?token=x#y", "https://host/a"),
        ("https://me:hunter2@host:8/a", "https://host:8/a"),
        ("mail:inbox?q=salary", "mail:inbox"),
        ("http://[broken/a?token=x", "http://[broken/a"),
    ],
)
def test_a_resource_is_named_without_query_and_credentials(uri: str, expected: str) -> None:
    assert resource_target(uri) == expected


def test_an_ordinary_record_fits_as_it_is() -> None:
    ordinary = record()

    assert fitted(ordinary) is ordinary


TEXT = st.text(st.characters(codec=None, categories=None), max_size=300)
WILD = st.fixed_dictionaries(
    {},
    optional={
        **{name: TEXT for name in TEXT_LIMITS if name != "id"},
        **dict.fromkeys(("http_status", "rpc_code", "request_bytes"), st.integers()),
        **dict.fromkeys(("queue_ms", "upstream_ms", "total_ms"), st.floats()),
        "time": st.datetimes(timezones=st.just(UTC)),
    },
)


@given(WILD)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_the_database_takes_every_record_whatever_its_caller_chose(
    store: RecordStore, values: dict[str, Any]
) -> None:
    wild = record(**values)
    ordinary = record(project=wild.project, id=new_record_id())

    await store.add([wild, ordinary])

    expected = fitted(wild)
    assert await store.get(expected.project_id, wild.id) == expected
    assert all(len(getattr(expected, name) or "") <= TEXT_LIMITS[name] for name in TEXT_LIMITS)


def test_what_does_not_fit_is_cut_and_the_rest_stays() -> None:
    long = record(target="x" * 1000, rpc_code=-(10**30), total_ms=float("nan"))

    expected = replace(long, target="x" * 256, rpc_code=-(1 << 63), total_ms=0.0)
    assert fitted(long) == expected
