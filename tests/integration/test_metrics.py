"""What Prometheus reads of the real program: exact counts, names that exist, and no secrets."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.integration import servers
from tests.integration.clients import bearer, modern, modern_headers, open_session, request
from tests.integration.people import administrator, new_project
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/mcp/default"
SECRET = "a-secret-that-no-number-shows"
LABELS = ("project", "server", "method", "tool")
Counts = dict[tuple[str, ...], float]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {
        "well": {**servers.sample(), "env": {"TOKEN": SECRET}},
        "fixture": servers.fixture("legacy"),
        "dead": servers.dead(),
    }
    settings = {"metrics": "key", "max_tools": 3}
    async with program({"mcpServers": config}, telemetry=settings) as running:
        await running.up("well", "fixture")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(gateway: RunningProgram) -> AsyncIterator[httpx2.AsyncClient]:
    """The administrator, who sees the numbers of all projects and of the process."""
    async with administrator(gateway) as browser:
        yield browser


async def scraped(client: httpx2.AsyncClient, **headers: str) -> dict[str, Counts]:
    """Read all numbers: by name, then by the values of their labels, the worker's left out."""
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    found: dict[str, Counts] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = {name: text for name, text in sample.labels.items() if name != "worker"}
            order = [name for name in LABELS if name in labels]
            values = [labels.pop(name) for name in order] + [
                labels[name] for name in sorted(labels)
            ]
            found.setdefault(sample.name, {})[tuple(values)] = sample.value
    return found


async def calls(admin: httpx2.AsyncClient) -> Counts:
    """Return how many calls were counted so far, by project, server, method, tool and outcome."""
    return (await scraped(admin)).get("interlock_calls_total", {})


async def counted(
    gateway: RunningProgram, admin: httpx2.AsyncClient, before: Counts, expected: Counts
) -> None:
    """Wait until exactly this was counted: a call may be counted just after it was answered."""
    new: Counts = {}

    async def is_so() -> bool:
        nonlocal new
        now = await calls(admin)
        new = {key: now[key] - before.get(key, 0) for key in now if now[key] != before.get(key)}
        return sum(new.values()) >= sum(expected.values())

    await gateway.eventually(is_so)
    assert new == expected


async def call(gateway: RunningProgram, tool: str, path: str = PATH, **arguments: Any) -> None:
    body = modern("tools/call", {"name": tool, "arguments": arguments})
    await gateway.client.post(path, json=body, headers=modern_headers("tools/call", tool))


async def test_known_calls_are_counted_exactly(
    gateway: RunningProgram, admin: httpx2.AsyncClient
) -> None:
    before = await calls(admin)

    for _ in range(3):
        await call(gateway, "well__echo", message=SECRET)
    await call(gateway, "echo", f"{PATH}/well", message=SECRET)
    await call(gateway, "fixture__test_error_handling")
    await call(gateway, "anything", f"{PATH}/dead")
    await call(gateway, "well__made_up")

    at = ("default", "well", "tools/call")
    await counted(
        gateway,
        admin,
        before,
        {
            # A tool is the same one at every endpoint that offers it.
            (*at, "echo", "ok"): 4,
            ("default", "fixture", "tools/call", "test_error_handling", "tool_error"): 1,
            ("default", "dead", "tools/call", "", "failed"): 1,
            ("default", "", "tools/call", "", "refused"): 1,
        },
    )


async def test_what_a_caller_made_up_is_no_label(
    gateway: RunningProgram, admin: httpx2.AsyncClient
) -> None:
    before = await calls(admin)
    client = gateway.client

    await client.post(f"/mcp/{SECRET}", json=request(SECRET))
    await client.post(f"{PATH}/{SECRET}", json=request(SECRET))
    await client.post(PATH, json=request("tools/list"), headers=bearer(f"ilk_{SECRET}"))
    session = await open_session(client, PATH, gateway.key)
    await client.post(PATH, json=request(SECRET), headers=session)
    await client.request("OPTIONS", PATH)

    await counted(
        gateway,
        admin,
        before,
        {
            ("", "", "POST", "", "refused"): 1,
            ("default", "", "POST", "", "refused"): 2,
            ("default", "", "initialize", "", "ok"): 1,
            ("default", "", "other", "", "failed"): 1,
            ("default", "", "OPTIONS", "", "refused"): 1,
        },
    )


async def test_errors_are_counted_by_the_reason_of_their_record(gateway: RunningProgram) -> None:
    await gateway.client.post(PATH, json=request("ping"), headers=bearer("ilk_wrong"))
    answer = await gateway.client.get("/api/v1/projects/default/records?limit=500")
    records = [each for each in answer.json()["records"] if each["outcome"] != "ok"]
    errors = (await scraped(gateway.client))["interlock_call_errors_total"]

    def reasons(key: str) -> float:
        return sum(number for labels, number in errors.items() if labels[-1] == key)

    recorded = [each["reason"] or each["outcome"] for each in records]
    assert {key: reasons(key) for key in set(recorded)} == {
        key: recorded.count(key) for key in set(recorded)
    }


async def test_tools_beyond_the_limit_share_a_label(
    gateway: RunningProgram, admin: httpx2.AsyncClient
) -> None:
    tools = (await gateway.client.get("/api/v1/projects/default/tools")).json()["tools"]
    names = [each["exposed_name"] for each in tools if each["server"] == "fixture"][:6]
    for name in names:
        await call(gateway, name)

    async def are_counted() -> bool:
        found = {labels[3] for labels in await calls(admin)}
        return "other" in found

    await gateway.eventually(are_counted)
    found = {labels[1:4:2] for labels in await calls(admin)}
    assert len([each for each in found if each[1] not in {"", "other"}]) == 3


async def test_servers_are_told_with_their_state(gateway: RunningProgram) -> None:
    found = await scraped(gateway.client)

    assert found["interlock_server_up"] == {
        ("default", "well"): 1,
        ("default", "fixture"): 1,
        ("default", "dead"): 0,
    }
    assert found["interlock_server_restarts_total"]["default", "dead"] > 0
    assert found["interlock_server_restarts_total"]["default", "well"] == 0
    assert set(found["interlock_server_circuit_state"].values()) <= {0, 1, 2}
    assert found["interlock_server_circuit_state"]["default", "well"] == 0
    assert found["interlock_calls_in_flight"]["default", "well"] == 0
    assert found["interlock_server_sessions"]["default", "well"] >= 1
    assert found["interlock_connect_seconds_count"]["default", "well"] >= 1


async def test_times_have_the_upstreams_part_in_them(gateway: RunningProgram) -> None:
    await call(gateway, "well__echo", message="x")
    found = await scraped(gateway.client)

    tool = ("default", "well", "tools/call", "echo")
    whole = found["interlock_call_seconds_sum"][tool]
    assert 0 < found["interlock_upstream_seconds_sum"]["default", "well"] <= whole
    assert (
        found["interlock_call_seconds_bucket"][*tool, "+Inf"]
        == (found["interlock_call_seconds_count"][tool])
    )


async def test_the_process_and_what_it_holds_are_told(
    gateway: RunningProgram, admin: httpx2.AsyncClient
) -> None:
    session = await open_session(gateway.client, PATH, gateway.key)
    before = await scraped(admin)
    headers = {**session, "accept": "text/event-stream"}
    async with gateway.client.stream("GET", PATH, headers=headers) as stream:
        assert stream.status_code == 200

        async def is_told() -> bool:
            now = await scraped(admin)
            return now["interlock_streams"][()] == before["interlock_streams"][()] + 1

        await gateway.eventually(is_told)
    await gateway.client.delete(PATH, headers=session)
    after = await scraped(admin)

    assert after["interlock_sessions"][()] == before["interlock_sessions"][()] - 1
    assert after["interlock_parked_calls"] == {(): 0}
    assert after["interlock_records_lost_total"] == {(): 0}
    assert set(after["interlock_records_pending"]) == {()}
    assert after["process_resident_memory_bytes"][()] > 1024 * 1024
    assert after["interlock_event_loop_lag_seconds_count"][()] > 0
    assert list(after["interlock_build_info"].values()) == [1]


async def test_an_owner_sees_the_numbers_of_its_own_project_and_others_see_none(
    gateway: RunningProgram, admin: httpx2.AsyncClient
) -> None:
    # The key of the fixture is an owner's; lesser roles and strangers are refused.
    await call(gateway, "well__echo", message="x")
    statuses = {
        role: (await gateway.client.get("/metrics", headers=bearer(await gateway.new_key(role))))
        for role in ("reporter", "developer", "owner")
    }
    assert {role: each.status_code for role, each in statuses.items()} == {
        "reporter": 403,
        "developer": 403,
        "owner": 200,
    }
    async with httpx2.AsyncClient(base_url=gateway.address) as nobody:
        assert (await nobody.get("/metrics")).status_code == 401
        # Its name is also the label of what is counted together.
        other = await new_project(admin, "other")
        found = await scraped(nobody, authorization=f"Bearer {other}")
    assert found == {}
    own = await scraped(gateway.client)
    assert {labels[0] for labels in own["interlock_calls_total"]} == {"default"}
    assert "process_resident_memory_bytes" not in own


async def test_open_metrics_are_served_to_who_asks_for_them(gateway: RunningProgram) -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}

    answer = await gateway.client.get("/metrics", headers=accept)

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
