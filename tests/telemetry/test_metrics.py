"""What is counted of calls, and under which names."""

import pytest

from interlock.telemetry.families import Distribution, Family
from interlock.telemetry.metrics import BOUNDS, OTHER, OTHER_PROJECT, CallMetrics, CallSlot


def end(
    slot: CallSlot,
    outcome: str = "ok",
    reason: str | None = None,
    total: float = 0.02,
    upstream: float | None = 0.015,
) -> None:
    slot.ended(
        outcome,
        reason,
        total=total,
        queue=0.004,
        upstream=upstream,
        request_bytes=10,
        response_bytes=100,
    )


def points(metrics: CallMetrics, name: str) -> dict[tuple[str, ...], float | Distribution]:
    (family,) = [each for each in metrics.families() if each.name == name]
    return dict(family.points)


def test_calls_are_counted_by_tool_and_by_how_they_ended() -> None:
    metrics = CallMetrics()
    echo = metrics.slot("shop", "well", "tools/call", "echo")
    for outcome, reason in [("ok", None), ("ok", None), ("refused", "forbidden")]:
        end(echo, outcome, reason)
    end(metrics.slot("shop", "well", "tools/call", "add"), "tool_error")
    end(metrics.slot("shop", "", "tools/list", ""), "cancelled")

    at = ("shop", "well", "tools/call")
    assert points(metrics, "interlock_calls_total") == {
        (*at, "echo", "ok"): 2,
        (*at, "echo", "refused"): 1,
        (*at, "add", "tool_error"): 1,
        ("shop", "", "tools/list", "", "cancelled"): 1,
    }
    assert points(metrics, "interlock_call_errors_total") == {
        (*at, "echo", "forbidden"): 1,
        (*at, "add", "tool_error"): 1,
    }
    assert points(metrics, "interlock_call_request_bytes_total")[*at, "echo"] == 30
    assert points(metrics, "interlock_call_response_bytes_total")[*at, "echo"] == 300


def test_times_fall_into_the_bucket_whose_bound_they_do_not_exceed() -> None:
    metrics = CallMetrics()
    slot = metrics.slot("shop", "well", "tools/call", "echo")
    for seconds in (0.0005, 0.00051, 1.0, 301.0):
        end(slot, total=seconds)

    found = points(metrics, "interlock_call_seconds")["shop", "well", "tools/call", "echo"]
    assert isinstance(found, Distribution)
    filled = {at: count for at, count in enumerate(found.counts) if count}
    assert filled == {0: 1, 1: 1, BOUNDS.index(1.0): 1, len(BOUNDS): 1}
    assert found.total == pytest.approx(302.00101)


def test_a_call_that_no_server_got_counts_no_time_of_a_server() -> None:
    metrics = CallMetrics()
    slot = metrics.slot("shop", "well", "tools/call", "echo")
    end(slot, upstream=None)
    before = points(metrics, "interlock_upstream_seconds")["shop", "well"]
    end(slot, upstream=0.015)

    assert before == Distribution(BOUNDS, (0,) * (len(BOUNDS) + 1), 0.0)
    for name, seconds in {"queue": 0.004, "upstream": 0.015}.items():
        found = points(metrics, f"interlock_{name}_seconds")["shop", "well"]
        assert isinstance(found, Distribution)
        assert (sum(found.counts), found.total) == (1, seconds)


@pytest.mark.parametrize("method", ["GET", "subscriptions/listen"])
def test_streams_are_counted_and_not_timed(method: str) -> None:
    metrics = CallMetrics()
    end(metrics.slot("shop", "", method, ""), total=3600.0)

    found = points(metrics, "interlock_call_seconds")["shop", "", method, ""]
    assert isinstance(found, Distribution)
    assert sum(found.counts) == 0
    assert points(metrics, "interlock_calls_total") == {("shop", "", method, "", "ok"): 1}


def test_tools_beyond_the_limit_are_counted_together() -> None:
    metrics = CallMetrics(tools=3)
    for number in range(5):
        for _ in range(2):
            end(metrics.slot("shop", "well", "tools/call", f"t{number}"))

    at = ("shop", "well", "tools/call")
    assert points(metrics, "interlock_calls_total") == {
        (*at, "t0", "ok"): 2,
        (*at, "t1", "ok"): 2,
        (*at, "t2", "ok"): 2,
        (*at, OTHER, "ok"): 4,
    }


def test_servers_beyond_the_limit_are_counted_together() -> None:
    metrics = CallMetrics(servers=2)
    for number in range(4):
        end(metrics.slot("shop", f"s{number}", "ping", ""))

    assert points(metrics, "interlock_calls_total") == {
        ("shop", "s0", "ping", "", "ok"): 1,
        ("shop", "s1", "ping", "", "ok"): 1,
        (OTHER_PROJECT, OTHER, "ping", "", "ok"): 2,
    }
    assert len(points(metrics, "interlock_upstream_seconds")) == 3


def test_a_method_that_a_client_made_up_becomes_no_label() -> None:
    metrics = CallMetrics()
    for number in range(100):
        end(metrics.slot("shop", "", f"made/up{number}", ""))

    assert points(metrics, "interlock_calls_total") == {("shop", "", OTHER, "", "ok"): 100}


def test_a_name_is_cut_and_made_writable() -> None:
    metrics = CallMetrics()
    long, broken = "x" * 1000, "a\udcff"
    end(metrics.slot("shop", "well", "tools/call", long))
    end(metrics.slot("shop", "well", "tools/call", long + "y"))
    end(metrics.slot("shop", "well", "tools/call", broken))

    found = {each[3] for each in points(metrics, "interlock_calls_total")}
    assert found == {"x" * 128, "a?"}


def test_the_same_names_lead_to_the_same_slot() -> None:
    metrics = CallMetrics(tools=1)
    first = metrics.slot("shop", "well", "tools/call", "echo")

    assert metrics.slot("shop", "well", "tools/call", "echo") is first
    beyond = metrics.slot("shop", "well", "tools/call", "another")
    assert metrics.slot("shop", "well", "tools/call", "a third") is beyond


def test_families_say_what_unit_they_are_in() -> None:
    endings = {"counter": ("_total",), "histogram": ("_seconds",)}

    def is_well_named(family: Family) -> bool:
        return family.name.startswith("interlock_") and family.name.endswith(endings[family.kind])

    families = CallMetrics().families()
    assert [each.name for each in families if not is_well_named(each)] == []
