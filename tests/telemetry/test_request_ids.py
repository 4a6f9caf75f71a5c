import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.telemetry.request_ids import SortableIds, new_request_id, trace_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def test_request_ids_are_short_sorted_and_unique() -> None:
    ids = [new_request_id() for _ in range(5000)]

    assert sorted(set(ids)) == ids
    assert {20} == {len(each) for each in ids}
    assert all(each.isalnum() and each.islower() for each in ids)


@given(st.lists(st.integers(min_value=0, max_value=1 << 44), min_size=1, max_size=50))
def test_ids_stay_in_order_whatever_the_clock_does(moments: list[int]) -> None:
    ids = SortableIds(length=26, clock=iter(moments).__next__)

    made = [ids.new() for _ in moments]

    assert sorted(set(made)) == made


def test_ids_of_two_processes_differ_within_a_millisecond() -> None:
    one, other = (SortableIds(length=20, clock=lambda: 1_700_000_000_000) for _ in range(2))

    made = [ids.new() for ids in (one, other) for _ in range(100)]

    assert len(set(made)) == 200
    assert len({each[:10] for each in made}) == 1


def test_threads_never_share_an_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    start = threading.Barrier(4)

    def fill(ids: list[str]) -> None:
        start.wait(timeout=30)
        ids.extend(new_request_id() for _ in range(2000))

    threads = [threading.Thread(target=fill, args=(ids,)) for ids in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len({each for ids in made for each in ids}) == 8000


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"cc-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-brings",
    ],
)
def test_a_valid_traceparent_gives_its_trace_id(header: str) -> None:
    assert trace_id_of(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        TRACE,
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{'٣' * 32}-{PARENT}-01",
    ],
)
def test_an_invalid_traceparent_gives_none(header: str | None) -> None:
    assert trace_id_of(header) is None
