"""A key that is limited to some servers and tools sees and reaches nothing else, by any method.

Two programs are compared: to the limited key the one that has a further server behind it must be as
the one that has not.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from interlock.protocol.json import JSONObject
from tests.integration.clients import BOTH, INITIALIZE, bearer, modern, modern_headers
from tests.integration.test_security import filled, methods_of
from tests.matrix.raw_client import ModernClient, RawClient, Refused, raw_client
from tests.requirements.puppet import Puppet, serving
from tests.requirements.stage import add
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("modern-http", "legacy-http", "legacy-sse")
KEYS = "/api/v1/projects/default/keys"
TOOLS_CHANGED = "notifications/tools/list_changed"
HIDDEN = "hidden"
WHOLE: JSONObject = {"seen": ["*"]}
ASKED: list[tuple[str, JSONObject]] = [
    ("tools/list", {}),
    ("prompts/list", {}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("tools/call", {"name": "seen__act"}),
    ("tools/call", {"name": "hidden__act"}),
    ("tools/call", {"name": "hidden__own"}),
    ("tools/call", {"name": "own"}),
    ("tools/call", {"name": "alias"}),
    ("prompts/get", {"name": "seen__greet"}),
    ("prompts/get", {"name": "hidden__greet"}),
    ("resources/read", {"uri": "test://text"}),
    ("resources/read", {"uri": "test://text#~hidden"}),
    ("resources/read", {"uri": "test://item/5"}),
    ("resources/read", {"uri": "test://item/5#~hidden"}),
    ("resources/read", {"uri": "hidden://file"}),
    ("resources/read", {"uri": "hidden://made/1"}),
    ("resources/subscribe", {"uri": "test://text"}),
    ("resources/subscribe", {"uri": "test://text#~hidden"}),
    ("resources/subscribe", {"uri": "hidden://file"}),
    ("resources/unsubscribe", {"uri": "hidden://file"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "seen__greet"}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "hidden__greet"}}),
    ("completion/complete", {"ref": {"type": "ref/resource", "uri": "hidden://made/{id}"}}),
    ("tasks/list", {}),
    ("tasks/get", {"taskId": "made-up"}),
    ("secrets/list", {}),
    ("logging/setLevel", {"level": "info"}),
    ("server/discover", {}),
    ("ping", {}),
]


@dataclass(frozen=True, slots=True)
class Both:
    """A program with both servers, one with a twin of the first alone, and what is behind one."""

    both: RunningProgram
    alone: RunningProgram
    seen: Puppet
    hidden: Puppet


def offering_more(puppet: Puppet) -> Puppet:
    """Let a puppet offer what the other one has not, besides what it has."""
    puppet.capabilities |= {"secrets": {}, "tasks": {"list": {}}, "experimental": {HIDDEN: {}}}
    puppet.lists = {
        "tools": [*puppet.lists["tools"], {"name": "own", "inputSchema": {"type": "object"}}],
        "prompts": puppet.lists["prompts"],
        "resources": [*puppet.lists["resources"], {"uri": "hidden://file", "name": "file"}],
        "resourceTemplates": [
            *puppet.lists["resourceTemplates"],
            {"uriTemplate": "hidden://made/{id}", "name": "made"},
        ],
    }
    return puppet


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two() -> AsyncIterator[Both]:
    aliased = {"mcpServers": {}, "interlock": {"aliases": {"alias": "hidden__own"}}}
    async with (
        program(aliased) as both,
        program({"mcpServers": {}}) as alone,
        serving(offering_more(Puppet("modern"))) as hidden,
        serving(Puppet("modern")) as seen,
        serving(Puppet("modern")) as twin,
    ):
        # The hidden one comes first, and would claim what both of them offer.
        await add(both, HIDDEN, {"url": hidden.url})
        for gateway, puppet in ((both, seen), (alone, twin)):
            await add(gateway, "seen", {"url": puppet.url})
            await gateway.up("seen")
        await both.up(HIDDEN)
        yield Both(both, alone, seen, hidden)
        for gateway in (both, alone):
            for name in (each for each in (HIDDEN, "seen") if gateway is both or each == "seen"):
                await gateway.client.delete(f"/api/v1/projects/default/servers/{name}")


async def new_key(gateway: RunningProgram, access: JSONObject | None, **more: Any) -> JSONObject:
    """Make a developer's key; returns its `id` and `secret`."""
    answer = await gateway.client.post(KEYS, json={"name": "limited", "access": access, **more})
    assert answer.status_code == 201, answer.text
    return {"id": answer.json()["key"]["id"], "secret": answer.json()["secret"]}


async def change(gateway: RunningProgram, key: JSONObject, access: JSONObject | None) -> None:
    """Limit a key to something else."""
    answer = await gateway.client.patch(f"{KEYS}/{key['id']}", json={"access": access})
    assert answer.status_code == 200, answer.text


@asynccontextmanager
async def client(kind: str, gateway: RunningProgram, secret: str) -> AsyncIterator[RawClient]:
    async with raw_client(kind, gateway.address, secret) as connected:
        yield connected


async def outcome(connected: RawClient, method: str, params: JSONObject) -> Any:
    """Return what a request came to, but for whether its list may be shared."""
    try:
        result = await connected.request(method, params)
    except Refused as refused:
        return {"refused": refused.error}
    return {name: value for name, value in result.items() if name != "cacheScope"}


@pytest.mark.parametrize("kind", KINDS)
async def test_to_a_limited_key_a_hidden_server_is_one_that_does_not_exist(
    two: Both, kind: str
) -> None:
    limited, free = (await new_key(two.both, WHOLE), await new_key(two.alone, None))
    before = len(two.hidden.seen)
    results: list[dict[str, Any]] = []
    for gateway, key in ((two.both, limited), (two.alone, free)):
        async with client(kind, gateway, key["secret"]) as connected:
            results.append(
                {
                    json.dumps([method, params]): await outcome(connected, method, params)
                    for method, params in ASKED
                }
            )

    assert results[0] == results[1]
    assert HIDDEN not in json.dumps([results[0][json.dumps(each)] for each in lists()])
    assert [each.message["method"] for each in two.hidden.seen[before:]] == []


def lists() -> list[tuple[str, JSONObject]]:
    return [each for each in ASKED if each[0].endswith("/list")]


@pytest.mark.parametrize("kind", KINDS)
async def test_without_limits_the_same_requests_reach_the_other_server(
    two: Both, kind: str
) -> None:
    key = await new_key(two.both, None)
    before = len(two.hidden.seen)

    async with client(kind, two.both, key["secret"]) as connected:
        for method, params in ASKED:
            await outcome(connected, method, params)

    reached = {each.message["method"] for each in two.hidden.seen[before:]}
    expected = {"tools/call", "prompts/get", "resources/read", "completion/complete"}
    assert reached >= {*expected, "secrets/list"}


async def test_what_a_session_is_told_at_its_start_says_nothing_of_hidden_servers(
    two: Both,
) -> None:
    limited, free = (await new_key(two.both, WHOLE), await new_key(two.alone, None))
    answers: list[list[Any]] = []
    for gateway, key in ((two.both, limited), (two.alone, free)):
        headers = bearer(key["secret"])
        path = "/mcp/default"
        opened = await gateway.client.post(
            path, json=INITIALIZE, headers={**headers, "accept": BOTH}
        )
        discovered = await gateway.client.post(
            path,
            json=modern("server/discover"),
            headers={**headers, **modern_headers("server/discover")},
        )
        results = [each.json()["result"] for each in (opened, discovered)]
        assert results[1].pop("cacheScope") in {"public", "private"}
        answers.append(results)

    assert answers[0] == answers[1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_that_is_not_named_looks_like_one_that_does_not_exist(
    two: Both, kind: str
) -> None:
    key = await new_key(two.both, {"seen": ["a*"]})
    before = len(two.seen.received("tools/call"))

    async with client(kind, two.both, key["secret"]) as connected:
        listed = await connected.all_of("tools/list", "tools")
        hidden, missing = [
            await outcome(connected, "tools/call", {"name": f"seen__{name}", "arguments": {}})
            for name in ("mirrored", "no-such")
        ]
        assert len(two.seen.received("tools/call")) == before
        await connected.call("seen__act")

    assert [tool["name"] for tool in listed] == ["seen__act"]
    assert json.loads(json.dumps(hidden).replace("mirrored", "no-such")) == missing
    assert len(two.seen.received("tools/call")) == before + 1


async def test_a_limited_list_is_nobody_else_s(two: Both) -> None:
    scopes: list[str] = []
    for access in (WHOLE, None):
        key = await new_key(two.both, access)
        async with client("modern-http", two.both, key["secret"]) as connected:
            scopes.append((await connected.request("tools/list"))["cacheScope"])

    assert scopes == ["private", "public"]


PATHS = (
    "/mcp/default/{}",
    "/sse/default/{}",
    "/sse/default/{}/-/messages",
    "/projects/default/servers/{}/mcp",
    "/projects/default/servers/{}/sse",
    "/projects/default/servers/{}/messages",
    "/api/proxy/mcp/{}/mcp",
    "/api/proxy/mcp/{}/sse",
    "/api/proxy/mcp/{}/messages",
)


@pytest.mark.parametrize("path", PATHS)
async def test_the_endpoints_of_a_hidden_server_are_not_there(two: Both, path: str) -> None:
    key = await new_key(two.both, WHOLE)
    method = "GET" if path.endswith("/sse") or path == "/sse/default/{}" else "POST"
    answers = [
        await two.both.client.request(
            method,
            path.format(name),
            json=INITIALIZE if method == "POST" else None,
            headers={**bearer(key["secret"]), "accept": BOTH},
        )
        for name in (HIDDEN, "no-such")
    ]

    assert [each.status_code for each in answers] == [404, 404]
    said = [each.json()["error"]["code"] for each in answers]
    assert said[0] == said[1]


async def test_nothing_of_the_control_api_tells_of_hidden_servers(two: Both) -> None:
    limited, free = (await new_key(two.both, WHOLE), await new_key(two.alone, None))
    document = (await two.both.client.get("/api/openapi.json")).json()
    routes = [path for method, path in sorted(methods_of(document)) if method == "GET"]
    readable: list[str] = []
    for path in routes:
        for name in ("seen", HIDDEN):
            address = filled(path.replace("{server}", name))
            answer = await two.both.client.get(address, headers=bearer(limited["secret"]))
            if answer.status_code == 403:
                continue
            other = await two.alone.client.get(address, headers=bearer(free["secret"]))
            assert answer.status_code == other.status_code, address
            if path != "/":
                assert answer.text.count(HIDDEN) == other.text.count(HIDDEN), (address, answer.text)
            if answer.status_code == 200 and name == "seen":
                readable.append(path)

    project = "/api/v1/projects/{project}"
    assert set(readable) >= {
        f"{project}/servers",
        f"{project}/servers/{{server}}",
        f"{project}/servers/{{server}}/tools",
        f"{project}/tools",
        f"{project}/health",
        f"{project}/clients/{{client}}",
        "/api/v1/projects",
        "/api/v1/auth/me",
    }
    assert not {path for path in readable if "records" in path or "logs" in path}


async def test_the_control_api_shows_a_limited_key_its_own_tools_only(two: Both) -> None:
    key = await new_key(two.both, {"seen": ["act"]})
    headers = bearer(key["secret"])
    servers = "/api/v1/projects/default/servers"

    whole = await two.both.client.get("/api/v1/projects/default/tools", headers=headers)
    own = await two.both.client.get(f"{servers}/seen/tools", headers=headers)
    server = await two.both.client.get(f"{servers}/seen", headers=headers)

    assert [tool["exposed_name"] for tool in whole.json()["tools"]] == ["seen__act"]
    assert [tool["name"] for tool in own.json()["tools"]] == ["act"]
    assert server.json()["tool_count"] == 1


@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_a_changed_limit_holds_from_the_next_request_on(two: Both, kind: str) -> None:
    key = await new_key(two.both, None)
    reached: list[bool] = []

    async with client(kind, two.both, key["secret"]) as connected:
        for access in (None, WHOLE, {HIDDEN: ["own"]}, {}, {"*": ["*"]}):
            await change(two.both, key, access)
            answer = await outcome(connected, "tools/call", {"name": "hidden__own"})
            reached.append("refused" not in answer)

    assert reached == [True, False, True, False, True]


@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_a_limited_client_hears_of_changes_that_it_can_see_only(two: Both, kind: str) -> None:
    limited, free = (await new_key(two.both, WHOLE), await new_key(two.both, None))

    async with AsyncExitStack() as stack:
        ears: list[RawClient] = []
        for key in (limited, free):
            ear = await stack.enter_async_context(client(kind, two.both, key["secret"]))
            if isinstance(ear, ModernClient):
                await stack.enter_async_context(ear.listening(toolsListChanged=True))
            ears.append(ear)
        for puppet in (two.hidden, two.seen):
            tools = puppet.lists["tools"]
            puppet.lists = {**puppet.lists, "tools": [*tools, {"name": f"new-{kind}"}]}
            await puppet.say(TOOLS_CHANGED)
            await ears[1].until(TOOLS_CHANGED)
        await ears[0].until(TOOLS_CHANGED)
        left = [each for each in ears[0].heard if each["method"] == TOOLS_CHANGED]
        names = [tool["name"] for tool in await ears[0].all_of("tools/list", "tools")]

    assert left == []
    assert f"seen__new-{kind}" in names


@pytest.mark.parametrize(
    ("access", "asked"), [(WHOLE, "seen"), ({HIDDEN: []}, HIDDEN), (None, HIDDEN)]
)
async def test_only_servers_that_are_seen_are_asked_to_tell_of_resources(
    two: Both, access: JSONObject | None, asked: str
) -> None:
    key, uri = await new_key(two.both, access), f"hidden://made/{asked}-{access is None}"

    async def is_asked() -> bool:
        return asks(two.seen, uri) or asks(two.hidden, uri)

    async with client("modern-http", two.both, key["secret"]) as connected:
        assert isinstance(connected, ModernClient)
        async with connected.listening(resourceSubscriptions=[uri]):
            await two.both.eventually(is_asked)

    assert (asks(two.seen, uri), asks(two.hidden, uri)) == (asked == "seen", asked == HIDDEN)


def asks(puppet: Puppet, uri: str) -> bool:
    """Tell whether a server was asked to tell of a resource."""
    wanted = [each.message["params"] for each in puppet.received("subscriptions/listen")]
    return any(uri in each["notifications"].get("resourceSubscriptions", ()) for each in wanted)
