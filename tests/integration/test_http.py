"""HTTP as clients see it: what they accept, what is refused, sessions, streams and resuming."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import (
    BOTH,
    INITIALIZE,
    LEGACY,
    bearer,
    modern,
    modern_headers,
    open_session,
    request,
)
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/mcp/default"
ECHO = ("tools/call", {"name": "well__echo", "arguments": {"message": "hi"}})
LOGGING = ("tools/call", {"name": "fixture__test_tool_with_logging", "arguments": {}})
SECONDS = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    config = {"well": servers.sample(), "fixture": servers.fixture("legacy")}
    async with program({"mcpServers": config}, gateway={"keep_alive": 0.2}) as running:
        await running.up(*config)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def session(gateway: RunningProgram) -> dict[str, str]:
    return await open_session(gateway.client, PATH, gateway.key)


@pytest_asyncio.fixture(loop_scope="module")
async def hearing(gateway: RunningProgram, session: dict[str, str]) -> dict[str, str]:
    """Return a session that asked for log messages."""
    await _ask_for_logs(gateway, session)
    return session


async def _ask_for_logs(gateway: RunningProgram, session: dict[str, str]) -> None:
    asked = request("logging/setLevel", {"level": "info"})
    answer = await gateway.client.post(PATH, json=asked, headers=session)
    assert answer.status_code == 200


async def events(answer: httpx2.Response) -> AsyncGenerator[tuple[str | None, Any]]:
    """Yield the id and the message of each event of a stream; the message of a blank one is None."""
    found: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        elif "data" in found:
            data = found["data"]
            yield found.get("id"), json.loads(data) if data else None
            found = {}
        else:
            found = {}


async def all_of(answer: httpx2.Response) -> list[tuple[str | None, Any]]:
    async with asyncio.timeout(SECONDS), aclosing(events(answer)) as found:
        return [event async for event in found]


JSON, SSE = "application/json", "text/event-stream"


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (JSON, JSON),
        (SSE, SSE),
        (BOTH, JSON),
        ("*/*", JSON),
        (f"{SSE};q=0.5, {JSON};q=0.1", JSON),
    ],
)
async def test_a_lone_answer_comes_as_the_client_accepts_it(
    gateway: RunningProgram, session: dict[str, str], era: str, accept: str, answered: str
) -> None:
    if era == "modern":
        body = modern(*ECHO)
        headers = {**modern_headers("tools/call", "well__echo"), "accept": accept}
    else:
        body, headers = request(*ECHO), {**session, "accept": accept}

    answer = await gateway.client.post(PATH, json=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (200, answered)
    if answered == JSON:
        message = answer.json()
    else:
        message = [each for _, each in await all_of(answer) if each is not None][-1]
    assert message["id"] == 1
    assert message["result"]["content"] == [{"type": "text", "text": "hi"}]


@pytest.mark.parametrize("accept", ["text/html", "image/png, application/xml", ""])
async def test_a_client_that_accepts_neither_is_refused(
    gateway: RunningProgram, session: dict[str, str], accept: str
) -> None:
    legacy = await gateway.client.post(
        PATH, json=request(*ECHO), headers={**session, "accept": accept}
    )
    stateless = await gateway.client.post(
        PATH,
        json=modern(*ECHO),
        headers={**modern_headers("tools/call", "well__echo"), "accept": accept},
    )
    stream = await gateway.client.get(PATH, headers={**session, "accept": accept})

    assert [legacy.status_code, stateless.status_code, stream.status_code] == [406] * 3


async def test_a_call_that_says_more_than_its_answer_is_a_stream_for_who_accepts_both(
    gateway: RunningProgram, hearing: dict[str, str]
) -> None:
    async with gateway.client.stream(
        "POST", PATH, json=request(*LOGGING), headers=hearing
    ) as answer:
        assert answer.headers["content-type"] == SSE
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        messages = [each for _, each in await all_of(answer)]

    assert messages[0] is None
    assert [each.get("method") for each in messages[1:-1]] == ["notifications/message"] * 3
    assert messages[-1]["id"] == 1


async def test_a_call_that_says_more_is_one_answer_for_who_accepts_json_only(
    gateway: RunningProgram, hearing: dict[str, str]
) -> None:
    answer = await gateway.client.post(
        PATH, json=request(*LOGGING), headers={**hearing, "accept": JSON}
    )

    assert answer.headers["content-type"] == JSON
    assert answer.json()["id"] == 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_body_of_another_type_is_refused(
    gateway: RunningProgram, session: dict[str, str], content_type: str | None
) -> None:
    body = json.dumps(request(*ECHO)).encode()
    own = {} if content_type is None else {"content-type": content_type}

    answer = await gateway.client.post(PATH, content=body, headers={**session, **own})

    assert (answer.status_code, answer.json()["error"]["code"]) == (415, -32602)


async def test_json_with_a_charset_is_json(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    headers = {**session, "content-type": "application/json; charset=utf-8"}

    answer = await gateway.client.post(PATH, content=json.dumps(request("ping")), headers=headers)

    assert answer.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        ("PUT", "GET, POST, DELETE"),
        ("PATCH", "GET, POST, DELETE"),
        ("HEAD", "GET, POST, DELETE"),
        ("GET", "POST"),
        ("DELETE", "POST"),
    ],
)
async def test_a_method_that_cannot_be_used_is_refused_with_those_that_can(
    gateway: RunningProgram, method: str, allowed: str
) -> None:
    answer = await gateway.client.request(method, PATH, headers={"accept": BOTH})

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/sse/default", "/sse/default/-/messages"])
async def test_the_legacy_sse_endpoints_know_one_method_each(
    gateway: RunningProgram, path: str
) -> None:
    known = "POST" if path.endswith("messages") else "GET"
    other = "GET" if known == "POST" else "POST"

    answer = await gateway.client.request(other, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, known)


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_session_that_is_not_known_is_not_found(
    gateway: RunningProgram, method: str
) -> None:
    body: Any = {"json": request("ping")} if method == "POST" else {}
    headers = {"accept": BOTH, "mcp-session-id": "no-such-session"}

    answer = await gateway.client.request(method, PATH, headers=headers, **body)

    assert answer.status_code == 404


async def test_a_legacy_request_without_a_session_is_refused(gateway: RunningProgram) -> None:
    answer = await gateway.client.post(PATH, json=request("tools/list"), headers={"accept": BOTH})

    assert answer.status_code == 400
    assert "Mcp-Session-Id" in answer.json()["error"]["message"]
    assert answer.json()["id"] == 1


@pytest.mark.parametrize("version", ["1999-01-01", "latest", f"{LEGACY}, {LEGACY}"])
async def test_an_unknown_protocol_version_in_the_header_is_refused(
    gateway: RunningProgram, session: dict[str, str], version: str
) -> None:
    headers = {**session, "mcp-protocol-version": version}

    answer = await gateway.client.post(PATH, json=request("ping"), headers=headers)

    assert (answer.status_code, answer.json()["id"]) == (400, 1)


async def test_a_session_belongs_to_its_endpoint_and_ends_by_delete(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    ping = request("ping")

    elsewhere = await gateway.client.post(f"{PATH}/well", json=ping, headers=session)
    before = await gateway.client.post(PATH, json=ping, headers=session)
    ended = await gateway.client.delete(PATH, headers=session)
    after = await gateway.client.post(PATH, json=ping, headers=session)
    again = await gateway.client.delete(PATH, headers=session)

    assert [
        elsewhere.status_code,
        before.status_code,
        ended.status_code,
        after.status_code,
        again.status_code,
    ] == [404, 200, 204, 404, 404]


async def test_a_session_of_one_key_is_unknown_to_another(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    stranger = {**session, **bearer(await gateway.new_key("developer"))}

    posted = await gateway.client.post(PATH, json=request("ping"), headers=stranger)
    followed = await gateway.client.get(PATH, headers=stranger)
    ended = await gateway.client.delete(PATH, headers=stranger)
    own = await gateway.client.post(PATH, json=request("ping"), headers=session)

    codes = [posted.status_code, followed.status_code, ended.status_code, own.status_code]
    assert codes == [404, 404, 404, 200]


async def test_an_sse_connection_of_one_key_takes_no_message_of_another(
    gateway: RunningProgram,
) -> None:
    stranger = bearer(await gateway.new_key("developer"))
    async with gateway.client.stream("GET", "/sse/default") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        endpoint = (await anext(lines)).removeprefix("data: ")
        refused = await gateway.client.post(endpoint, json=INITIALIZE, headers=stranger)
        taken = await gateway.client.post(endpoint, json=INITIALIZE)

    assert (refused.status_code, taken.status_code) == (404, 202)


async def test_a_request_that_an_sse_connection_refuses_is_named_in_the_refusal(
    gateway: RunningProgram,
) -> None:
    async with gateway.client.stream("GET", "/sse/default") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        endpoint = (await anext(lines)).removeprefix("data: ")
        early = await gateway.client.post(endpoint, json=request("ping", number=7))

    assert early.status_code == 400
    assert early.json()["id"] == 7


async def test_a_notification_is_accepted_without_a_body(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    answer = await gateway.client.post(PATH, json=body, headers=session)

    assert (answer.status_code, answer.content) == (202, b"")


async def test_the_stream_of_a_session_brings_changes_and_is_kept_alive(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    async with gateway.client.stream("GET", PATH, headers=session) as stream:
        assert (stream.status_code, stream.headers["content-type"]) == (200, SSE)
        lines = stream.aiter_lines()
        async with asyncio.timeout(SECONDS):
            assert await anext(lines) == ": keep-alive"
        call = request("tools/call", {"name": "fixture__test_trigger_tool_change", "arguments": {}})
        await gateway.client.post(PATH, json=call, headers=session)
        async with asyncio.timeout(SECONDS):
            data = [line async for line in _until_data(lines)][-1]

    message = json.loads(data.removeprefix("data: "))
    assert message == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


async def _until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith("data: "):
            return


async def test_an_answer_that_broke_off_is_resumed_where_it_stopped(
    gateway: RunningProgram, hearing: dict[str, str]
) -> None:
    seen: list[tuple[str | None, Any]] = []
    async with (
        gateway.client.stream("POST", PATH, json=request(*LOGGING), headers=hearing) as answer,
        aclosing(events(answer)) as found,
    ):
        async for event in found:
            seen.append(event)
            if len(seen) == 2:
                break

    last = seen[-1][0]
    assert last is not None
    resume = {**hearing, "last-event-id": last}
    async with gateway.client.stream("GET", PATH, headers=resume) as answer:
        rest = await all_of(answer)

    messages = [each for _, each in (*seen, *rest) if each is not None]
    data = [each["params"]["data"] for each in messages if "method" in each]
    assert data == ["Tool execution started", "Tool processing data", "Tool execution completed"]
    assert messages[-1]["result"]["content"][0]["text"] == "Tool with logging executed successfully"


async def test_an_answer_that_was_missed_whole_is_resumed_from_the_first_event(
    gateway: RunningProgram, hearing: dict[str, str]
) -> None:
    async with (
        gateway.client.stream("POST", PATH, json=request(*LOGGING), headers=hearing) as answer,
        aclosing(events(answer)) as found,
    ):
        first = await anext(found)
    assert first[1] is None

    resume = {**hearing, "last-event-id": str(first[0])}
    async with gateway.client.stream("GET", PATH, headers=resume) as answer:
        messages = [each for _, each in await all_of(answer)]

    assert [each.get("method") for each in messages[:-1]] == ["notifications/message"] * 3
    assert messages[-1]["id"] == 1


@pytest.mark.parametrize("event_id", ["99-1", "main-x", "", "-", "1-", "1-٣", "\u00b2-1"])
async def test_an_event_that_is_not_kept_cannot_be_resumed(
    gateway: RunningProgram, session: dict[str, str], event_id: str
) -> None:
    resume = [*session.items(), ("last-event-id", event_id.encode("utf-8"))]

    answer = await gateway.client.get(PATH, headers=httpx2.Headers(resume))  # type: ignore[arg-type]

    assert answer.status_code == 404


async def test_a_batch_is_answered_on_one_stream_by_the_one_version_that_has_batches(
    gateway: RunningProgram,
) -> None:
    params = {**INITIALIZE["params"], "protocolVersion": "2025-03-26"}
    head = {**bearer(gateway.key), "accept": BOTH}
    opened = await gateway.client.post(PATH, json={**INITIALIZE, "params": params}, headers=head)
    head["mcp-session-id"] = opened.headers["mcp-session-id"]
    await _ask_for_logs(gateway, head)
    said = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    calls = [request(*ECHO, number=1), request(*LOGGING, number=2), request("nowhere", number=3)]

    answer = await gateway.client.post(PATH, json=[said, *calls], headers=head)
    told = await gateway.client.post(PATH, json=[said, said], headers=head)

    found = [message for _, message in await all_of(answer)]
    answers = {each["id"]: each for each in found if "id" in each}
    assert set(answers) == {1, 2, 3}
    assert answers[1]["result"]["content"][0]["text"] == "hi"
    assert answers[3]["error"]["code"] == -32601
    assert [each["method"] for each in found if "id" not in each].count("notifications/message") > 0
    assert (told.status_code, told.content) == (202, b"")


async def test_a_batch_is_refused_by_versions_that_have_none(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    answer = await gateway.client.post(PATH, json=[request("ping")], headers=session)

    assert answer.status_code == 400
    assert "a session of protocol version 2025-03-26" in answer.json()["error"]["message"]


async def test_cancelling_a_call_ends_it_and_frees_its_id(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    params = {"name": "fixture__test_wait", "arguments": {"seconds": 300}}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    async with (
        gateway.client.stream(
            "POST", PATH, json=request("tools/call", params, 7), headers={**session, "accept": SSE}
        ) as answer,
        aclosing(events(answer)) as found,
    ):
        # The first event says that the call has begun.
        assert (await anext(found))[1] is None
        same = await gateway.client.post(PATH, json=request("ping", number=7), headers=session)
        await gateway.client.post(PATH, json=cancel, headers=session)
        async with asyncio.timeout(SECONDS):
            rest = [each async for each in found]
    free = await gateway.client.post(PATH, json=request("ping", number=7), headers=session)

    assert same.status_code == 400
    assert "still being answered" in same.json()["error"]["message"]
    assert rest == []
    assert free.json() == {"jsonrpc": "2.0", "id": 7, "result": {}}


async def test_a_cancelled_call_of_who_accepts_json_only_ends_without_a_body(
    gateway: RunningProgram, session: dict[str, str]
) -> None:
    params = {"name": "fixture__test_wait", "arguments": {"seconds": 300}}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    headers = {**session, "accept": JSON}
    call = asyncio.create_task(
        gateway.client.post(PATH, json=request("tools/call", params, 7), headers=headers)
    )

    async with asyncio.timeout(SECONDS):
        while not call.done():
            # Nothing tells when the call has begun; before that there is nothing to cancel.
            await gateway.client.post(PATH, json=cancel, headers=session)
        answer = await call

    assert (answer.status_code, answer.content) == (202, b"")


async def test_a_modern_request_needs_headers_that_say_what_its_body_says(
    gateway: RunningProgram,
) -> None:
    body = modern(*ECHO)
    right = modern_headers("tools/call", "well__echo")

    answers = [
        await gateway.client.post(PATH, json=body, headers=headers)
        for headers in (
            right,
            {**right, "mcp-name": "well__add"},
            {**right, "mcp-method": "tools/list"},
            modern_headers("tools/call"),
            {**right, "mcp-protocol-version": LEGACY},
        )
    ]

    assert [each.status_code for each in answers] == [200, 400, 400, 400, 400]
    assert {each.json()["error"]["code"] for each in answers[1:]} == {-32020}


async def test_a_modern_request_of_an_unknown_version_hears_which_are_known(
    gateway: RunningProgram,
) -> None:
    body = modern("tools/list")
    key = "io.modelcontextprotocol/protocolVersion"
    body["params"]["_meta"] = {**body["params"]["_meta"], key: "2099-01-01"}
    headers = {**modern_headers("tools/list"), "mcp-protocol-version": "2099-01-01"}

    answer = await gateway.client.post(PATH, json=body, headers=headers)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, -32022)
    assert error["data"]["requested"] == "2099-01-01"
    assert error["data"]["supported"][:2] == ["2026-07-28", "2025-11-25"]
