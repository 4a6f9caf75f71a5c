"""A person who is signed in calls tools from the console, by the same path as every client."""

from typing import Any

import httpx2
import pytest

from tests.integration.people import administrator
from tests.integration.servers import sample
from tests.support.program import RunningProgram, program

PLAYGROUND = "/api/v1/projects/default/playground"
VERSION = "2026-07-28"


async def call(
    client: httpx2.AsyncClient, path: str = PLAYGROUND, **headers: str
) -> httpx2.Response:
    """Call a tool as the console does."""
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "console", "version": "1"},
    }
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "sample__echo", "arguments": {"message": "hello"}, "_meta": meta},
    }
    sent = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": "sample__echo",
        **headers,
    }
    return await client.post(path, json=body, headers=sent)


async def newest_record(gateway: RunningProgram) -> dict[str, Any]:
    """Read the record of the last call."""
    page = await gateway.client.get("/api/v1/projects/default/records?limit=1")
    return page.json()["records"][0]


async def test_a_person_calls_as_themself_and_leaves_a_record() -> None:
    async with program({"mcpServers": {"sample": sample()}}) as gateway:
        await gateway.up("sample")
        async with administrator(gateway) as browser:
            answer = await call(browser)
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"]["content"] == [{"type": "text", "text": "hello"}]
        record = await newest_record(gateway)
        told = {name: record[name] for name in ("principal_kind", "target", "outcome", "server")}
        assert told == {
            "principal_kind": "person",
            "target": "sample__echo",
            "outcome": "ok",
            "server": "sample",
        }
        assert record["request_id"] == answer.headers["x-request-id"]


async def test_without_the_token_against_forgery_the_cookie_is_worth_nothing() -> None:
    async with program({"mcpServers": {"sample": sample()}}) as gateway:
        async with administrator(gateway) as browser:
            del browser.headers["x-csrf-token"]
            answer = await call(browser)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "csrf_refused")


@pytest.mark.parametrize(
    ("role", "path", "expected"),
    [
        ("reporter", PLAYGROUND, (403, "forbidden")),
        ("developer", "/api/v1/projects/missing/playground", (404, "not_found")),
    ],
)
async def test_who_may_not_use_the_project_is_refused(
    role: str, path: str, expected: tuple[int, str]
) -> None:
    async with program({"mcpServers": {}}) as gateway:
        key = await gateway.new_key(role)
        answer = await call(gateway.client, path, authorization=f"Bearer {key}")
        assert (answer.status_code, answer.json()["error"]["reason"]) == expected


async def test_a_stranger_is_refused() -> None:
    async with (
        program({"mcpServers": {}}) as gateway,
        httpx2.AsyncClient(base_url=gateway.address) as stranger,
    ):
        assert (await call(stranger)).status_code == 401
