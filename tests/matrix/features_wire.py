"""Features of the wire: what no version of the protocol knows passes, both ways."""

from tests.matrix.cell import SERVERS, Cell, facts
from tests.matrix.everything_offer import INSTRUCTIONS, SKILLED, JSONObject, capabilities
from tests.matrix.features import feature
from tests.matrix.features_questions import ALL
from tests.matrix.raw_client import LegacyClient

TRACE = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    "tracestate": "vendor=opaque",
    "baggage": "user=ada",
}
RESULT_META = "io.modelcontextprotocol/serverInfo"


@feature("trace context")
async def trace_context(cell: Cell) -> None:
    async with cell.raw() as client:
        for server in SERVERS:
            seen = facts(await client.call(f"{server}__echo", _meta=TRACE))
            assert TRACE.items() <= seen["params"]["_meta"].items()


@feature("unknown fields in params")
async def unknown_params(cell: Cell) -> None:
    """Fields beside the known ones reach the server, in `_meta` and out of it."""
    meta = {"example.com/deep": {"list": [1, None, {"a": "b"}]}, "flat": 2.5}
    more = {"x-future": {"list": [1, {"a": None}]}, "task": {"ttl": 60_000}}
    async with cell.raw() as client:
        for server in SERVERS:
            params = facts(await client.call(f"{server}__echo", _meta=meta, **more))["params"]
            assert meta.items() <= params["_meta"].items()
            assert more.items() <= params.items()


@feature("unknown fields in results")
async def unknown_results(cell: Cell) -> None:
    """Fields of results, of their content and of `_meta` reach the client."""
    async with cell.raw() as client:
        for server in SERVERS:
            result = await client.call(f"{server}__odd")
            meta = {key: value for key, value in result["_meta"].items() if key != RESULT_META}
            item = {"type": "text", "text": server, "x-item": {"kept": 1}, "_meta": {"a": 1}}
            assert [item] == result["content"]
            assert {"example.com/result": [server, None]} == meta
            assert result["x-result"] == {"kept": [1, {"2": 3}]}


@feature("unknown fields in answers")
async def unknown_answers(cell: Cell) -> None:
    """What a client adds to its answers reaches the server that asked."""
    answer: JSONObject = {
        "role": "assistant",
        "model": "a-model",
        "content": {"type": "text", "text": "hello", "x-item": [1]},
        "x-usage": {"tokens": 12},
        "_meta": {"example.com/cost": 0.5},
    }
    async with cell.raw(**ALL) as client:
        client.answers["sampling/createMessage"] = lambda _: answer
        for server in SERVERS:
            assert answer == facts(await client.call(f"{server}__sample"))["answer"]


@feature("capabilities and instructions")
async def introduction(cell: Cell) -> None:
    """The endpoint can do what its servers can, and says whose each instruction is."""
    async with cell.raw() as client:
        told = (
            client.initialized
            if isinstance(client, LegacyClient)
            else await client.request("server/discover")
        )

    era = "modern" if cell.serves_modern else "legacy"
    assert told["capabilities"] == capabilities(era, SKILLED)
    for server in SERVERS:
        assert f"## {server}\n{INSTRUCTIONS}" in told["instructions"]


@feature("results say what their era requires")
async def result_types(cell: Cell) -> None:
    """`resultType` and caching hints are there for modern clients, and not for legacy ones."""
    async with cell.raw() as client:
        called = await client.call("one__echo")
        read = await client.request("resources/read", {"uri": "test://text"})
        listed = await client.request("tools/list")

    if cell.is_modern:
        assert [each["resultType"] for each in (called, read, listed)] == ["complete"] * 3
        assert [int, int] == [type(each["ttlMs"]) for each in (read, listed)]
        assert {"public", "private"} >= {each["cacheScope"] for each in (read, listed)}
    else:
        hints = {"resultType", "ttlMs", "cacheScope"}
        assert [set()] * 3 == [hints & each.keys() for each in (called, read, listed)]
