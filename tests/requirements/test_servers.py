"""What both eras demand of a client, where no other test asks it of the whole program."""

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from interlock.errors import RPCError
from interlock.gateway.aggregation import STATUS_META
from interlock.protocol.json import JSONObject
from interlock.upstreams.conversation import Conversation
from tests.matrix.raw_client import SECONDS, Refused
from tests.requirements.puppet import DONE, Puppet
from tests.requirements.stage import META, SECRET, SERVERS, Stage, add
from tests.support.program import _descendants
from tests.upstreams.fakes import HTTPRequest, connected, silent

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING = Path(__file__).parents[1] / "matrix" / "everything_server.py"
ASKED: JSONObject = {"message": "Your name?", "requestedSchema": {"type": "object"}}


async def test_each_request_carries_what_its_era_wants_and_no_callers_key(stage: Stage) -> None:
    async with stage.legacy(roots={}) as legacy, stage.modern() as modern:
        for server in ("old", "new"):
            await legacy.call(f"{server}__act")
            await modern.call(f"{server}__act")
    seen = [*stage.old.seen, *stage.new.seen]

    assert {each.headers["authorization"] for each in seen} == {SECRET}
    assert stage.gateway.key not in str([each.headers for each in seen])
    posts = [each for each in seen if each.verb == "POST"]
    assert {each.headers["accept"] for each in posts} == {"application/json, text/event-stream"}
    for request in stage.new.received("tools/call"):
        assert request.headers["mcp-protocol-version"] == "2026-07-28"
        assert (request.headers["mcp-method"], request.headers["mcp-name"]) == ("tools/call", "act")
        meta = request.message["params"]["_meta"]
        assert meta[f"{META}protocolVersion"] == "2026-07-28"
        assert isinstance(meta[f"{META}clientCapabilities"], dict)
    for request in stage.old.received("tools/call"):
        assert request.headers["mcp-protocol-version"] == "2025-11-25"
    shaken = [each.message["method"] for each in stage.old.seen if each.verb == "POST"]
    assert shaken.index("initialize") < shaken.index("notifications/initialized")


async def test_a_forgotten_session_is_opened_anew_without_naming_the_old_one(stage: Stage) -> None:
    forgotten: list[str] = []

    async def forget_once(request: HTTPRequest) -> None:
        session = request.headers["mcp-session-id"]
        if not forgotten:
            forgotten.append(session)
            await request.reply(404)
        else:
            await request.result({"session": "kept", **DONE})

    stage.old.acts["tools/call"] = forget_once
    async with stage.legacy(roots={}) as client:
        result = await client.call("old__act")
        told = client._headers["mcp-session-id"]

    handshakes = stage.old.received("initialize")
    first, second = stage.old.received("tools/call")
    assert result["session"] == "kept"
    assert ["mcp-session-id" in each.headers for each in handshakes] == [False, False]
    assert first.headers["mcp-session-id"] != second.headers["mcp-session-id"]
    assert told not in {each.headers.get("mcp-session-id") for each in stage.old.seen}


@pytest.mark.parametrize("state", ["an opaque état, {not: json}", "", None])
async def test_a_retry_gives_back_the_state_exactly_and_under_a_new_id(
    stage: Stage, state: str | None
) -> None:
    asked: asyncio.Event = asyncio.Event()
    beside: asyncio.Event = asyncio.Event()

    async def ask(request: HTTPRequest) -> None:
        params = request.message["params"]
        if params["arguments"].get("beside"):
            beside.set()
        elif "inputResponses" not in params:
            question = {"q": {"method": "elicitation/create", "params": ASKED}}
            result = {"resultType": "input_required", "inputRequests": question}
            asked.set()
            await beside.wait()
            await request.result(result if state is None else {**result, "requestState": state})
            return
        await request.result({**DONE, "resultType": "complete"})

    stage.new.acts["tools/call"] = ask
    async with asyncio.timeout(SECONDS), stage.legacy(elicitation={}) as client:
        client.answers["elicitation/create"] = lambda _: {"action": "accept", "content": {"a": 1}}
        call = client.begin("tools/call", {"name": "new__act", "arguments": {}})
        await asked.wait()
        await client.call("new__act", {"beside": True})
        await call.task

    first, other, retry = stage.new.received("tools/call")
    params = retry.message["params"]
    assert params["inputResponses"] == {"q": {"action": "accept", "content": {"a": 1}}}
    assert (params.get("requestState"), "requestState" in params) == (state, state is not None)
    assert len({each.message["id"] for each in (first, other, retry)}) == 3
    assert {"inputResponses", "requestState"} & other.message["params"].keys() == set()
    meta = params["_meta"]
    assert meta[f"{META}clientCapabilities"] == {"elicitation": {}}


async def test_a_question_is_answered_before_the_call_is_made_again(stage: Stage) -> None:
    async def ask(request: HTTPRequest) -> None:
        questions = {name: {"method": "elicitation/create", "params": ASKED} for name in "ab"}
        if "inputResponses" in request.message["params"]:
            await request.result(DONE)
        else:
            await request.result({"resultType": "input_required", "inputRequests": questions})

    stage.new.acts["tools/call"] = ask
    async with stage.legacy(elicitation={}) as client:
        client.answers["elicitation/create"] = lambda _: {"action": "decline"}
        await client.call("new__act")

    _, retry = stage.new.received("tools/call")
    assert retry.message["params"]["inputResponses"] == {key: {"action": "decline"} for key in "ab"}


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_server_is_asked_only_for_what_it_declared(stage: Stage, era: str) -> None:
    bare = Puppet(era)
    bare.capabilities = {"tools": {}}
    async with stage.joined_by(bare):
        async with stage.legacy() as client:
            await client.request("logging/setLevel", {"level": "debug"})
            await client.call("third__act")
        async with stage.modern() as client:
            client.log_level = "debug"
            await client.call("third__act")
    methods = {each.message["method"] for each in bare.seen if each.verb == "POST"}

    legacy = {"initialize", "notifications/initialized", "ping"}
    assert methods - legacy == {"server/discover", "tools/list", "tools/call"}
    assert era == "legacy" or not methods & legacy


async def test_no_schema_makes_us_fetch_anything(stage: Stage) -> None:
    third = Puppet("modern")
    async with stage.joined_by(third), stage.modern() as client:
        reference = {"$ref": third.url.replace("/mcp", "/schema.json")}
        tool: JSONObject = {
            "name": "pointing",
            "inputSchema": {"type": "object", "properties": {"a": reference}},
            "outputSchema": reference,
        }
        third.lists = {**third.lists, "tools": [tool]}
        async with client.listening(toolsListChanged=True):
            await third.say("notifications/tools/list_changed")
            await client.until("notifications/tools/list_changed")
        listed = await client.all_of("tools/list", "tools")
        await client.call("third__pointing", {"a": 1})

    assert {**tool, "name": "third__pointing"} in listed
    assert {each.path for each in third.seen} == {"/mcp"}


async def test_one_broken_annotation_takes_away_its_own_tool_alone(stage: Stage) -> None:
    third = Puppet("modern")
    broken = {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}
    third.lists = {
        **third.lists,
        "tools": [{"name": "broken", "inputSchema": broken}, *third.lists["tools"]],
    }
    async with stage.joined_by(third), stage.modern() as client:
        listed = {each["name"] for each in await client.all_of("tools/list", "tools")}

    assert {each for each in listed if each.startswith("third__")} == {
        "third__act",
        "third__mirrored",
    }


async def test_every_page_is_asked_for_whatever_its_cursor_looks_like(stage: Stage) -> None:
    cursors = [None, "", "ünï/=?&", "0"]

    async def page(request: HTTPRequest) -> None:
        number = cursors.index(request.message["params"].get("cursor"))
        tool = {"name": f"tool-{number}", "inputSchema": {"type": "object"}}
        more = {"nextCursor": cursors[number + 1]} if number + 1 < len(cursors) else {}
        await request.result({"tools": [tool], **more})

    third = Puppet("legacy")
    third.acts["tools/list"] = page
    async with stage.joined_by(third), stage.modern() as client:
        listed = {each["name"] for each in await client.all_of("tools/list", "tools")}

    assert {f"third__tool-{number}" for number in range(4)} <= listed


async def test_what_is_read_is_never_kept_for_the_next_reader(stage: Stage) -> None:
    async def read(request: HTTPRequest) -> None:
        text = f"{request.message['params']['uri']} {len(stage.new.received('resources/read'))}"
        contents = [{"uri": request.message["params"]["uri"], "text": text}]
        await request.result({"contents": contents, **stage.new.complete()})

    stage.new.acts["resources/read"] = read
    uris = ["test://text#~new", "test://text#~new", "test://item/1#~new"]
    async with stage.modern() as client:
        texts = [
            (await client.request("resources/read", {"uri": uri}))["contents"][0]["text"]
            for uri in uris
        ]

    assert texts == ["test://text 1", "test://text 2", "test://item/1 3"]


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


async def test_a_pipe_that_was_opened_anew_is_listened_to_again(stage: Stage) -> None:
    arguments = [str(EVERYTHING), "--name", "pipe", "--era", "modern", "--stdio"]
    await add(stage.gateway, "pipe", {"command": sys.executable, "args": arguments})
    await stage.gateway.up("pipe")
    (pid,) = [pid for pid in _descendants() if f"{EVERYTHING} --name pipe" in command_of(pid)]
    os.kill(pid, signal.SIGKILL)

    async def runs_again() -> bool:
        health = (await stage.gateway.client.get("/api/v1/projects/default/health")).json()
        (pipe,) = [each for each in health["servers"] if each["name"] == "pipe"]
        return (pipe["status"], pipe["restarts"]) == ("ok", 1)

    await stage.gateway.eventually(runs_again)
    async with stage.modern() as client:
        async with client.listening(toolsListChanged=True):
            await client.call("pipe__add", {"kind": "tools", "key": "later"})
            await client.until("notifications/tools/list_changed")
        listed = {each["name"] for each in await client.all_of("tools/list", "tools")}
    await stage.gateway.client.delete(f"{SERVERS}/pipe")

    assert "pipe__later" in listed


async def test_a_legacy_client_hears_the_servers_own_code_for_a_visit(stage: Stage) -> None:
    address = {"mode": "url", "elicitationId": "e", "url": "https://a.example", "message": "Go"}
    data = {"elicitations": [address]}

    async def refuse(request: HTTPRequest) -> None:
        await request.failure(200, RPCError(-32042, "Visit it.", data))

    stage.old.acts["tools/call"] = refuse
    async with stage.legacy(elicitation={"url": {}}) as client:
        with pytest.raises(Refused) as refused:
            await client.call("old__act")

    assert refused.value.error == {"code": -32042, "message": "Visit it.", "data": data}


async def test_a_handshake_that_is_given_up_is_not_cancelled_at_its_server() -> None:
    link, server = connected(silent)
    talk = Conversation(link)
    for method in ("initialize", "tools/list"):
        call = asyncio.create_task(talk.call(method, {}, lambda _: None))
        await server.next(method)
        call.cancel()
        await asyncio.wait({call})
    told = await server.next()
    await talk.close()

    # The first that the server hears of is the second request, which has the next id.
    assert told["method"] == "notifications/cancelled"
    assert told["params"]["requestId"] == 2
    assert server.inbox.empty()


async def test_our_own_key_in_meta_is_named_as_keys_must_be(stage: Stage) -> None:
    label = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    name = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"

    assert re.fullmatch(rf"{label}(?:\.{label})*/{name}", STATUS_META)
    assert STATUS_META.split(".")[1].partition("/")[0] not in {"mcp", "modelcontextprotocol"}
