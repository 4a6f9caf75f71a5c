"""A process that cannot start is shown and refused in the same words as a remote server."""

from tests.integration import servers
from tests.integration.clients import modern, modern_headers
from tests.support.program import program


async def test_after_five_restarts_the_circuit_is_open_and_calls_fail_at_once() -> None:
    async with program({"mcpServers": {"dead": servers.dead()}}) as gateway:
        path = "/api/v1/projects/default/health"

        async def is_open() -> bool:
            health = (await gateway.client.get(path)).json()["servers"][0]
            return health["circuit"] == "open" and "tried again" in await refusal()

        async def refusal() -> str:
            body = modern("tools/call", {"name": "any", "arguments": {}})
            headers = modern_headers("tools/call", "any")
            answer = await gateway.client.post("/mcp/default/dead", json=body, headers=headers)
            error = answer.json()["error"]
            return error["message"] if error["code"] == -31503 else ""

        await gateway.eventually(is_open)

        records = (
            await gateway.client.get("/api/v1/projects/default/records", params={"limit": 1})
        ).json()["records"]
        health = (await gateway.client.get(path)).json()["servers"][0]

    assert records[0]["reason"] == "circuit_open"
    assert (records[0]["server"], records[0]["upstream_ms"]) == ("dead", None)
    assert health["restarts"] >= 4
    assert health["circuit_until"] is not None
    assert health["endpoints"] is None
