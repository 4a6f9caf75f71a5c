"""What a plain client does in each scenario of the client suite, with a gateway in between.

The suite's server sees nothing but the gateway, so its checks are of the gateway's upstream side.
Each scenario is driven twice, by a client of either era: what the gateway sends to a server of one
era must be right whoever called.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.matrix.raw_client import (
    NO_TLS,
    SECONDS,
    Begun,
    JSONObject,
    LegacyClient,
    ModernClient,
    RawClient,
)
from tests.support.program import RunningProgram, program

ASKABLE: JSONObject = {"elicitation": {}, "sampling": {}, "roots": {}}


@dataclass(frozen=True, slots=True)
class Order:
    """One scenario of the suite, its server's address, and what it tells its client beside."""

    scenario: str
    revision: str
    context: JSONObject
    url: str


@dataclass(frozen=True, slots=True)
class Play:
    """One client's turn in a scenario."""

    order: Order
    gateway: RunningProgram
    server: str
    is_modern: bool

    @asynccontextmanager
    async def connected(
        self, capabilities: JSONObject | None = None, *, endpoint: str = "default"
    ) -> AsyncIterator[RawClient]:
        """Connect a client that shows everything as it came."""
        async with self._http() as http:
            url = f"{self.gateway.address}/mcp/{endpoint}"
            if self.is_modern:
                yield ModernClient(http, url, capabilities or {})
                return
            client = LegacyClient(http, url, capabilities or {})
            await client.open()
            try:
                yield client
            finally:
                await client.close()

    @asynccontextmanager
    async def sdk(self) -> AsyncIterator[Client]:
        """Connect the official client, which mirrors arguments into headers by itself."""
        mode = "auto" if self.is_modern else "legacy"
        async with self._http() as http:
            url = f"{self.gateway.address}/mcp/default"
            transport = streamable_http_client(url, http_client=http)
            async with Client(
                transport, mode=mode, read_timeout_seconds=SECONDS, cache=None
            ) as client:
                yield client

    def _http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=SECONDS, verify=NO_TLS)


async def drive(orders: Sequence[Order]) -> list[str | None]:
    """Run one gateway in front of these scenarios' servers, play each, and say what failed."""
    names = [f"suite-{number}" for number, _ in enumerate(orders)]
    config: dict[str, Any] = {
        "mcpServers": {
            name: {"type": "http", "url": order.url}
            for name, order in zip(names, orders, strict=True)
        },
        "interlock": {"naming": "plain", "open": True},
    }
    async with program(config) as gateway:
        await gateway.until(lambda now: all(now.get(name) in {"ok", "failed"} for name in names))
        return [
            await _outcome(gateway, name, order) for name, order in zip(names, orders, strict=True)
        ]


async def _outcome(gateway: RunningProgram, server: str, order: Order) -> str | None:
    """Play a scenario with clients of either era; return what went wrong, if anything did."""
    health = (await gateway.client.get("/api/v1/projects/default/health")).json()
    (reason,) = [each["reason"] for each in health["servers"] if each["name"] == server]
    if reason is not None:
        return f"The gateway cannot speak to the server: {reason}"
    try:
        for is_modern in (False, True):
            play = Play(order, gateway, server, is_modern=is_modern)
            await _PLAYS.get(order.scenario, _list_tools)(play)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the suite's report tells it
        return f"{type(error).__name__}: {error}"
    return None


async def _list_tools(play: Play) -> None:
    async with play.connected() as client:
        await client.all_of("tools/list", "tools")


async def _add_numbers(play: Play) -> None:
    async with play.connected() as client:
        result = await client.call("add_numbers", {"a": 5, "b": 3})
        assert _text(result) == "The sum of 5 and 3 is 8"


async def _accept_defaults(play: Play) -> None:
    async with play.connected({"elicitation": {"form": {}}}) as client:
        client.answers["elicitation/create"] = _with_defaults
        result = await client.call("test_client_elicitation_defaults")
        assert _text(result).startswith("Elicitation completed")


async def _reconnect(play: Play) -> None:
    async with play.connected() as client:
        result = await client.call("test_reconnection")
        assert _text(result) == "Reconnection test completed successfully"


async def _send_a_request(play: Play) -> None:
    """Make a request at the server's own endpoint, which passes on what it does not know."""
    async with play.connected(ASKABLE, endpoint=f"default/{play.server}") as client:
        await client.request("example/echo")


async def _answer_questions(play: Play) -> None:
    async with play.connected({"elicitation": {"form": {}}}) as client:

        def confirm(_asked: JSONObject) -> JSONObject:
            unrelated.append(client.begin("tools/call", {"name": "test_mrtr_unrelated"}))
            return {"action": "accept", "content": {"confirmed": True}}

        unrelated: list[Begun] = []
        client.answers["elicitation/create"] = confirm
        expected = {
            "test_mrtr_echo_state": "echo-state-ok",
            "test_mrtr_no_state": "no-state-ok",
            "test_mrtr_no_result_type": "no-result-type-test-ok",
        }
        assert expected == {name: _text(await client.call(name)) for name in expected}
        assert [_text(await begun.task) for begun in unrelated] == ["unrelated-ok"] * 2


async def _use_everything(play: Play) -> None:
    async with play.connected() as client:
        for tool in await client.all_of("tools/list", "tools"):
            await client.call(tool["name"])
        for resource in await client.all_of("resources/list", "resources"):
            await client.request("resources/read", {"uri": resource["uri"]})
        for prompt in await client.all_of("prompts/list", "prompts"):
            await client.request("prompts/get", {"name": prompt["name"]})


async def _mirror_arguments(play: Play) -> None:
    async with play.sdk() as client:
        await client.list_tools()
        for call in play.order.context["toolCalls"]:
            result = await client.call_tool(call["name"], call["arguments"])
            assert not result.is_error, result


async def _use_valid_tools(play: Play) -> None:
    async with play.connected() as client:
        tools = await client.all_of("tools/list", "tools")
        assert [each["name"] for each in tools] == ["valid_tool"]
    async with play.sdk() as client:
        await client.list_tools()
        await client.call_tool("valid_tool", {"region": "here"})


async def _echo_schema(play: Play) -> None:
    async with play.connected() as client:
        tools = {each["name"]: each for each in await client.all_of("tools/list", "tools")}
        schema = tools["json_schema_2020_12_tool"]["inputSchema"]
        await client.call("json_schema_echo", {"schema": schema})


def _with_defaults(asked: JSONObject) -> JSONObject:
    fields = asked["requestedSchema"]["properties"]
    content = {name: field["default"] for name, field in fields.items()}
    return {"action": "accept", "content": content}


def _text(result: JSONObject) -> str:
    assert not result.get("isError"), result
    (item,) = result["content"]
    return item["text"]


_PLAYS: dict[str, Callable[[Play], Awaitable[None]]] = {
    "tools_call": _add_numbers,
    "elicitation-sep1034-client-defaults": _accept_defaults,
    "sse-retry": _reconnect,
    "request-metadata": _send_a_request,
    "sep-2322-client-request-state": _answer_questions,
    "http-standard-headers": _use_everything,
    "http-custom-headers": _mirror_arguments,
    "http-invalid-tool-headers": _use_valid_tools,
    "json-schema-2020-12-preservation": _echo_schema,
}
