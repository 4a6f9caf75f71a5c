"""Spans and numbers as a real collector decodes them."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr
from typing import Any

import pytest

from interlock.errors import BadInput
from interlock.settings import TelemetrySettings
from interlock.telemetry.families import Distribution, Family
from interlock.telemetry.logs import configure_logging
from interlock.telemetry.otlp import OTLP, read_headers
from interlock.telemetry.spans import context_of
from tests.support.collector import Collected, collecting, facts
from tests.support.processes import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = context_of({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=1"})
UNSAMPLED = context_of({"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})
FAMILIES = [
    Family("interlock_calls_total", "counter", "Calls.", ("tool",), ((("x",), 3.0), (("",), 1.0))),
    Family("interlock_server_up", "gauge", "Up.", ("server",), ((("well",), 1.0),)),
    Family(
        "interlock_call_seconds",
        "histogram",
        "Times.",
        ("method", "tool"),
        ((("tools/call", "x"), Distribution((0.1, 1.0), (1, 0, 2), 9.5)),),
    ),
    Family("process_resident_memory_bytes", "gauge", "Bytes.", (), (((), 5.0),)),
    Family("nothing_total", "counter", "Nothing.", (), ()),
]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def telling(url: str, **settings: Any) -> AsyncIterator[OTLP]:
    """Tell a collector, and send what waits when the block ends."""
    values = {"otlp_endpoint": url, **settings}
    otlp = OTLP(TelemetrySettings.model_validate(values), version="1.2", process=3)
    try:
        yield otlp
    finally:
        await otlp.close()


async def test_a_call_and_what_its_server_did_are_two_spans_of_the_clients_trace() -> None:
    with collecting() as collected:
        async with telling(collected.url) as otlp:
            span = otlp.begin(SAMPLED, 1_000)
            child = span.child(2_000)
            child.end(3_000, "tools/call x", {"interlock.server": "s"}, None)
            span.end(4_000, "tools/call x", {"http.response.status_code": 200}, "tool_error")

    inner, outer = collected.spans
    assert (outer.trace_id.hex(), inner.trace_id.hex()) == (TRACE, TRACE)
    assert outer.parent_span_id.hex() == "b7ad6b7169203331"
    assert inner.parent_span_id == outer.span_id
    assert child.context.traceparent == f"00-{TRACE}-{inner.span_id.hex()}-01"
    assert child.context.tracestate == "a=1"
    assert (outer.kind, inner.kind) == (outer.SPAN_KIND_SERVER, inner.SPAN_KIND_CLIENT)
    assert [(each.start_time_unix_nano, each.end_time_unix_nano) for each in (outer, inner)] == [
        (1_000, 4_000),
        (2_000, 3_000),
    ]
    assert facts(outer.attributes) == {"http.response.status_code": 200, "error.type": "tool_error"}
    assert facts(inner.attributes) == {"interlock.server": "s"}
    assert (outer.status.code, inner.status.code) == (
        outer.status.STATUS_CODE_ERROR,
        inner.status.STATUS_CODE_UNSET,
    )


async def test_a_trace_that_the_client_does_not_record_is_not_told_and_is_passed_on() -> None:
    with collecting() as collected:
        async with telling(collected.url) as otlp:
            span = otlp.begin(UNSAMPLED, 1_000)
            child = span.child(2_000)
            child.end(3_000, "x", {}, None)
            span.end(4_000, "x", {}, None)

    assert collected.spans == []
    assert child.context.trace_id == TRACE
    assert child.context.traceparent.endswith("-00")


@pytest.mark.parametrize(("ratio", "told"), [(0.0, 0), (1.0, 5)])
async def test_of_traces_begun_here_the_share_is_told_that_is_set(ratio: float, told: int) -> None:
    with collecting() as collected:
        async with telling(collected.url, sample_ratio=ratio) as otlp:
            for _ in range(5):
                otlp.begin(None, 1_000).end(2_000, "x", {}, None)

    assert len(collected.spans) == told


async def test_numbers_keep_their_values_and_get_the_conventions_names() -> None:
    with collecting() as collected:
        async with telling(collected.url) as otlp:
            task = asyncio.create_task(otlp.tell_numbers(lambda: FAMILIES))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    found = collected.metrics
    assert set(found) == {
        "interlock_calls",
        "interlock_server_up",
        "mcp.server.operation.duration",
        "process_resident_memory",
    }
    calls = found["interlock_calls"].sum
    assert calls.is_monotonic
    assert [(facts(each.attributes), each.as_double) for each in calls.data_points] == [
        ({"gen_ai.tool.name": "x"}, 3.0),
        ({}, 1.0),
    ]
    (times,) = found["mcp.server.operation.duration"].histogram.data_points
    assert (times.count, times.sum, list(times.bucket_counts)) == (3, 9.5, [1, 0, 2])
    assert not times.HasField("min")
    assert facts(times.attributes) == {"mcp.method.name": "tools/call", "gen_ai.tool.name": "x"}
    assert found["process_resident_memory"].unit == "By"


async def test_the_collector_learns_which_service_it_is_and_gets_the_headers() -> None:
    with collecting() as collected:
        settings = {
            "otlp_headers": "X-Team = blue ,authorization=Bearer abc",
            "service_name": "gate",
        }
        async with telling(collected.url, **settings) as otlp:
            otlp.begin(None, 1_000).end(2_000, "x", {}, None)

    (resource,) = collected.resources
    assert (resource["service.name"], resource["service.version"]) == ("gate", "1.2")
    assert resource["interlock.worker"] == "3"
    assert collected.headers[0]["x-team"] == "blue"
    assert collected.headers[0]["authorization"] == "Bearer abc"


async def test_standard_variables_count_where_no_setting_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-environment")

    async def told() -> Collected:
        with collecting() as collected:
            async with telling(collected.url) as otlp:
                otlp.begin(None, 1_000).end(2_000, "x", {}, None)
        return collected

    (resource,) = (await told()).resources
    assert resource["service.name"] == "from-environment"
    assert resource["deployment.environment"] == "test"
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    assert (await told()).resources[0]["service.name"] == "interlock"


async def test_a_collector_that_is_gone_holds_nobody_up() -> None:
    caught = io.StringIO()
    with redirect_stderr(caught):
        configure_logging("info", "json")
        started = time.monotonic()
        async with telling(
            f"http://127.0.0.1:{free_port()}", otlp_headers="key=s3cretvalue"
        ) as otlp:
            for _ in range(10):
                otlp.begin(None, 1_000).end(2_000, "x", {}, None)

    assert time.monotonic() - started < 30
    assert "opentelemetry" in caught.getvalue()
    assert "s3cretvalue" not in caught.getvalue()


@pytest.mark.parametrize("wrong", ["abc", "=abc", "a=1,,b=2"])
def test_headers_that_cannot_be_read_are_refused_without_repeating_them(wrong: str) -> None:
    settings = TelemetrySettings.model_validate({"otlp_headers": wrong})

    with pytest.raises(BadInput) as refusal:
        read_headers(settings)

    assert "INTERLOCK_TELEMETRY__OTLP_HEADERS" in refusal.value.message
    assert wrong not in refusal.value.message
