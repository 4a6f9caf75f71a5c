"""Calls by REST leave one record each, with who called and how it ended."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import bearer
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = {"server_type": "python", "server_command": servers.TIME_SERVER}
HARMFUL = {"server_type": "any", "server_command": "/no/such/command"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {}}) as started:
        yield started


async def records(running: RunningProgram, since: str) -> list[dict[str, Any]]:
    path = "/api/v1/projects/default/records"
    answer = await running.client.get(path, params={"since": since})
    return answer.json()["records"][::-1]


async def test_a_session_leaves_a_record_for_each_request(running: RunningProgram) -> None:
    since = datetime.now(UTC).isoformat()
    client = running.client
    created = await client.post("/sessions", json=NEW)
    session_id = created.json()["session_id"]
    body = {"session_id": session_id, "method": "tools/list", "params": {}}
    listed = await client.post("/mcp/request", json=body)
    unknown = await client.post("/mcp/request", json={**body, "method": "no/such"})
    ended = await client.delete(f"/sessions/{session_id}")

    found = await records(running, since)
    answers = [created, listed, unknown, ended]
    assert [each["request_id"] for each in found] == [
        each.headers["x-request-id"] for each in answers
    ]
    assert [each["http_status"] for each in found] == [each.status_code for each in answers]
    assert [each["response_bytes"] for each in found] == [len(each.content) for each in answers]
    assert [each["method"] for each in found] == ["POST", "tools/list", "no/such", "DELETE"]
    assert [each["outcome"] for each in found] == ["ok", "ok", "failed", "ok"]
    assert (found[2]["reason"], found[2]["rpc_code"]) == ("rpc_error", -32601)
    assert {each["principal_name"] for each in found} == {"local command line"}
    assert {each["transport"] for each in found} == {"rest"}


@pytest.mark.parametrize(
    ("role", "body", "expected"),
    [
        (None, NEW, (401, "unauthenticated", "anonymous")),
        ("developer", HARMFUL, (403, "forbidden", "a developer")),
        ("owner", HARMFUL, (400, "bad_input", "an owner")),
        ("owner", {"server_type": "python"}, (400, "bad_input", "an owner")),
    ],
)
async def test_a_refusal_is_recorded_where_its_owners_see_it(
    running: RunningProgram, role: str | None, body: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    headers = bearer(await running.new_key(role)) if role else {}
    since = datetime.now(UTC).isoformat()
    async with httpx2.AsyncClient(base_url=running.address, timeout=60) as anyone:
        answer = await anyone.post("/sessions", json=body, headers=headers)

    (found,) = await records(running, since)
    status, reason, name = expected
    assert (found["http_status"], found["reason"]) == (status, reason)
    assert found["principal_name"] == name.replace("an owner", "a owner")
    assert found["outcome"] == "refused"
    assert found["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["error"]["request_id"] == found["request_id"]


async def test_a_body_that_is_no_json_is_recorded(running: RunningProgram) -> None:
    since = datetime.now(UTC).isoformat()
    headers = {"content-type": "application/json"}
    answer = await running.client.post("/mcp/request", content=b"{", headers=headers)

    (found,) = await records(running, since)
    assert (answer.status_code, found["reason"], found["request_bytes"]) == (400, "bad_json", 1)
