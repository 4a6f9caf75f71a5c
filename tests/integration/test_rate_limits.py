"""How often keys and projects may call, over every transport, and what a refusal says."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from interlock.protocol.json import JSONObject
from tests.integration import servers
from tests.integration.clients import (
    BOTH,
    INITIALIZE,
    bearer,
    modern,
    modern_headers,
    open_session,
    request,
)
from tests.matrix.raw_client import Refused, raw_client
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/mcp/default"
PROJECT = "/api/v1/projects/default"
LIST = modern("tools/list")
LIST_HEADERS = modern_headers("tools/list")
LIMITED = -31429


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    settings = {"session_rate": 6, "session_burst": 3}
    async with program({"mcpServers": {"well": servers.sample()}}, gateway=settings) as running:
        await running.up("well")
        yield running


async def new_key(
    gateway: RunningProgram, burst: int | None = None, role: str = "developer"
) -> str:
    """Make a key that may make so many calls at once, and one more each minute."""
    limit = None if burst is None else {"calls": 1, "burst": burst}
    body = {"name": "limited", "role": role, "rate_limit": limit}
    answer = await gateway.client.post(f"{PROJECT}/keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


async def listed(gateway: RunningProgram, key: str) -> httpx2.Response:
    return await gateway.client.post(PATH, json=LIST, headers={**bearer(key), **LIST_HEADERS})


def check_refusal(answer: httpx2.Response, at_least: int = 50) -> None:
    """Check that an answer says when to come back, in its header and in its error alike."""
    wait = answer.json()["error"]["data"]["retry_after_ms"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, LIMITED)
    assert at_least * 1000 <= wait <= 60_000
    assert int(answer.headers["retry-after"]) == -(-wait // 1000)


async def refused_records(gateway: RunningProgram, key: str, number: int) -> list[JSONObject]:
    """Return the records of a key's refused calls, once there are so many."""
    me = (await gateway.client.get("/api/v1/auth/me", headers=bearer(key))).json()["id"]
    found: list[JSONObject] = []

    async def are_there() -> bool:
        nonlocal found
        params = {"principal": me, "outcome": "refused"}
        found = (await gateway.client.get(f"{PROJECT}/records", params=params)).json()["records"]
        return len(found) >= number

    await gateway.eventually(are_there)
    return found


async def test_a_modern_client_is_told_when_to_come_back(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=2)
    answers = [await listed(gateway, key) for _ in range(4)]

    assert [each.status_code for each in answers] == [200, 200, 429, 429]
    for answer in answers[2:]:
        check_refusal(answer)
        assert answer.json()["id"] == LIST["id"]
    records = await refused_records(gateway, key, 2)
    told = {(each["reason"], each["http_status"], each["rpc_code"]) for each in records}
    assert told == {("rate_limited", 429, LIMITED)}
    assert {(each["method"], each["era"]) for each in records} == {("tools/list", "modern")}


async def test_each_request_of_a_legacy_session_counts_its_first_and_its_get_too(
    gateway: RunningProgram,
) -> None:
    key = await new_key(gateway, burst=3)
    session = await open_session(gateway.client, PATH, key)
    notified = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    async def post(message: JSONObject) -> httpx2.Response:
        return await gateway.client.post(PATH, json=message, headers=session)

    answers = [await post(request("ping")), await post(notified), await post(request("ping"))]
    refused = [await post(request("tools/list")), await gateway.client.get(PATH, headers=session)]
    still = await post(notified)
    ended = await gateway.client.delete(PATH, headers=session)

    assert [each.status_code for each in answers] == [200, 202, 200]
    for answer in refused:
        check_refusal(answer)
    # What no limit should stop: saying something that wants no answer, and leaving.
    assert (still.status_code, ended.status_code) == (202, 204)
    records = await refused_records(gateway, key, 2)
    assert {(each["method"], each["era"]) for each in records} == {
        ("tools/list", "legacy"),
        ("GET", "legacy"),
    }


async def test_over_sse_the_refusal_comes_on_the_stream(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=3)

    async with raw_client("legacy-sse", gateway.address, key) as client:
        # The stream, and initialize on it, are the first two.
        assert await client.request("ping") == {}
        with pytest.raises(Refused) as refused:
            await client.request("tools/list")

    error = refused.value.error
    assert error["code"] == LIMITED
    assert 0 < error["data"]["retry_after_ms"] <= 60_000
    (record,) = await refused_records(gateway, key, 1)
    assert (record["reason"], record["transport"], record["http_status"]) == (
        "rate_limited",
        "sse",
        202,
    )


async def test_an_sse_stream_that_is_one_too_many_is_refused_whole(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=1)
    await listed(gateway, key)

    check_refusal(await gateway.client.get("/sse/default", headers=bearer(key)))


@pytest.mark.parametrize(("burst", "answered"), [(5, 3), (3, 2), (1, 0)])
async def test_each_call_of_a_batch_counts_and_is_refused_alone(
    gateway: RunningProgram, burst: int, answered: int
) -> None:
    key = await new_key(gateway, burst=burst)
    params = {**INITIALIZE["params"], "protocolVersion": "2025-03-26"}
    headers = {**bearer(key), "accept": BOTH}
    opened = await gateway.client.post(PATH, json=request("initialize", params, 0), headers=headers)
    headers["mcp-session-id"] = opened.headers["mcp-session-id"]
    batch = [request("ping", number=number) for number in (1, 2, 3)]

    answer = await gateway.client.post(PATH, json=batch, headers=headers)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    messages = [json.loads(line) for line in lines if line.startswith("{")]
    errors = [each["error"]["code"] for each in messages if "error" in each]
    ids = {each["id"] for each in messages}

    assert ids == {1, 2, 3}
    assert errors == [LIMITED] * (3 - answered)
    if answered < 3:
        records = await refused_records(gateway, key, 3 - answered)
        assert {(each["method"], each["reason"]) for each in records} == {("ping", "rate_limited")}


async def test_a_project_s_limit_is_for_all_its_callers_and_can_be_changed() -> None:
    async with program({"mcpServers": {}}) as gateway:
        keys = [await new_key(gateway), await new_key(gateway)]
        limit = {"calls": 1, "burst": 3}

        changed = await gateway.client.patch(PROJECT, json={"rate_limit": limit})
        limited = [(await listed(gateway, keys[turn % 2])).status_code for turn in range(5)]
        refused = await listed(gateway, keys[0])
        await gateway.client.patch(PROJECT, json={"rate_limit": None})
        freed = await listed(gateway, keys[0])

    assert changed.json()["rate_limit"] == {"calls": 1, "per": "minute", "burst": 3}
    assert limited == [200, 200, 200, 429, 429]
    assert "This project may make 1 calls per minute" in refused.json()["error"]["message"]
    assert freed.status_code == 200


async def test_defaults_hold_for_keys_and_projects_without_their_own() -> None:
    settings = {"key_rate": 1, "key_burst": 2, "project_rate": 1, "project_burst": 5}
    async with program({"mcpServers": {}}, gateway=settings) as gateway:
        plain, own = await new_key(gateway), await new_key(gateway, burst=4)
        by_plain = [(await listed(gateway, plain)).status_code for _ in range(3)]
        by_own = [(await listed(gateway, own)).status_code for _ in range(4)]

    assert by_plain == [200, 200, 429]
    assert by_own == [200, 200, 200, 429]


async def test_a_changed_limit_holds_from_the_next_call_on(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=1)
    keys = (await gateway.client.get(f"{PROJECT}/keys")).json()
    key_id = next(each["id"] for each in keys if key.startswith(each["prefix"]))
    before = [(await listed(gateway, key)).status_code for _ in range(2)]

    await gateway.client.patch(f"{PROJECT}/keys/{key_id}", json={"rate_limit": None})

    assert before == [200, 429]
    assert [(await listed(gateway, key)).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
async def test_a_flood_of_new_sessions_is_refused_each_caller_by_itself(
    gateway: RunningProgram, transport: str
) -> None:
    keys = [await new_key(gateway), await new_key(gateway)]

    async def opened(key: str) -> httpx2.Response:
        headers = {**bearer(key), "accept": BOTH}
        if transport == "streamable-http":
            return await gateway.client.post(PATH, json=INITIALIZE, headers=headers)
        async with gateway.client.stream("GET", "/sse/default", headers=headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
            return answer

    answers = [await opened(keys[0]) for _ in range(5)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    check_refusal(answers[3], at_least=5)
    assert (await opened(keys[1])).status_code == 200
    assert (await listed(gateway, keys[0])).status_code == 200
    records = await refused_records(gateway, keys[0], 2)
    assert {each["reason"] for each in records} == {"rate_limited"}


async def test_those_without_a_key_share_the_limit_of_their_address() -> None:
    config: Any = {"mcpServers": {}, "interlock": {"open": True}}
    settings = {"key_rate": 1, "key_burst": 3, "session_rate": 1, "session_burst": 2}
    async with program(config, gateway=settings) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.address, timeout=60) as anyone:
            opened = [
                await anyone.post(PATH, json=INITIALIZE, headers={"accept": BOTH}) for _ in range(3)
            ]
            called = await anyone.post(PATH, json=LIST, headers=LIST_HEADERS)
        key = await new_key(gateway)
        by_key = await listed(gateway, key)

    assert [each.status_code for each in opened] == [200, 200, 429]
    # The third was a call, before it was a session.
    assert (called.status_code, by_key.status_code) == (429, 200)


async def test_rest_calls_count_and_say_when_to_come_back(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=2, role="owner")
    body = {"session_id": "unknown", "method": "tools/list"}

    answers = [
        await gateway.client.post("/mcp/request", json=body, headers=bearer(key)) for _ in range(3)
    ]

    assert [each.status_code for each in answers] == [404, 404, 429]
    error = answers[2].json()["error"]
    assert error["reason"] == "rate_limited"
    assert 50_000 <= error["retry_after_ms"] <= 60_000
    assert int(answers[2].headers["retry-after"]) == -(-error["retry_after_ms"] // 1000)
    (record,) = [
        each for each in await refused_records(gateway, key, 3) if each["reason"] == "rate_limited"
    ]
    assert (record["transport"], record["http_status"]) == ("rest", 429)


async def test_calls_at_the_same_time_are_not_counted_short(gateway: RunningProgram) -> None:
    key = await new_key(gateway, burst=5)

    answers = await asyncio.gather(*(listed(gateway, key) for _ in range(20)))

    assert sorted(each.status_code for each in answers) == [200] * 5 + [429] * 15
