"""Every call leaves exactly one record, refused ones too, and a record holds no contents."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import (
    BOTH,
    INITIALIZE,
    bearer,
    connected_by_sse,
    modern,
    modern_headers,
    open_session,
    request,
)
from tests.integration.people import administrator, new_project
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/mcp/default"
RECORDS = "/api/v1/projects/default/records"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CONTENT = "a-content-that-nobody-may-keep"
Record = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {
        "well": servers.sample(),
        "fixture": servers.fixture("legacy"),
        "dead": servers.dead(),
    }
    async with program({"mcpServers": config}) as running:
        await running.up("well", "fixture")
        yield running


async def records(gateway: RunningProgram, **filters: Any) -> list[Record]:
    answer = await gateway.client.get(RECORDS, params={"limit": 500, **filters})
    assert answer.status_code == 200, answer.text
    return answer.json()["records"]


@pytest_asyncio.fixture(loop_scope="module")
async def since(gateway: RunningProgram) -> str:
    """The moment from which a test's own records count."""
    return datetime.now(UTC).isoformat()


async def only_record(gateway: RunningProgram, since: str) -> Record:
    found = await records(gateway, since=since)
    assert len(found) == 1, found
    return found[0]


def call(tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    body = modern("tools/call", {"name": tool, "arguments": arguments})
    return body, modern_headers("tools/call", tool)


async def test_a_call_is_recorded_with_who_what_how_and_how_long(
    gateway: RunningProgram, since: str
) -> None:
    key = await gateway.new_key("developer")
    me = (await gateway.client.get("/api/v1/auth/me", headers=bearer(key))).json()
    body, headers = call("well__echo", {"message": CONTENT})

    answer = await gateway.client.post(
        PATH, json=body, headers={**headers, **bearer(key), "traceparent": TRACEPARENT}
    )

    record = await only_record(gateway, since)
    length = len(answer.request.content)
    expected = {
        "project": "default",
        "server": "well",
        "principal_kind": "key",
        "principal_id": me["id"],
        "principal_name": "a developer",
        "method": "tools/call",
        "target": "well__echo",
        "era": "modern",
        "transport": "streamable-http",
        "http_status": 200,
        "rpc_code": None,
        "outcome": "ok",
        "reason": None,
        "tool_error": False,
        "request_bytes": length,
        "response_bytes": len(answer.content),
        "request_id": answer.headers["x-request-id"],
        "trace_id": TRACE,
        "client_name": "a-test",
    }
    assert {name: record[name] for name in expected} == expected
    assert 0 <= record["queue_ms"] <= record["total_ms"]
    assert 0 < record["upstream_ms"] <= record["total_ms"]
    assert since <= record["time"].replace("Z", "+00:00") <= datetime.now(UTC).isoformat()
    assert CONTENT not in json.dumps(record)


OUTCOMES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "fixture__test_error_handling",
        {},
        {"outcome": "tool_error", "tool_error": True, "rpc_code": None, "server": "fixture"},
    ),
    (
        "well__nothing",
        {},
        {"outcome": "refused", "reason": "bad_input", "rpc_code": -32602, "server": None},
    ),
    (
        "fixture__test_input_required_result_elicitation",
        {},
        {"outcome": "tool_error", "tool_error": True, "server": "fixture"},
    ),
]


@pytest.mark.parametrize(("tool", "arguments", "expected"), OUTCOMES)
async def test_how_a_call_ended_is_recorded_on_three_levels(
    gateway: RunningProgram,
    since: str,
    tool: str,
    arguments: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    body, headers = call(tool, arguments)

    answer = await gateway.client.post(PATH, json=body, headers=headers)

    record = await only_record(gateway, since)
    assert {name: record[name] for name in expected} == expected
    assert record["http_status"] == answer.status_code
    assert record["request_id"] == answer.headers["x-request-id"]


async def test_a_servers_own_error_is_recorded_with_its_code(
    gateway: RunningProgram, since: str
) -> None:
    body = modern("prompts/get", {"name": "fixture__test_prompt_with_arguments"})
    headers = modern_headers("prompts/get", "fixture__test_prompt_with_arguments")

    answer = await gateway.client.post(PATH, json=body, headers=headers)

    record = await only_record(gateway, since)
    code = answer.json()["error"]["code"]
    assert (record["outcome"], record["reason"], record["rpc_code"]) == (
        "failed",
        "rpc_error",
        code,
    )
    assert record["upstream_ms"] > 0


async def test_a_call_to_a_server_that_is_down_is_recorded_as_failed(
    gateway: RunningProgram, since: str
) -> None:
    body, headers = call("anything", {})
    # A server that fails again and again is refused for another reason; it begins anew.
    await gateway.client.post("/api/v1/projects/default/servers/dead/restart")

    await gateway.client.post(f"{PATH}/dead", json=body, headers=headers)

    record = await only_record(gateway, since)
    assert record["server"] == "dead"
    assert (record["outcome"], record["reason"]) == ("failed", "upstream_unavailable")


async def test_a_call_that_asks_for_input_is_recorded_as_that(
    gateway: RunningProgram, since: str
) -> None:
    body, headers = call("fixture__test_input_required_result_elicitation", {})
    key = "io.modelcontextprotocol/clientCapabilities"
    meta = body["params"]["_meta"]
    body["params"]["_meta"] = {**meta, key: {"elicitation": {"form": {}}}}

    # A stream is begun for an answer that takes its time, unless the client reads none.
    headers["accept"] = "application/json"
    answer = await gateway.client.post(PATH, json=body, headers=headers)

    record = await only_record(gateway, since)
    assert answer.json()["result"]["resultType"] == "input_required"
    assert (record["outcome"], record["server"]) == ("input_required", "fixture")


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "no key",
        {"headers": {"authorization": "Bearer ilk_wrong"}, "json": INITIALIZE},
        {"http_status": 401, "reason": "key_mistyped", "principal_kind": "anonymous"},
    ),
    (
        "not acceptable",
        {"headers": {"accept": "text/html"}, "json": modern("tools/list")},
        {"http_status": 406, "reason": "not_acceptable", "method": "tools/list"},
    ),
    (
        "not JSON",
        {"headers": {"content-type": "application/json"}, "content": b"{"},
        {"http_status": 400, "reason": "bad_json", "rpc_code": -32700, "request_bytes": 1},
    ),
    (
        "another type",
        {"headers": {"content-type": "text/plain"}, "content": b"{}"},
        {"http_status": 415, "reason": "unsupported_media_type"},
    ),
    (
        "no session",
        {"headers": {"accept": BOTH}, "json": request("tools/list")},
        {"http_status": 400, "reason": "bad_input", "method": "tools/list", "era": "legacy"},
    ),
    (
        "a wrong session",
        {"headers": {"accept": BOTH, "mcp-session-id": "x"}, "json": request("ping")},
        {"http_status": 404, "reason": "not_found", "method": "ping"},
    ),
    (
        "a mismatch",
        {"headers": modern_headers("tools/call", "well__add"), "json": call("well__echo", {})[0]},
        {"http_status": 400, "rpc_code": -32020, "target": "well__echo", "era": "modern"},
    ),
]


@pytest.mark.parametrize(
    ("sent", "expected"), [each[1:] for each in REFUSALS], ids=[each[0] for each in REFUSALS]
)
async def test_a_refusal_is_recorded(
    gateway: RunningProgram, since: str, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = await gateway.client.post(PATH, **sent)

    record = await only_record(gateway, since)
    expected = {"outcome": "refused", "project": "default", "upstream_ms": None, **expected}
    assert {name: record[name] for name in expected} == expected
    assert record["request_id"] == answer.headers["x-request-id"]
    assert record["http_status"] == answer.status_code


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_a_method_that_is_not_taken_is_recorded(
    gateway: RunningProgram, since: str, method: str
) -> None:
    await gateway.client.request(method, PATH, headers={"accept": BOTH})

    record = await only_record(gateway, since)
    expected = (method, 405, "refused", "method_not_allowed")
    found = (record["method"], record["http_status"], record["outcome"], record["reason"])
    assert found == expected


async def test_a_role_that_is_too_low_is_recorded(gateway: RunningProgram, since: str) -> None:
    body, headers = call("well__echo", {"message": "hi"})
    reporter = bearer(await gateway.new_key("reporter"))

    await gateway.client.post(PATH, json=body, headers={**headers, **reporter})

    record = await only_record(gateway, since)
    assert (record["outcome"], record["reason"]) == ("refused", "forbidden")
    assert record["principal_name"] == "a reporter"


async def test_a_legacy_session_leaves_one_record_for_each_message(
    gateway: RunningProgram, since: str
) -> None:
    session = await open_session(gateway.client, PATH, gateway.key)
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await gateway.client.post(PATH, json=notification, headers=session)
    async with gateway.client.stream("GET", PATH, headers=session):
        await gateway.client.post(PATH, json=request("tools/list"), headers=session)
        await gateway.client.delete(PATH, headers=session)

    found = await records(gateway, since=since)
    assert sorted(each["method"] for each in found) == [
        "DELETE",
        "GET",
        "initialize",
        "notifications/initialized",
        "tools/list",
    ]
    assert {each["era"] for each in found} == {"legacy"}
    assert {each["outcome"] for each in found} == {"ok"}


async def test_calls_over_legacy_sse_are_recorded_when_they_end(
    gateway: RunningProgram, since: str
) -> None:
    async with connected_by_sse(f"{gateway.address}/sse/default", gateway.key) as client:
        await client.call_tool("well__echo", {"message": CONTENT})

    found = {each["method"]: each for each in await records(gateway, since=since)}
    assert found["tools/call"]["server"] == "well"
    assert {each["transport"] for each in found.values()} == {"sse"}
    assert found["tools/call"]["response_bytes"] > len(CONTENT)
    assert found["tools/call"]["upstream_ms"] > 0
    assert found["tools/call"]["client_name"] == "mcp"


async def test_a_call_that_the_client_gave_up_is_recorded_as_cancelled(
    gateway: RunningProgram, since: str
) -> None:
    body, headers = call("fixture__test_tool_with_progress", {})
    body["params"]["_meta"] = {**body["params"]["_meta"], "progressToken": "p"}
    async with gateway.client.stream("POST", PATH, json=body, headers=headers) as answer:
        # The first event says that the server has the call; then the client leaves.
        assert "event: message" in await anext(answer.aiter_lines())

    # The gateway hears of it when the connection ends, which may be after our next request.
    async with asyncio.timeout(60):
        while await records(gateway, since=since) == []:
            pass
    record = await only_record(gateway, since)
    assert (record["outcome"], record["target"]) == (
        "cancelled",
        "fixture__test_tool_with_progress",
    )


@pytest.mark.parametrize("tool", ["well__echo", "well__add"])
async def test_records_are_found_by_filters(gateway: RunningProgram, since: str, tool: str) -> None:
    for name, arguments in (("well__echo", {"message": "x"}), ("well__add", {"a": 1, "b": 2})):
        body, headers = call(name, arguments)
        await gateway.client.post(PATH, json=body, headers=headers)
    answer = await gateway.client.post(
        PATH, json=modern("tools/list"), headers=modern_headers("tools/list")
    )

    found = await records(gateway, since=since, tool=tool)
    by_method = await records(gateway, since=since, method="tools/list")
    by_id = await records(gateway, request_id=answer.headers["x-request-id"])
    assert [each["target"] for each in found] == [tool]
    assert [each["method"] for each in by_method] == ["tools/list"]
    assert [each["id"] for each in by_id] == [by_method[0]["id"]]
    assert len(await records(gateway, since=since, server="well", era="modern")) == 2
    assert await records(gateway, since=since, outcome="failed") == []
    assert await records(gateway, since=since, min_ms=600_000) == []
    assert len(await records(gateway, since=since, principal="local command line")) == 3


async def test_pages_of_records_join_without_gap_or_repeat(
    gateway: RunningProgram, since: str
) -> None:
    sent: list[str] = []
    for _ in range(7):
        answer = await gateway.client.post(
            PATH, json=modern("tools/list"), headers=modern_headers("tools/list")
        )
        sent.append(answer.headers["x-request-id"])

    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while cursor is not None or not pages:
        extra = {} if cursor is None else {"cursor": cursor}
        page = (
            await gateway.client.get(RECORDS, params={"since": since, "limit": 3, **extra})
        ).json()
        seen += [each["request_id"] for each in page["records"]]
        cursor = page["next_cursor"]
        pages += 1

    assert (seen, pages) == (sent[::-1], 3)


async def test_records_are_exported_as_tables_and_lines(
    gateway: RunningProgram, since: str
) -> None:
    body, headers = call("well__echo", {"message": CONTENT})
    answer = await gateway.client.post(PATH, json=body, headers=headers)

    table = await gateway.client.get(f"{RECORDS}/export", params={"since": since})
    lines = await gateway.client.get(
        f"{RECORDS}/export", params={"since": since, "format": "jsonl"}
    )

    (row,) = csv.DictReader(io.StringIO(table.text))
    (line,) = (json.loads(each) for each in lines.text.splitlines())
    request_id = answer.headers["x-request-id"]
    assert (row["request_id"], line["request_id"]) == (request_id, request_id)
    assert CONTENT not in table.text + lines.text


async def test_records_of_a_project_are_seen_by_its_own_members_only(
    gateway: RunningProgram,
) -> None:
    async with administrator(gateway) as browser:
        stranger = bearer(await new_project(browser, "elsewhere"))
    since = datetime.now(UTC).isoformat()
    body, headers = call("well__echo", {"message": "hi"})
    await gateway.client.post(PATH, json=body, headers={**headers, **stranger})
    await gateway.client.post("/mcp/elsewhere", json=body, headers={**headers, **stranger})

    own = await gateway.client.get(
        "/api/v1/projects/elsewhere/records", params={"since": since}, headers=stranger
    )
    default = await records(gateway, since=since)
    missing = await gateway.client.get(
        f"/api/v1/projects/elsewhere/records/{default[0]['id']}", headers=stranger
    )

    assert [each["project"] for each in own.json()["records"]] == ["elsewhere"]
    # The attempt to enter is on record where it was made.
    assert [(each["project"], each["http_status"]) for each in default] == [("default", 404)]
    assert missing.status_code == 404


async def test_a_new_project_with_an_old_name_sees_no_old_records() -> None:
    body, headers = call("well__echo", {"message": "hi"})
    seen: list[int] = []
    async with program({"mcpServers": {}}) as fresh, administrator(fresh) as browser:
        for _ in range(2):
            member = bearer(await new_project(browser, "again"))
            await fresh.client.post("/mcp/again", json=body, headers={**headers, **member})
            path = "/api/v1/projects/again/records"
            answer = await fresh.client.get(path, headers=member)
            seen.append(len(answer.json()["records"]))
            gone = await browser.delete("/api/v1/projects/again")
            assert gone.status_code == 204, gone.text

    assert seen == [1, 1]


async def test_the_source_documents_rest_calls_are_recorded_too(
    gateway: RunningProgram, since: str
) -> None:
    new = {"server_type": "python", "server_command": servers.TIME_SERVER}
    session = (await gateway.client.post("/sessions", json=new)).json()["session_id"]
    body = {"session_id": session, "method": "tools/list", "params": {}}
    await gateway.client.post("/mcp/request", json=body)
    await gateway.client.delete(f"/sessions/{session}")

    found = [each["method"] for each in await records(gateway, since=since)]

    assert "tools/list" in found
