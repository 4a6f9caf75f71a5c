"""A call that is let through nowhere has one reason, the same in its answer's record and numbers."""

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.moody_server import moody, refusing, well
from tests.integration.clients import bearer, modern, modern_headers
from tests.support.collector import collecting, facts
from tests.support.program import RunningProgram, program

PROJECT = "/api/v1/projects/default"
CLOSED, OPEN = 0, 2


class Watched:
    """A gateway in front of one remote server, and what it tells of it."""

    def __init__(self, gateway: RunningProgram) -> None:
        self.gateway = gateway

    async def call(self, key: str) -> str:
        """Call a tool of the server at the unified endpoint, and return the reason in the record."""
        headers = {**bearer(key), **modern_headers("tools/call", "remote__store")}
        body = modern("tools/call", {"name": "remote__store", "arguments": {}})
        answer = await self.gateway.client.post("/mcp/default", json=body, headers=headers)
        params = {"request_id": answer.headers["x-request-id"]}
        reasons: list[str | None] = []

        async def is_recorded() -> bool:
            found = await self.gateway.client.get(f"{PROJECT}/records", params=params)
            reasons[:] = [each["reason"] for each in found.json()["records"]]
            return bool(reasons)

        await self.gateway.eventually(is_recorded)
        return reasons[0] or "ok"

    async def numbers(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the samples of a name by some of their labels."""
        text = (await self.gateway.client.get("/metrics")).text
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def circuit_is(self, state: int) -> Callable[[], Awaitable[bool]]:
        """Return whether the circuit is shown as so."""

        async def is_so() -> bool:
            found = await self.numbers("interlock_server_circuit_state", "server")
            return found["remote",] == state

        return is_so


async def limited_key(gateway: RunningProgram) -> str:
    """Make a key that may call once a minute."""
    limit = {"calls": 1, "per": "minute"}
    body = {"name": "limited", "role": "developer", "rate_limit": limit}
    answer = await gateway.client.post(f"{PROJECT}/keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


async def test_limits_circuits_and_busy_servers_are_reasons_in_records_and_numbers() -> None:
    async with (
        moody() as behind,
        program({"mcpServers": {"remote": {"url": behind.url}}}) as gateway,
    ):
        await gateway.up("remote")
        on, key = Watched(gateway), await limited_key(gateway)
        reasons = [await on.call(key) for _ in range(2)]
        assert await on.numbers("interlock_server_circuit_state", "server") == {("remote",): CLOSED}

        behind.turn(refusing(500), is_grave=True)
        reasons += [await on.call(gateway.key) for _ in range(6)]
        await gateway.eventually(on.circuit_is(OPEN))

        behind.turn(well)
        await gateway.eventually(on.circuit_is(CLOSED))
        behind.turn(refusing(429, retry_after="60"))
        reasons.append(await on.call(gateway.key))

        errors = await on.numbers("interlock_call_errors_total", "server", "tool", "reason")
        outcomes = await on.numbers("interlock_calls_total", "server", "method", "outcome")

    assert reasons == [
        "ok",
        "rate_limited",
        *["upstream_failed"] * 5,
        "circuit_open",
        "upstream_busy",
    ]
    # A limited call never came as far as its server; the others name it, asked or not.
    assert errors == {
        ("", "", "rate_limited"): 1,
        ("remote", "store", "upstream_failed"): 5,
        ("remote", "store", "circuit_open"): 1,
        ("remote", "store", "upstream_busy"): 1,
    }
    assert outcomes == {
        ("", "tools/call", "refused"): 1,
        ("remote", "tools/call", "ok"): 1,
        ("remote", "tools/call", "failed"): 7,
    }


async def test_a_call_that_its_server_never_got_is_a_span_without_one_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with collecting() as collected:
        async with (
            moody() as behind,
            program(
                {"mcpServers": {"remote": {"url": behind.url}}},
                telemetry={"otlp_endpoint": collected.url},
            ) as gateway,
        ):
            await gateway.up("remote")
            behind.turn(refusing(500), is_grave=True)
            on = Watched(gateway)
            reasons = [await on.call(gateway.key) for _ in range(6)]
        # What is left is told before the gateway has ended.

    assert reasons == ["upstream_failed"] * 5 + ["circuit_open"]
    outer = [span for span in collected.spans if span.kind == span.SPAN_KIND_SERVER]
    below = {span.parent_span_id for span in collected.spans if span.kind == span.SPAN_KIND_CLIENT}
    told = [(facts(span.attributes)["error.type"], span.span_id in below) for span in outer]
    assert sorted(told) == [("circuit_open", False)] + [("upstream_failed", True)] * 5
