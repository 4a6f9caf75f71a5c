"""Who may do what: without a key, from foreign pages, with a lesser role, from another project."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.integration import servers
from tests.integration.clients import (
    BOTH,
    INITIALIZE,
    bearer,
    modern,
    modern_headers,
)
from tests.integration.people import administrator, new_project
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREE = {
    # From this machine; test_metrics_access.py says what holds for others.
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/auth/login"),
}
NAMES = {"project": "default", "server": "well", "client": "cursor"}
MCP_PATHS = (
    "/mcp/default",
    "/mcp/default/well",
    "/mcp/default/no-such-server",
    "/mcp/no-such-project",
    "/sse/default",
    "/sse/default/well",
    "/sse/default/-/messages",
    "/sse/default/well/-/messages",
    "/projects/default/unified/sse",
    "/projects/default/unified/messages",
    "/projects/default/unified/mcp",
    "/projects/default/servers/well/sse",
    "/projects/default/servers/well/messages",
    "/projects/default/servers/well/mcp",
    "/api/proxy/mcp/well/sse",
    "/api/proxy/mcp/well/messages",
    "/api/proxy/mcp/well/mcp",
    "/api/proxy/mcp/no-such-server/sse",
)
STREAMS = [
    path
    for path in MCP_PATHS
    if path.endswith("/sse") or (path.startswith("/sse/") and "/-/" not in path)
]
MAX_BODY = 4 * 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {"well": servers.sample()}}) as running:
        await running.up("well")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anonymous(gateway: RunningProgram) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=gateway.address, timeout=60) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(gateway: RunningProgram) -> dict[str, str]:
    return {role: await gateway.new_key(role) for role in ("developer", "reporter")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(gateway: RunningProgram) -> dict[str, str]:
    async with administrator(gateway) as browser:
        return bearer(await new_project(browser, "elsewhere"))


def methods_of(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, item in document["paths"].items():
        for method in item:
            yield method.upper(), path


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: NAMES.get(found[1], "some-id"), path)


def codes_other_than(code: int, answers: Mapping[Any, httpx2.Response]) -> dict[Any, int]:
    """Return what was answered where it was not `code`; all answers are shown if one is wrong."""
    return {what: each.status_code for what, each in answers.items() if each.status_code != code}


async def test_every_route_asks_for_a_key(
    gateway: RunningProgram, anonymous: httpx2.AsyncClient
) -> None:
    document = (await anonymous.get("/api/openapi.json")).json()
    routes = set(methods_of(document))
    assert routes >= FREE
    assert len(routes) > 40

    answers = {
        (method, path): await anonymous.request(method, filled(path), json={})
        for method, path in sorted(routes - FREE)
    }

    assert codes_other_than(401, answers) == {}
    for answer in answers.values():
        assert answer.headers["www-authenticate"] == 'Bearer realm="interlock"'
        assert answer.json()["error"]["reason"] == "unauthenticated"


@pytest.mark.parametrize("content", [b"{", b'{"a": 1, "a": 2}', b" " * (MAX_BODY + 1)])
@pytest.mark.parametrize("key", [None, "wrong"])
async def test_nobody_unknown_is_told_what_is_wrong_with_a_body(
    anonymous: httpx2.AsyncClient, content: bytes, key: str | None
) -> None:
    document = (await anonymous.get("/api/openapi.json")).json()
    routes = [
        *(each for each in methods_of(document) if each not in FREE and each[0] != "GET"),
        ("POST", "/api/v1/nowhere"),
    ]
    assert len(routes) > 20
    headers = {"content-type": "application/json", **(bearer(key) if key else {})}

    answers = {
        (method, path): await anonymous.request(
            method, filled(path), content=content, headers=headers
        )
        for method, path in routes
    }

    assert codes_other_than(401, answers) == {}


async def test_a_key_of_another_project_is_not_told_what_is_wrong_with_a_body(
    gateway: RunningProgram, stranger: dict[str, str]
) -> None:
    path = "/api/v1/projects/default/servers"

    answers = [
        await gateway.client.post(path, content=b"{", headers=credential)
        for credential in (stranger, {})
    ]

    assert [each.status_code for each in answers] == [404, 400]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/openapi.json", "/api/docs", "/"])
async def test_what_tells_nothing_needs_no_key(anonymous: httpx2.AsyncClient, path: str) -> None:
    answer = await anonymous.get(path)

    assert answer.status_code == 200


@pytest.mark.parametrize("path", MCP_PATHS)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"x-api-key": "ilk_aaaaaaaa_" + "A" * 49},
    ],
)
async def test_every_mcp_path_asks_for_a_key_that_holds(
    anonymous: httpx2.AsyncClient, path: str, method: str, credential: dict[str, str]
) -> None:
    headers = {"accept": BOTH, **credential}
    body: Any = {"json": INITIALIZE} if method == "POST" else {}

    answer = await anonymous.request(method, path, headers=headers, **body)

    # Which methods an endpoint takes is no secret.
    assert answer.status_code in {401, 405}
    if answer.status_code == 405:
        assert method not in answer.headers["allow"]


async def test_a_key_counts_as_bearer_and_as_api_key_but_two_must_agree(
    gateway: RunningProgram, anonymous: httpx2.AsyncClient, keys: dict[str, str]
) -> None:
    own, other = {"x-api-key": gateway.key}, bearer(keys["developer"])

    answers = [
        await anonymous.post("/mcp/default", json=INITIALIZE, headers={"accept": BOTH, **headers})
        for headers in (own, bearer(gateway.key), {**own, **bearer(gateway.key)}, {**own, **other})
    ]

    assert [each.status_code for each in answers] == [200, 200, 200, 401]


async def test_a_revoked_key_is_refused_at_once(gateway: RunningProgram) -> None:
    secret = await gateway.new_key("developer")
    listed = (await gateway.client.get("/api/v1/projects/default/keys")).json()
    key_id = next(each["id"] for each in listed if secret.startswith(each["prefix"]))
    headers = {**bearer(secret), **modern_headers("tools/list")}
    body = modern("tools/list")

    before = await gateway.client.post("/mcp/default", json=body, headers=headers)
    await gateway.client.delete(f"/api/v1/projects/default/keys/{key_id}")
    after = await gateway.client.post("/mcp/default", json=body, headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


PLACES = ("/mcp/default", "/sse/default", "/api/v1/projects", "/healthz", "/", "/sessions")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_is_refused_everywhere(
    gateway: RunningProgram, path: str, host: str
) -> None:
    answer = await gateway.client.get(path, headers={"host": host})

    # A Host without any name is refused by the parser or by us.
    assert answer.status_code in ({400, 421} if not host else {421})


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost.evil.example", "null"]
)
async def test_a_foreign_origin_is_refused_everywhere(
    gateway: RunningProgram, path: str, origin: str
) -> None:
    answer = await gateway.client.get(path, headers={"origin": origin})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, -31403)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
async def test_this_machine_is_reached_by_all_its_names(gateway: RunningProgram, name: str) -> None:
    headers = {"host": f"{name}:1234", "origin": f"http://{name}:5173"}

    answer = await gateway.client.get("/healthz", headers=headers)

    assert answer.status_code == 200


def harmful(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Define a server that leaves a trace as soon as it is started."""
    trace = folder / "was-started"
    return trace, servers.stdio(["/bin/sh", "-c", f"touch '{trace}'"])


@pytest.mark.parametrize("role", ["developer", "reporter"])
async def test_lesser_roles_cannot_have_anything_started(
    gateway: RunningProgram, keys: dict[str, str], role: str, tmp_path: Path
) -> None:
    trace, definition = harmful(tmp_path)
    named = {"name": "harm", **definition}
    project = "/api/v1/projects/default"
    text = json.dumps({"mcpServers": {"harm": definition}})
    session = {"server_type": "any", "server_command": "/bin/sh", "server_args": definition["args"]}
    attempts: list[tuple[str, str, Any]] = [
        ("POST", f"{project}/servers", named),
        ("POST", f"{project}/servers/test", definition),
        ("PATCH", f"{project}/servers/well", definition),
        ("PUT", f"{project}/servers/well", definition),
        ("DELETE", f"{project}/servers/well", None),
        ("POST", f"{project}/servers/well/disable", None),
        ("POST", f"{project}/servers/well/enable", None),
        ("POST", f"{project}/servers/well/restart", None),
        ("POST", f"{project}/import", {"text": text}),
        ("POST", f"{project}/import", {"text": text, "dry_run": True}),
        ("POST", f"{project}/keys", {"name": "more", "role": "owner"}),
        ("GET", f"{project}/keys", None),
        ("PATCH", project, {"naming": "plain"}),
        ("DELETE", project, None),
        ("POST", "/projects/default/servers", named),
        ("POST", "/api/mcp/servers", named),
        ("PUT", "/api/mcp/servers/well", definition),
        ("DELETE", "/api/mcp/servers/well", None),
        ("POST", "/api/mcp/servers/well/test", None),
        ("POST", "/sessions", session),
        ("GET", "/sessions", None),
        ("POST", "/mcp/request", {"session_id": "x", "method": "tools/list"}),
        ("POST", "/api/v1/projects", {"name": "mine"}),
    ]
    headers = bearer(keys[role])

    answers = {
        f"{method} {path}": await gateway.client.request(method, path, json=body, headers=headers)
        for method, path, body in attempts
    }

    assert codes_other_than(403, answers) == {}
    listed = (await gateway.client.get(f"{project}/servers")).json()
    assert [(each["name"], each["status"]) for each in listed] == [("well", "ok")]
    assert not trace.exists()


async def test_the_same_definition_leaves_its_trace_when_an_owner_tries_it(
    gateway: RunningProgram, tmp_path: Path
) -> None:
    trace, definition = harmful(tmp_path)

    answer = await gateway.client.post("/api/v1/projects/default/servers/test", json=definition)

    assert (answer.status_code, answer.json()["ok"]) == (200, False)
    assert trace.exists()


async def test_a_developer_uses_tools_and_a_reporter_only_reads(
    gateway: RunningProgram, keys: dict[str, str]
) -> None:
    call = modern("tools/call", {"name": "well__echo", "arguments": {"message": "hi"}})
    results: dict[str, list[Any]] = {}
    for role, key in keys.items():
        listed = await gateway.client.post(
            "/mcp/default",
            json=modern("tools/list"),
            headers={**bearer(key), **modern_headers("tools/list")},
        )
        called = await gateway.client.post(
            "/mcp/default",
            json=call,
            headers={**bearer(key), **modern_headers("tools/call", "well__echo")},
        )
        shown = await gateway.client.get("/api/v1/projects/default/servers", headers=bearer(key))
        tried = await gateway.client.post(
            "/api/v1/projects/default/servers/well/test", headers=bearer(key)
        )
        error = called.json().get("error", {}).get("code")
        tools = len(listed.json()["result"]["tools"])
        results[role] = [tools, error, shown.status_code, tried.status_code]

    assert results == {"developer": [3, None, 200, 200], "reporter": [3, -31403, 200, 403]}


async def test_a_key_of_another_project_finds_nothing(
    gateway: RunningProgram, stranger: dict[str, str]
) -> None:
    document = (await gateway.client.get("/api/openapi.json")).json()
    routes = [each for each in methods_of(document) if "{project}" in each[1]]
    assert len(routes) > 20
    routes += [("GET" if path in STREAMS else "POST", path) for path in MCP_PATHS]

    answers = {
        (method, path): await gateway.client.request(
            method,
            filled(path),
            json=INITIALIZE if path in MCP_PATHS and method == "POST" else {},
            headers={**stranger, "accept": BOTH},
        )
        for method, path in routes
    }

    assert codes_other_than(404, answers) == {}
    seen = (await gateway.client.get("/api/v1/projects", headers=stranger)).json()
    assert [each["name"] for each in seen] == ["elsewhere"]


async def test_what_is_hidden_reads_like_what_is_missing(
    gateway: RunningProgram, stranger: dict[str, str]
) -> None:
    headers = {**stranger, **modern_headers("tools/list")}
    texts: list[str] = []
    for project in ("default", "nowhere"):
        for path in (f"/mcp/{project}", f"/mcp/{project}/well"):
            answer = await gateway.client.post(path, json=modern("tools/list"), headers=headers)
            texts.append(answer.text.replace(project, "X"))
        shown = await gateway.client.get(f"/api/v1/projects/{project}/servers", headers=stranger)
        texts.append(shown.json()["error"]["message"])

    assert texts[:3] == texts[3:]


async def test_a_hidden_server_reads_like_a_missing_one_where_it_is_named_alone(
    gateway: RunningProgram, stranger: dict[str, str]
) -> None:
    server = (await gateway.client.get("/api/v1/projects/default/servers/well")).json()
    headers = {**stranger, **modern_headers("tools/list")}
    texts: set[str] = set()
    for name in ("well", server["id"], "nowhere"):
        path = f"/api/proxy/mcp/{name}/mcp"
        answer = await gateway.client.post(path, json=modern("tools/list"), headers=headers)
        texts.add(f"{answer.status_code} {answer.text.replace(name, 'X')}")

    (text,) = texts
    assert text.startswith("404")
    assert "default" not in text


async def test_servers_of_one_project_are_not_reached_through_another(
    gateway: RunningProgram, stranger: dict[str, str]
) -> None:
    server = (await gateway.client.get("/api/v1/projects/default/servers/well")).json()

    answers = [
        await gateway.client.request(
            method, f"/api/v1/projects/elsewhere/servers/{name}", headers=stranger
        )
        for method in ("GET", "DELETE")
        for name in ("well", server["id"])
    ]

    assert [each.status_code for each in answers] == [404] * 4


OVERSIZED = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"pad": "x" * MAX_BODY}}
BODIES = (
    ("POST", "/mcp/default"),
    ("POST", "/sse/default/-/messages"),
    ("POST", "/api/v1/projects/default/servers"),
    ("POST", "/api/v1/projects/default/import"),
    ("PATCH", "/api/v1/projects/default"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/mcp/servers"),
    ("POST", "/sessions"),
    ("POST", "/mcp/request"),
)


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_refused(
    gateway: RunningProgram, method: str, path: str, announced: bool
) -> None:
    body = json.dumps(OVERSIZED).encode()
    async with AsyncExitStack() as stack:
        if path.endswith("messages"):
            path = await stack.enter_async_context(messages_path(gateway))

        answer = await gateway.client.request(
            method,
            path,
            content=body if announced else in_chunks(body),
            headers={"accept": BOTH, "content-type": "application/json"},
        )

    assert ("content-length" in answer.request.headers) is announced
    assert answer.status_code == 413


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 256 * 1024):
        yield body[start : start + 256 * 1024]


@asynccontextmanager
async def messages_path(gateway: RunningProgram) -> AsyncIterator[str]:
    """Open a legacy SSE stream and yield the path of its messages."""
    async with gateway.client.stream("GET", "/sse/default") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        yield (await anext(lines)).removeprefix("data: ")


HOSTILE = {
    "not JSON": b"{",
    "nothing": b"",
    "not UTF-8": b'{"jsonrpc": "2.0", "method": "\xff"}',
    "another encoding": json.dumps(INITIALIZE).encode("utf-16"),
    "NaN": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": NaN}}',
    "infinite": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": 1e999}}',
    "huge integer": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": %s}}'
    % (b"9" * 5000),
    "a key twice": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/list"}',
    "too deep": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": %s%s}}'
    % (b"[" * 100_000, b"]" * 100_000),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(("method", "path"), BODIES)
async def test_hostile_json_is_refused(
    gateway: RunningProgram, method: str, path: str, body: bytes
) -> None:
    async with AsyncExitStack() as stack:
        if path.endswith("messages"):
            path = await stack.enter_async_context(messages_path(gateway))
        answer = await gateway.client.request(
            method,
            path,
            content=body,
            headers={"accept": BOTH, "content-type": "application/json"},
        )

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] != ""


@pytest.mark.parametrize(
    "message",
    [
        [INITIALIZE],
        "text",
        17,
        None,
        {"id": 1, "method": "ping"},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": 7},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/mcp/default", "/sse/default/-/messages"])
async def test_what_is_no_json_rpc_is_refused(
    gateway: RunningProgram, path: str, message: Any
) -> None:
    async with AsyncExitStack() as stack:
        if path.endswith("messages"):
            path = await stack.enter_async_context(messages_path(gateway))
        answer = await gateway.client.post(
            path,
            content=json.dumps(message),
            headers={"accept": BOTH, "content-type": "application/json"},
        )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


@pytest.mark.asyncio(loop_scope="function")
async def test_an_open_project_lets_anyone_use_its_tools_and_nothing_else() -> None:
    config = {"mcpServers": {"well": servers.sample()}, "interlock": {"open": True}}
    async with program(config) as gateway:
        await gateway.up("well")
        async with httpx2.AsyncClient(base_url=gateway.address, timeout=60) as anyone:
            listed = await anyone.post(
                "/mcp/default", json=modern("tools/list"), headers=modern_headers("tools/list")
            )
            called = await anyone.post(
                "/mcp/default",
                json=modern("tools/call", {"name": "well__echo", "arguments": {"message": "hi"}}),
                headers=modern_headers("tools/call", "well__echo"),
            )
            shown = await anyone.get("/api/v1/projects/default/servers")
            added = await anyone.post(
                "/api/v1/projects/default/servers", json={"name": "more", **servers.sample()}
            )
            session = await anyone.post("/sessions", json={})

    codes = [each.status_code for each in (listed, called, shown, added, session)]
    assert codes == [200, 200, 200, 403, 403]
    assert "OPEN" in gateway.report.warnings[0]
