"""What is given as a secret goes to its server and is told to nobody."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError

from tests.integration import servers
from tests.integration.clients import connection, text_of
from tests.integration.logs import caught_log
from tests.support.processes import free_port
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENV, HEADER, QUERY = "env-s3cret-value", "header-s3cret-value", "query-s3cret-value"
JOINED, FOLLOWING = "joined-s3cret-value", "following-s3cret-value"
SECRETS = (ENV, HEADER, QUERY, JOINED, FOLLOWING)
ARGS = [f"--token={JOINED}", "--api-key", FOLLOWING, "--verbose"]

# It writes all that it was given to stderr and into its refusal of the handshake.
TELLTALE = """
import json, os, sys
told = f"{os.environ['A_SECRET']} {' '.join(sys.argv[1:])}"
print(told, file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        error = {"code": -32000, "message": f"I was started with {told}"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}), flush=True)
"""
DYING = "import os, sys; sys.exit(f\"{os.environ['A_SECRET']} {' '.join(sys.argv[1:])}\")"


@dataclass(frozen=True, slots=True)
class Scene:
    """A program whose servers have secrets, and its log."""

    gateway: RunningProgram
    log: StringIO


def given(command: list[str]) -> dict[str, Any]:
    return servers.stdio([*command, *ARGS], env={"A_SECRET": ENV})


def remote(url: str) -> dict[str, Any]:
    return {
        "type": "streamable-http",
        "url": f"{url}?api_key={QUERY}&page=1",
        "headers": {"Authorization": f"Bearer {HEADER}", "X-Key": HEADER},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[Scene]:
    with servers.fixture_over_http() as url, caught_log() as log:
        config = {
            "well": given([sys.executable, "-m", "interlock.station.sample_server"]),
            "everything": {**servers.everything(), "env": {"A_SECRET": ENV}},
            "remote": remote(url),
            "old-remote": {**remote(f"http://127.0.0.1:{free_port()}/sse"), "type": "sse"},
            "unreachable": remote(f"http://127.0.0.1:{free_port()}/mcp"),
            "telltale": given([sys.executable, "-c", TELLTALE]),
            "dying": given([sys.executable, "-c", DYING]),
            "missing": given(["/no/such/command"]),
        }
        async with program({"mcpServers": config}) as gateway:
            await gateway.until(
                lambda conditions: (
                    all(conditions[name] == "ok" for name in ("well", "everything", "remote"))
                    and "starting" not in conditions.values()
                )
            )
            yield Scene(gateway, log)


async def test_the_secrets_reach_their_servers(scene: Scene) -> None:
    async with connection(scene.gateway, "auto", "everything") as client:
        environment = json.loads(text_of(await client.call_tool("get-env", {})))

    assert environment["A_SECRET"] == ENV


async def test_no_answer_of_the_api_tells_a_secret(scene: Scene) -> None:
    client = scene.gateway.client
    document = (await client.get("/api/openapi.json")).json()
    listed = (await client.get("/api/v1/projects/default/servers")).json()
    names = [each["name"] for each in listed]
    assert len(names) == 8
    told: list[str] = []
    answered = 0
    for path, item in document["paths"].items():
        # The stream of what changes has no end, and names nothing but kinds of things.
        if "get" not in item or "{key_id}" in path or path.endswith("/events"):
            continue
        for name in names if "{server}" in path else ["-"]:
            filled = path.replace("{project}", "default").replace("{server}", name)
            answer = await client.get(filled.replace("{client}", "cursor"))
            answered += answer.status_code == 200
            told += [f"{filled}: {secret}" for secret in SECRETS if secret in answer.text]

    assert told == []
    assert answered > 60


async def test_changes_and_tests_of_a_server_tell_no_secret(scene: Scene) -> None:
    client = scene.gateway.client
    servers_path = "/api/v1/projects/default/servers"
    answers = [
        await client.post(f"{servers_path}/{name}/{action}")
        for name in ("well", "remote", "unreachable", "telltale", "dying", "missing")
        for action in ("test", "restart", "disable", "enable")
    ]
    answers += [
        await client.patch(f"{servers_path}/unreachable", json={"timeout": 7}),
        await client.post(f"{servers_path}/test", json=given([sys.executable, "-c", DYING])),
        await client.post(f"{servers_path}/test", json=remote("http://127.0.0.1:1/mcp")),
    ]

    assert {each.status_code for each in answers} == {200}
    assert [each.text for each in answers if any(secret in each.text for secret in SECRETS)] == []
    await scene.gateway.up("well", "remote")


WRONG_SERVERS: list[dict[str, Any]] = [
    {"name": "a b\n", **given(["x"])},
    {"name": "x", **given(["x"]), "timeout": "soon"},
    {"name": "x", **given(["x"]), "no_such_field": ENV},
    {"name": "x", **given(["x"]), "url": f"http://a/?k={QUERY}"},
    {"name": "x", "command": "x", "env": {"A SECRET": [ENV]}},
    {"name": "x", "command": "x", "env": ENV},
    {"name": "x", "command": "x", "args": [[JOINED]]},
    {"name": "x", "url": f"ftp://a/?k={QUERY}"},
    {"name": "x", "url": f"http://user:{QUERY}@[::1/"},
    {"name": "x", "url": "http://a/", "headers": {"X-Key": f"{HEADER}\n"}},
    {"name": "x", "url": "http://a/", "headers": {"X-Key": [HEADER]}},
    {"name": "x", "url": "http://a/", "type": HEADER},
]


@pytest.mark.parametrize("definition", WRONG_SERVERS, ids=range(len(WRONG_SERVERS)))
async def test_a_wrong_definition_is_refused_without_its_secrets(
    scene: Scene, definition: dict[str, Any]
) -> None:
    path = "/api/v1/projects/default"
    added = await scene.gateway.client.post(f"{path}/servers", json=definition)
    fields = {key: value for key, value in definition.items() if key != "name"}
    text = json.dumps({"mcpServers": {"x": fields}})
    imported = await scene.gateway.client.post(
        f"{path}/import", json={"text": text, "dry_run": True}
    )
    cut = await scene.gateway.client.post(
        f"{path}/import", json={"text": text[:-3], "variables": {"V": ENV}}
    )

    assert (added.status_code, cut.status_code) == (400, 400)
    for answer in (added, imported, cut):
        assert [secret for secret in SECRETS if secret in answer.text] == []


async def test_callers_of_servers_that_are_down_hear_no_secret(scene: Scene) -> None:
    for name in ("telltale", "dying", "unreachable", "old-remote", "missing"):
        async with connection(scene.gateway, "legacy", name) as client:
            listed = await client.list_tools()
            with pytest.raises(MCPError) as raised:
                await client.call_tool("anything", {})
        told = f"{listed.model_dump_json()} {raised.value.message} {raised.value.data}"
        assert [secret for secret in SECRETS if secret in told] == []


async def test_the_arguments_of_calls_are_in_no_record(scene: Scene) -> None:
    async with connection(scene.gateway, "auto") as client:
        await client.call_tool("well__echo", {"message": f"hello {ENV}"})
        with pytest.raises(MCPError):
            await client.read_resource(f"demo://user:{HEADER}@nowhere/?token={QUERY}#{JOINED}")

    page = await scene.gateway.client.get("/api/v1/projects/default/records?limit=500")
    csv = await scene.gateway.client.get("/api/v1/projects/default/records/export?format=csv")

    assert "well__echo" in page.text
    assert "demo://nowhere/" in csv.text
    for answer in (page, csv):
        assert [secret for secret in SECRETS if secret in answer.text] == []


async def test_a_secret_survives_what_the_api_shows_in_its_place(scene: Scene) -> None:
    path = "/api/v1/projects/default/servers/everything"
    shown = (await scene.gateway.client.get(path)).json()

    changed = await scene.gateway.client.patch(path, json={"env": {"A_SECRET": "***"}})
    await scene.gateway.up("everything")
    async with connection(scene.gateway, "auto", "everything") as client:
        environment = json.loads(text_of(await client.call_tool("get-env", {})))

    assert (shown["env_names"], changed.status_code) == (["A_SECRET"], 200)
    assert environment["A_SECRET"] == ENV


async def test_no_file_of_the_program_holds_a_secret(scene: Scene) -> None:
    files = [each for each in scene.gateway.data_dir.iterdir() if each.is_file()]

    found = [
        (each.name, secret)
        for each in files
        for secret in SECRETS
        if secret.encode() in each.read_bytes()
    ]

    assert "interlock.db" in {each.name for each in files}
    assert found == []


async def test_the_log_tells_no_secret(scene: Scene) -> None:
    log = scene.log.getvalue()

    assert '"event":"server.down"' in log
    assert [line for line in log.splitlines() if any(secret in line for secret in SECRETS)] == []
    assert scene.gateway.key not in log
