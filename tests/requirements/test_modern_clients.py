"""What 2026-07-28 demands of a server, where no other test asks it of the whole program."""

import asyncio
from typing import Any

import httpx2
import pytest

from interlock.errors import RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, loads_strict
from tests.integration.clients import ENVELOPE, modern, modern_headers
from tests.matrix.raw_client import SECONDS, ModernClient, Refused
from tests.requirements.puppet import DONE, event
from tests.requirements.stage import META, PATH, Stage, error_of
from tests.upstreams.fakes import HTTPRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK_NAME: JSONObject = {
    "message": "Your name?",
    "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
async def test_a_request_without_a_required_field_is_refused_whatever_came_before(
    stage: Stage, missing: str
) -> None:
    async with httpx2.AsyncClient(
        base_url=stage.gateway.address,
        headers={"authorization": f"Bearer {stage.gateway.key}"},
        timeout=SECONDS,
        limits=httpx2.Limits(max_connections=1),
    ) as one_connection:
        headers = modern_headers("tools/list")
        whole = await one_connection.post(PATH, json=modern("tools/list"), headers=headers)
        meta = {key: value for key, value in ENVELOPE.items() if key != f"{META}{missing}"}
        body = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": meta}}
        answer = await one_connection.post(PATH, json=body, headers=headers)

    assert whole.status_code == 200
    assert (error_of(answer), answer.json()["id"]) == ((400, -32602), 2)
    assert f"{META}{missing}" in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["no/such", "ping", "logging/setLevel", "resources/subscribe"])
async def test_a_method_that_is_not_implemented_is_not_found(stage: Stage, method: str) -> None:
    assert error_of(await stage.call(method)) == (404, -32601)


async def test_header_names_are_read_in_any_case(stage: Stage) -> None:
    call = modern("tools/call", {"name": "new__act", "arguments": {}})
    headers = {
        "ACCEPT": "application/json, text/event-stream",
        "MCP-PROTOCOL-VERSION": "2026-07-28",
        "mCP-mETHOD": "tools/call",
        "MCP-Name": "=?base64?bmV3X19hY3Q=?=",
    }

    answer = await stage.post(call, headers)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("arguments", "sent", "status"),
    [
        ({"region": "eu"}, "eu", 200),
        ({"region": "eu"}, "=?base64?ZXU=?=", 200),
        ({"region": "eu"}, None, 400),
        ({"region": "eu"}, "us", 400),
        ({"region": "eu"}, "=?base64?***?=", 400),
        ({"region": None}, None, 200),
        ({"region": None}, "eu", 400),
        ({}, None, 200),
        ({}, "eu", 400),
    ],
)
async def test_a_mirrored_argument_is_checked_before_its_server_hears_of_it(
    stage: Stage, arguments: JSONObject, sent: str | None, status: int
) -> None:
    headers = {} if sent is None else {"Mcp_Param_REGION": sent}

    answer = await stage.call(
        "tools/call", {"name": "new__mirrored", "arguments": arguments}, **headers
    )

    heard = stage.new.received("tools/call")
    if status == 200:
        assert answer.status_code == 200, answer.text
        assert heard[0].headers.get("mcp-param-region") == arguments.get("region")
    else:
        assert (error_of(answer), answer.json()["id"]) == ((400, -32020), 1)
        assert heard == []


async def test_a_mirrored_argument_that_nobody_here_knows_reaches_the_server(stage: Stage) -> None:
    call = {"name": "new__act", "arguments": {"zone": "b"}}

    answer = await stage.call("tools/call", call, mcp_param_zone="b", mcp_other="c")

    (heard,) = stage.new.received("tools/call")
    assert answer.status_code == 200, answer.text
    assert heard.headers["mcp-param-zone"] == "b"
    assert "mcp-other" not in heard.headers


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("server/discover", {}),
        ("tools/list", {}),
        ("prompts/list", {}),
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("resources/read", {"uri": "test://text"}),
        ("resources/read", {"uri": "test://text#~new"}),
    ],
)
async def test_every_cacheable_result_says_how_long_and_for_whom(
    stage: Stage, method: str, params: JSONObject
) -> None:
    result = (await stage.call(method, params)).json()["result"]

    assert result["resultType"] == "complete"
    assert (type(result["ttlMs"]), result["ttlMs"] >= 0) == (int, True)
    assert result["cacheScope"] in {"public", "private"}


async def test_all_pages_of_a_list_are_for_the_same_callers(stage: Stage) -> None:
    pages: list[JSONObject] = []
    params: JSONObject = {}
    while not pages or "nextCursor" in pages[-1]:
        pages.append((await stage.call("tools/list", params)).json()["result"])
        params = {"cursor": pages[-1].get("nextCursor")}

    assert len(pages) > 1
    assert len({page["cacheScope"] for page in pages}) == 1


async def test_discovery_tells_versions_capabilities_and_who_answers(stage: Stage) -> None:
    result = (await stage.call("server/discover")).json()["result"]

    assert "2026-07-28" in result["supportedVersions"]
    assert result["capabilities"].keys() == {
        *("tools", "prompts", "resources", "logging", "completions")
    }
    assert result["_meta"][f"{META}serverInfo"]["name"] == "interlock"


async def _log(stage: Stage, name: str) -> None:
    async def log(request: HTTPRequest) -> None:
        said = {"level": "error", "data": f"from {name}"}
        message = jsonrpc.notification("notifications/message", said)
        await request.begin_stream(event(message))
        await stage.named(name).end_stream(request, {**DONE, **stage.named(name).complete()})

    stage.named(name).acts["tools/call"] = log


@pytest.mark.parametrize("server", ["old", "new"])
async def test_log_messages_come_only_to_requests_that_ask_for_them(
    stage: Stage, server: str
) -> None:
    await _log(stage, server)
    async with stage.modern() as client, stage.modern() as other:
        wanted = {"toolsListChanged": True}
        async with other.listening(**wanted):
            await client.call(f"{server}__act")
            unasked = list(client.heard)
            client.log_level = "error"
            await client.call(f"{server}__act")
        asked = list(client.heard)

    assert unasked == []
    assert [each["params"]["data"] for each in asked] == [f"from {server}"]
    assert other.heard == []


@pytest.mark.parametrize("server", ["old", "new"])
async def test_a_stream_of_changes_says_first_what_it_is_and_then_nothing_unasked(
    stage: Stage, server: str
) -> None:
    puppet = stage.named(server)
    body = modern("subscriptions/listen", {"notifications": {"promptsListChanged": True}}, 77)
    headers = {**modern_headers("subscriptions/listen"), "accept": "text/event-stream"}
    heard: list[Any] = []
    lists = dict(puppet.lists)
    async with (
        asyncio.timeout(SECONDS),
        stage.gateway.client.stream("POST", PATH, json=body, headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            if not line.startswith("data: {"):
                continue
            heard.append(loads_strict(line.removeprefix("data: ").encode()))
            if len(heard) > 1:
                break
            puppet.lists = {
                **lists,
                "tools": [*lists["tools"], {"name": "more", "inputSchema": {"type": "object"}}],
                "prompts": [*lists["prompts"], {"name": "more"}],
            }
            for kind in ("tools", "prompts"):
                await puppet.say(f"notifications/{kind}/list_changed")
    puppet.lists = lists
    await puppet.say("notifications/tools/list_changed")

    assert [each["method"] for each in heard] == [
        "notifications/subscriptions/acknowledged",
        "notifications/prompts/list_changed",
    ]
    assert [each["params"]["_meta"][f"{META}subscriptionId"] for each in heard] == [77, 77]
    assert heard[0]["params"]["notifications"] == {"promptsListChanged": True}


async def test_one_message_is_posted_at_a_time_and_answers_are_not(stage: Stage) -> None:
    notification = {"jsonrpc": "2.0", "method": "notifications/anything"}
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    headers = modern_headers("notifications/anything")

    taken = await stage.post(notification, headers)
    refused = [await stage.post(each, headers) for each in ([notification], response, {"id": 1})]

    assert (taken.status_code, taken.content) == (202, b"")
    assert [each.status_code for each in refused] == [400, 400, 400]


Question = tuple[str, JSONObject]
UNDECLARED: list[tuple[JSONObject, Question, JSONObject]] = [
    ({}, ("elicitation/create", ASK_NAME), {"elicitation": {"form": {}}}),
    ({"roots": {}}, ("sampling/createMessage", {"messages": []}), {"sampling": {}}),
    (
        {"elicitation": {"form": {}}},
        ("elicitation/create", {"mode": "url", "url": "https://a.example", "message": "Go"}),
        {"elicitation": {"url": {}}},
    ),
    (
        {"sampling": {}},
        ("sampling/createMessage", {"messages": [], "tools": []}),
        {"sampling": {"tools": {}}},
    ),
]


@pytest.mark.parametrize(("declared", "question", "required"), UNDECLARED)
async def test_a_modern_server_cannot_ask_what_the_client_did_not_declare(
    stage: Stage, declared: JSONObject, question: Question, required: JSONObject
) -> None:
    method, params = question

    async def ask(request: HTTPRequest) -> None:
        asked = {"q": {"method": method, "params": params}}
        await request.result({"resultType": "input_required", "inputRequests": asked})

    stage.new.acts["tools/call"] = ask
    body = modern("tools/call", {"name": "new__act", "arguments": {}})
    body["params"]["_meta"] = {**ENVELOPE, f"{META}clientCapabilities": declared}

    answer = await stage.post(body, modern_headers("tools/call", "new__act"))

    assert error_of(answer) == (400, -32021)
    assert answer.json()["error"]["data"] == {"requiredCapabilities": required}


@pytest.mark.parametrize(("declared", "question", "required"), UNDECLARED)
async def test_a_legacy_server_cannot_ask_what_the_client_did_not_declare(
    stage: Stage, declared: JSONObject, question: Question, required: JSONObject
) -> None:
    async def ask(request: HTTPRequest) -> None:
        told = await stage.old.ask(request, *question)
        await stage.old.end_stream(request, {"structuredContent": told, **DONE})

    stage.old.acts["tools/call"] = ask
    async with stage.modern(**declared) as client:
        result = await client._once(1, "tools/call", {"name": "old__act", "arguments": {}})

    assert result["resultType"] == "complete"
    assert result["structuredContent"]["error"]["code"] in {-32601, -32602}


async def _ask_roots(client: ModernClient, server: str) -> None:
    template = {"type": "ref/resource", "uri": "test://item/{id}"}
    if server == "new":
        template["uri"] += "#~new"
    params = {"ref": template, "argument": {"name": "id", "value": "1"}}
    await client._once(1, "completion/complete", params)


async def test_only_the_requests_that_may_ask_for_input_do(stage: Stage) -> None:
    told: list[JSONObject] = []

    async def ask_at_once(request: HTTPRequest) -> None:
        asked = {"q": {"method": "roots/list"}}
        await request.result({"resultType": "input_required", "inputRequests": asked})

    async def ask_midway(request: HTTPRequest) -> None:
        told.append(await stage.old.ask(request, "roots/list", {}))
        await stage.old.end_stream(request, {"completion": {"values": []}})

    stage.new.acts["completion/complete"] = ask_at_once
    stage.old.acts["completion/complete"] = ask_midway
    async with stage.modern(roots={}) as client:
        with pytest.raises(Refused) as refused:
            await _ask_roots(client, "new")
        await _ask_roots(client, "old")

    assert refused.value.error["code"] == -32603
    assert [each["error"]["code"] for each in told] == [-32601]


async def test_only_the_three_questions_of_the_protocol_are_put_to_clients(stage: Stage) -> None:
    async def ask(request: HTTPRequest) -> None:
        asked = {"q": {"method": "tools/list"}}
        await request.result({"resultType": "input_required", "inputRequests": asked})

    stage.new.acts["tools/call"] = ask
    async with stage.modern(roots={}) as client:
        with pytest.raises(Refused) as refused:
            await client.call("new__act")

    assert refused.value.error["code"] == -32603


@pytest.mark.parametrize("server", ["old", "new"])
async def test_codes_of_the_legacy_era_are_said_in_todays_words(stage: Stage, server: str) -> None:
    puppet = stage.named(server)
    address = {"mode": "url", "elicitationId": "e", "url": "https://a.example", "message": "Go"}
    fault = {"code": -32042, "message": "Visit it.", "data": {"elicitations": [address]}}
    missing = {"code": -32002, "message": "Gone."}

    def failing(error: JSONObject) -> Any:
        async def fail(request: HTTPRequest) -> None:
            await request.failure(200, RPCError(**error))

        return fail

    puppet.acts["tools/call"] = failing(fault)
    puppet.acts["resources/read"] = failing(missing)
    uri = "test://text" if server == "old" else "test://text#~new"
    call = {"name": f"{server}__act", "arguments": {}}
    async with stage.modern(elicitation={"url": {}}) as client:
        result = await client._once(1, "tools/call", call)
        with pytest.raises(Refused) as refused:
            await client.request("resources/read", {"uri": uri})
    unable = await stage.call("tools/call", call)

    assert result == {
        "resultType": "input_required",
        "inputRequests": {"elicitation-1": {"method": "elicitation/create", "params": address}},
    }
    assert refused.value.error["code"] == -32602
    assert error_of(unable) == (400, -32021)


async def test_a_resource_that_does_not_exist_is_an_error_and_not_empty(stage: Stage) -> None:
    answer = await stage.call("resources/read", {"uri": "nowhere://x"})

    assert error_of(answer) == (400, -32602)


async def test_a_list_is_the_same_on_every_connection_and_after_other_requests(
    stage: Stage,
) -> None:
    async with stage.modern() as client, stage.modern() as other:
        first = await client.all_of("tools/list", "tools")
        await client.call("new__act")
        await client.call("old__act")
        again = await client.all_of("tools/list", "tools")
        elsewhere = await other.all_of("tools/list", "tools")

    assert first == again == elsewhere


async def test_a_result_without_a_type_is_passed_on_as_complete(stage: Stage) -> None:
    async def answer(request: HTTPRequest) -> None:
        await request.result(DONE)

    stage.new.acts["tools/call"] = answer

    result = (await stage.call("tools/call", {"name": "new__act", "arguments": {}})).json()

    assert result["result"]["resultType"] == "complete"


@pytest.mark.parametrize("name", ["access_token", "api_key", "key", "authorization"])
async def test_a_key_in_the_address_is_no_credential(stage: Stage, name: str) -> None:
    address = f"{stage.gateway.address}{PATH}?{name}={stage.gateway.key}"
    async with httpx2.AsyncClient(timeout=SECONDS) as nobody:
        answer = await nobody.post(
            address, json=modern("tools/list"), headers=modern_headers("tools/list")
        )

    assert answer.status_code == 401


async def test_a_body_of_this_era_needs_its_version_in_the_header_too(stage: Stage) -> None:
    headers = modern_headers("tools/list")
    del headers["mcp-protocol-version"]

    answer = await stage.post(modern("tools/list"), headers)

    assert error_of(answer) == (400, -32020)


async def test_a_question_midway_is_a_result_and_never_a_request(stage: Stage) -> None:
    async def ask(request: HTTPRequest) -> None:
        told = await stage.old.ask(request, "elicitation/create", ASK_NAME)
        await stage.old.end_stream(request, {"structuredContent": told["result"], **DONE})

    stage.old.acts["tools/call"] = ask
    call: JSONObject = {"name": "old__act", "arguments": {}}
    answer = {"action": "accept", "content": {"name": "Ada"}}
    async with stage.modern(elicitation={"form": {}}) as client:
        asked = await client._once(1, "tools/call", call)
        ((key, question),) = asked["inputRequests"].items()
        retry = {**call, "requestState": asked["requestState"], "inputResponses": {key: answer}}
        result = await client._once(2, "tools/call", retry)
        forged = {**retry, "requestState": asked["requestState"][:-8] + "AAAAAAA="}
        with pytest.raises(Refused) as refused:
            await client._once(3, "tools/call", forged)

    assert asked["resultType"] == "input_required"
    assert question == {"method": "elicitation/create", "params": ASK_NAME}
    assert result["structuredContent"] == answer
    assert refused.value.error["code"] == -32602
    assert client.heard == []


async def test_a_question_that_its_server_takes_back_is_no_news_to_the_client(stage: Stage) -> None:
    async def ask_and_take_back(request: HTTPRequest) -> None:
        messages = [
            jsonrpc.request("taken-back", "elicitation/create", ASK_NAME),
            jsonrpc.notification("notifications/cancelled", {"requestId": "taken-back"}),
            jsonrpc.result(request.message["id"], DONE),
        ]
        await request.stream(b"".join(map(event, messages)))

    stage.old.acts["tools/call"] = ask_and_take_back
    async with stage.modern(elicitation={"form": {}}) as client:
        result = await client._once(1, "tools/call", {"name": "old__act", "arguments": {}})

    assert (result["resultType"], client.heard) == ("complete", [])
