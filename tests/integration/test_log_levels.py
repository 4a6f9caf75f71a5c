"""How much is logged about one server, changed while it runs."""

import json
import sys

from tests.integration.clients import bearer, modern, modern_headers
from tests.integration.logs import caught_log
from tests.integration.servers import sample, stdio
from tests.support.program import RunningProgram, program

PATH = "/api/v1/projects/default/servers/{}/log-level"
NOISY = (
    "import sys, subprocess; print('DEBUG: details', file=sys.stderr, flush=True); "
    "print('ERROR: trouble', file=sys.stderr, flush=True); "
    "from interlock.station.sample_server import main; main()"
)


async def set_level(gateway: RunningProgram, server: str, level: str | None) -> None:
    answer = await gateway.client.put(PATH.format(server), json={"level": level})
    assert (answer.status_code, answer.json()) == (200, {"level": level})


async def call(gateway: RunningProgram, server: str) -> None:
    body = modern("tools/call", {"name": f"{server}__echo", "arguments": {"message": "x"}})
    headers = modern_headers("tools/call", f"{server}__echo")
    answer = await gateway.client.post("/mcp/default", json=body, headers=headers)
    assert "error" in answer.json()


async def test_lines_about_a_server_follow_its_level_and_no_others() -> None:
    with caught_log() as caught:
        off = {**sample(), "disabled": True}
        async with program({"mcpServers": {"a": off, "b": off}}) as gateway:
            await set_level(gateway, "a", "error")
            for server in ("a", "b"):
                enable = f"/api/v1/projects/default/servers/{server}/enable"
                assert (await gateway.client.post(enable)).status_code == 200
            await gateway.up("a", "b")
            await set_level(gateway, "a", None)
    lines = [json.loads(line) for line in caught.getvalue().splitlines()]
    about = {(line["project"], line["server"]) for line in lines if line["event"] == "server.up"}
    assert about == {("default", "b")}


async def _restarted(gateway: RunningProgram, *names: str) -> None:
    async def are_up() -> bool:
        answer = await gateway.client.get("/api/v1/projects/default/health")
        found = {each["name"]: each for each in answer.json()["servers"]}
        return all(found[name]["restarts"] and found[name]["status"] == "ok" for name in names)

    await gateway.eventually(are_up)


async def test_who_may_read_a_level_may_not_change_it() -> None:
    async with program({"mcpServers": {"a": sample()}}) as gateway:
        key = bearer(await gateway.new_key("developer"))
        path = PATH.format("a")

        assert (await gateway.client.get(path, headers=key)).json() == {"level": None}
        refused = await gateway.client.put(path, json={"level": "debug"}, headers=key)
        assert refused.status_code == 403
        unknown = await gateway.client.put(PATH.format("x"), json={"level": "debug"})
        assert unknown.status_code == 404
        wrong = await gateway.client.put(path, json={"level": "loud"})
        assert (wrong.status_code, "level" in wrong.json()["error"]["message"]) == (400, True)


async def test_what_is_kept_of_a_server_follows_its_level() -> None:
    noisy = stdio([sys.executable, "-c", NOISY])
    async with program({"mcpServers": {"noisy": noisy}}) as gateway:
        await gateway.up("noisy")

        async def kept() -> list[str]:
            answer = await gateway.client.get("/api/v1/projects/default/servers/noisy/logs")
            return [line["text"] for line in answer.json()["lines"]]

        async def both_are_kept() -> bool:
            return {"DEBUG: details", "ERROR: trouble"} <= set(await kept())

        await gateway.eventually(both_are_kept)
        await set_level(gateway, "noisy", "warning")
        await gateway.client.post("/api/v1/projects/default/servers/noisy/restart")
        await _restarted(gateway, "noisy")

        async def errors_only() -> bool:
            return (await kept()).count("ERROR: trouble") == 2

        await gateway.eventually(errors_only)
        assert (await kept()).count("DEBUG: details") == 1
        await set_level(gateway, "noisy", None)


async def test_the_end_of_a_server_in_a_call_is_told_of_the_server_and_not_of_the_call() -> None:
    with caught_log() as caught:
        async with program({"mcpServers": {"a": stdio([sys.executable, "-c", _QUITS])}}) as gateway:
            await gateway.up("a")
            await call(gateway, "a")
    lines = [json.loads(line) for line in caught.getvalue().splitlines()]
    down = [line for line in lines if line["event"] == "server.down"]
    assert {(line["project"], line["server"]) for line in down} == {("default", "a")}
    assert {line.get("request_id") for line in down} == {None}


# Answers whatever leads to a call, and ends in the middle of it.
_QUITS = """
import json, sys
TOOLS = [{"name": "echo", "inputSchema": {"type": "object"}}]
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "tools/call":
        sys.exit(3)
    if "id" not in message:
        continue
    if method == "initialize":
        info = {"name": "quits", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        answer = {"result": result}
    elif method == "tools/list":
        answer = {"result": {"tools": TOOLS}}
    else:
        answer = {"error": {"code": -32601, "message": "no"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"""
