"""Traces from the client through the gateway to its servers, and what a collector sees of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration import servers
from tests.integration.clients import modern, modern_headers, open_session, request
from tests.requirements.puppet import Puppet, serving
from tests.support.collector import Collected, collecting, facts
from tests.support.program import RunningProgram, program

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PATH = "/mcp/default"
ERAS = ("legacy", "modern")


@asynccontextmanager
async def gateway(puppet: Puppet, **telemetry: Any) -> AsyncIterator[RunningProgram]:
    config = {"remote": {"url": puppet.url, "type": "http"}, "well": servers.sample()}
    async with program({"mcpServers": config}, telemetry=telemetry) as running:
        await running.up("remote", "well")
        yield running


async def call(
    running: RunningProgram, tool: str, meta: dict[str, str] | None = None, **headers: str
) -> str:
    """Call a tool, and return the id of the request."""
    body = modern("tools/call", {"name": tool, "arguments": {"message": "x"}})
    body["params"]["_meta"] = {**body["params"]["_meta"], **(meta or {})}
    named = {**modern_headers("tools/call", tool), **headers}
    answer = await running.client.post(PATH, json=body, headers=named)
    assert "result" in answer.json(), answer.text
    return answer.headers["x-request-id"]


def told(puppet: Puppet) -> tuple[str | None, str | None]:
    """Return the `traceparent` of the last call in its header and in its `_meta`."""
    last = puppet.received("tools/call")[-1]
    meta = last.message["params"].get("_meta", {})
    return last.headers.get("traceparent"), meta.get("traceparent")


async def spans(collected: Collected, count: int) -> list[Any]:
    """Wait for so many spans, oldest first."""
    await asyncio.to_thread(collected.until, lambda: len(collected.spans) >= count)
    return sorted(collected.spans, key=lambda span: (span.start_time_unix_nano, span.kind))


@pytest.mark.parametrize("era", ERAS)
async def test_without_a_collector_a_server_is_told_its_clients_span(era: str) -> None:
    async with serving(Puppet(era)) as puppet, gateway(puppet) as running:
        await call(running, "remote__act")
        assert told(puppet) == (None, None)
        await call(running, "remote__act", traceparent=PARENT)
        assert told(puppet) == (PARENT, PARENT)
        await call(running, "remote__act", {"traceparent": PARENT})
        assert told(puppet) == (PARENT, PARENT)
        await call(running, "remote__act", traceparent="nonsense")
        assert told(puppet) == (None, None)


@pytest.mark.parametrize("era", ERAS)
async def test_with_a_collector_each_call_is_a_span_with_its_servers_below(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with collecting() as collected:
        async with (
            serving(Puppet(era)) as puppet,
            gateway(puppet, otlp_endpoint=collected.url) as running,
        ):
            request_id = await call(running, "remote__act", traceparent=PARENT)
            outer, inner = await spans(collected, 2)
            header, meta = told(puppet)
            records = "/api/v1/projects/default/records"
            (record,) = (await running.client.get(records)).json()["records"]

    assert {outer.trace_id.hex(), inner.trace_id.hex(), record["trace_id"]} == {TRACE}
    assert outer.parent_span_id.hex() == "b7ad6b7169203331"
    assert inner.parent_span_id == outer.span_id
    assert header == meta == f"00-{TRACE}-{inner.span_id.hex()}-01"
    assert (outer.name, inner.name) == ("tools/call act", "tools/call act")
    said = facts(outer.attributes)
    assert {name: said[name] for name in said if name.startswith("interlock.")} == {
        "interlock.project": "default",
        "interlock.server": "remote",
        "interlock.tool": "act",
        "interlock.era": "modern",
        "interlock.outcome": "ok",
        "interlock.request_id": request_id,
        "interlock.transport": "streamable-http",
        "interlock.principal": f"key:{record['principal_id']}",
        "interlock.client": "a-test",
    }
    assert outer.start_time_unix_nano <= inner.start_time_unix_nano
    assert inner.end_time_unix_nano <= outer.end_time_unix_nano


async def test_a_trace_begins_here_where_the_client_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with collecting() as collected:
        async with (
            serving(Puppet("legacy")) as puppet,
            gateway(puppet, otlp_endpoint=collected.url) as running,
        ):
            session = await open_session(running.client, PATH, running.key)
            called = request("tools/call", {"name": "well__echo", "arguments": {"message": "x"}})
            await running.client.post(PATH, json=called, headers=session)
            await running.client.post(PATH, content=b"{", headers=session)
            found = await spans(collected, 4)
            # Numbers come at the end at the latest.

    assert [(span.name, span.kind - span.SPAN_KIND_SERVER) for span in found] == [
        ("initialize", 0),
        ("tools/call echo", 0),
        ("tools/call echo", 1),
        ("POST", 0),
    ]
    begun = [span for span in found if not span.parent_span_id]
    assert len({span.trace_id for span in begun}) == len(begun) == 3
    assert facts(found[3].attributes)["error.type"] == "unsupported_media_type"
    calls = collected.metrics["interlock_calls"].sum.data_points
    counted = {
        facts(point.attributes).get("mcp.method.name"): point.as_int or point.as_double
        for point in calls
    }
    assert counted == {"initialize": 1, "tools/call": 1, "POST": 1}
    assert {each["interlock.worker"] for each in collected.resources} == {"0"}
