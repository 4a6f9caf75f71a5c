"""What 2025-11-25 demands of a server, where no other test asks it of the whole program."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import LATEST_LEGACY, LEGACY_VERSIONS
from tests.integration.clients import BOTH, INITIALIZE, open_session, request
from tests.matrix.raw_client import SECONDS
from tests.requirements.puppet import DONE, event
from tests.requirements.stage import PATH, Stage, error_of
from tests.upstreams.fakes import HTTPRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALL = {"name": "old__act", "arguments": {}}
ASKED: JSONObject = {"message": "Your name?", "requestedSchema": {"type": "object"}}


async def session_of(stage: Stage) -> dict[str, str]:
    return await open_session(stage.gateway.client, PATH, stage.gateway.key)


@pytest.mark.parametrize(
    ("wanted", "agreed"),
    [*zip(LEGACY_VERSIONS, LEGACY_VERSIONS, strict=True), ("1999-01-01", LATEST_LEGACY)],
)
async def test_the_handshake_answers_with_version_capabilities_and_name(
    stage: Stage, wanted: str, agreed: str
) -> None:
    params = {**INITIALIZE["params"], "protocolVersion": wanted}

    answer = await stage.post({**INITIALIZE, "params": params}, {"accept": BOTH})

    result = answer.json()["result"]
    assert result["protocolVersion"] == agreed
    assert result["capabilities"].keys() == {
        *("tools", "prompts", "resources", "logging", "completions")
    }
    assert result["serverInfo"]["name"] == "interlock"
    assert re.fullmatch(r"[\x21-\x7e]{16,}", answer.headers["mcp-session-id"])


async def test_what_cannot_be_taken_is_refused_by_its_status(stage: Stage) -> None:
    session = await session_of(stage)
    unknown = {**session, "mcp-session-id": "unknown"}
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = {"jsonrpc": "2.0", "id": "nobody-asked", "result": {}}

    taken = await stage.post(answer, session)
    refused = [
        await stage.post(notification, unknown),
        await stage.post(answer, unknown),
        await stage.post([notification], session),
        await stage.post({**request("ping"), "id": None}, session),
        await stage.post({"jsonrpc": "2.0", "id": 1, "result": {}}, {"accept": BOTH}),
    ]

    assert (taken.status_code, taken.content) == (202, b"")
    assert [each.status_code for each in refused] == [404, 404, 400, 400, 400]


async def test_giving_up_what_is_over_changes_nothing(stage: Stage) -> None:
    session = await session_of(stage)
    await stage.post(request("tools/call", CALL, 5), session)

    taken = [
        await stage.post(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": named}},
            session,
        )
        for named in (5, 99, "5", None)
    ]
    after = await stage.post(request("tools/call", CALL, 5), session)

    assert [each.status_code for each in taken] == [202] * 4
    assert after.json() == {"jsonrpc": "2.0", "id": 5, "result": DONE}


async def test_what_is_not_utf_8_is_refused(stage: Stage) -> None:
    session = await session_of(stage)
    body = json.dumps(request("ping", {"x": "é"}), ensure_ascii=False).encode("latin-1")

    answer = await stage.gateway.client.post(
        PATH, content=body, headers={**session, "content-type": "application/json"}
    )

    assert error_of(answer) == (400, -32700)


async def _noisy(request: HTTPRequest) -> None:
    """Answer with a log message before the result."""
    said = {"level": "error", "data": request.message["params"]["arguments"]["number"]}
    message = jsonrpc.notification("notifications/message", said)
    await request.stream(event(message), event(jsonrpc.result(request.message["id"], DONE)))


Events = list[tuple[str, Any]]


async def _events(stage: Stage, method: str, headers: dict[str, str], **body: Any) -> Events:
    async with (
        asyncio.timeout(SECONDS),
        stage.gateway.client.stream(method, PATH, headers=headers, **body) as answer,
    ):
        return [each async for each in _each_of(answer)]


async def _each_of(answer: httpx2.Response) -> AsyncGenerator[tuple[str, Any]]:
    event_id, seen = "", ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name.startswith("data"):
            seen = value
        elif not line and event_id:
            yield event_id, json.loads(seen) if seen else None
            event_id = seen = ""


async def test_each_message_is_on_one_stream_under_an_id_of_its_own(stage: Stage) -> None:
    stage.old.acts["tools/call"] = _noisy
    session = {**await session_of(stage), "accept": "text/event-stream"}
    streams: list[Events] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(SECONDS))
        opening = stage.gateway.client.stream("GET", PATH, headers=session)
        own = await stack.enter_async_context(opening)
        for number in (1, 2):
            params = {**CALL, "arguments": {"number": number}}
            body = request("tools/call", params, number)
            streams.append(await _events(stage, "POST", session, json=body))
        await stage.gateway.client.patch(
            "/api/v1/projects/default/servers/new", json={"disabled": True}
        )
        standalone = await anext(_each_of(own))
        await stage.gateway.client.patch(
            "/api/v1/projects/default/servers/new", json={"disabled": False}
        )
    again = [
        await _events(stage, "GET", {**session, "last-event-id": stream[0][0]})
        for stream in streams
    ]
    await stage.gateway.up("new")

    for number, stream in enumerate(streams, 1):
        opened, (_, logged), (_, answered) = stream
        assert opened[1] is None
        assert (logged["params"]["data"], answered["id"]) == (number, number)
    assert standalone[1]["method"].endswith("/list_changed")
    ids = [event_id for stream in streams for event_id, _ in stream]
    assert len({*ids, standalone[0]}) == len(ids) + 1
    assert again == [stream[1:] for stream in streams]


async def test_what_a_client_did_not_declare_is_not_asked_of_it(stage: Stage) -> None:
    questions: list[tuple[str, JSONObject]] = [
        ("elicitation/create", {"mode": "url", "url": "https://a.example", "message": "Go"}),
        ("sampling/createMessage", {"messages": [], "maxTokens": 1, "toolChoice": {}}),
        ("roots/list", {}),
    ]
    told: list[JSONObject] = []

    async def ask(request: HTTPRequest) -> None:
        told.append(await stage.old.ask(request, *questions[len(told)]))
        await stage.old.end_stream(request, DONE)

    stage.old.acts["tools/call"] = ask
    asked: list[JSONObject] = []
    async with stage.legacy(elicitation={}, sampling={}) as client:
        for method, _ in questions:
            client.answers[method] = lambda params: asked.append(params) or {}
        for _ in questions:
            await client.call("old__act")

    assert asked == []
    assert [each["error"]["code"] for each in told] == [-32602, -32602, -32601]


async def test_a_question_without_a_mode_is_a_form(stage: Stage) -> None:
    told: list[JSONObject] = []

    async def ask(request: HTTPRequest) -> None:
        told.append(await stage.old.ask(request, "elicitation/create", ASKED))
        await stage.old.end_stream(request, DONE)

    stage.old.acts["tools/call"] = ask
    async with stage.legacy(elicitation={"form": {}}) as client:
        client.answers["elicitation/create"] = lambda params: {"action": "accept", "got": params}
        await client.call("old__act")

    assert told[0]["result"] == {"action": "accept", "got": ASKED}


async def test_our_questions_have_ids_that_are_never_used_again(stage: Stage) -> None:
    async def ask(request: HTTPRequest) -> None:
        await stage.old.ask(request, "roots/list", {})
        await stage.old.end_stream(request, DONE)

    stage.old.acts["tools/call"] = ask
    session = {**INITIALIZE, "params": {**INITIALIZE["params"], "capabilities": {"roots": {}}}}
    opened = await stage.post(session, {"accept": BOTH})
    headers = {"accept": BOTH, "mcp-session-id": opened.headers["mcp-session-id"]}
    ids: list[Any] = []
    for number in (1, 2, 3):
        body = request("tools/call", CALL, number)
        async with (
            asyncio.timeout(SECONDS),
            stage.gateway.client.stream("POST", PATH, json=body, headers=headers) as answer,
        ):
            async for _, message in _each_of(answer):
                if message is not None and "method" in message:
                    ids.append(message["id"])
                    reply = {"jsonrpc": "2.0", "id": message["id"], "result": {"roots": []}}
                    await stage.post(reply, headers)

    assert len(ids) == len(set(ids)) == 3
    assert {type(each) for each in ids} <= {int, str}


async def test_the_end_of_a_visit_is_told_to_the_client_that_was_sent_there_alone(
    stage: Stage,
) -> None:
    async def send_there(request: HTTPRequest) -> None:
        params = {"mode": "url", "elicitationId": "e-1", "url": "https://a.example", "message": "?"}
        await stage.old.ask(request, "elicitation/create", params)
        await stage.old.end_stream(request, {"session": request.headers["mcp-session-id"], **DONE})

    url = {"url": {}}
    async with stage.legacy(elicitation=url) as client, stage.legacy(elicitation=url) as other:
        # Both clients have sessions of their own with the server by now.
        await other.call("old__act")
        stage.old.acts["tools/call"] = send_there
        client.answers["elicitation/create"] = lambda _: {"action": "accept"}
        session = (await client.call("old__act"))["session"]
        await stage.old.opened(session)
        for number in ("e-1", "e-2"):
            method = "notifications/elicitation/complete"
            await stage.old.say_to(session, method, elicitationId=number)
        told = [await client.until("notifications/elicitation/complete") for _ in range(2)]

    assert [each["elicitationId"] for each in told] == ["e-1", "e-2"]
    assert other.heard == []


async def test_a_result_of_a_type_that_nobody_knows_is_no_success(stage: Stage) -> None:
    types: list[JSONObject] = [{"resultType": "surprise"}, {"resultType": "complete"}, {}]

    async def answer(request: HTTPRequest) -> None:
        await request.result({**types[len(stage.new.received("tools/call")) - 1], **DONE})

    stage.new.acts["tools/call"] = answer
    session = await session_of(stage)

    answers = [
        (await stage.post(request("tools/call", {"name": "new__act"}), session)).json()
        for _ in types
    ]

    assert "resultType" in answers[0]["error"]["message"]
    assert [each["result"] for each in answers[1:]] == [DONE, DONE]
