"""Features of streams: many calls at once, and streams that break and are taken up again."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

from httpx2 import Response

from tests.matrix.cell import SERVERS, Cell, exposed, facts
from tests.matrix.everything_offer import BLOB_URI, TEXT_URI, WATCHED_URI, JSONObject
from tests.matrix.features import feature
from tests.matrix.features_questions import ALL
from tests.matrix.raw_client import Event, LegacyClient, RawClient, events

Coming = AsyncGenerator[Event, None]

PROGRESS, UPDATED = "notifications/progress", "notifications/resources/updated"
SHORT, LONG = 10, 3_000_000  # characters of an answer
AT_ONCE = 10  # calls to each server


@feature("several calls at once")
async def many_calls(cell: Cell) -> None:
    """Each of many calls hears its own progress and gets its own answer, in whatever order."""
    for number, kind in enumerate([{}] if cell.is_modern else [{}, ALL]):
        async with cell.raw(**kind) as client:
            begun: dict[str, Any] = {}
            for each in range(AT_ONCE):
                for server in SERVERS:
                    arguments = {"tag": f"{cell.client} {number}", "number": each}
                    call = {
                        "name": f"{server}__in_turn",
                        "arguments": {**arguments, "last": AT_ONCE - 1},
                        "_meta": {"progressToken": f"{server} {each}"},
                    }
                    begun[f"{server} {each}"] = client.begin("tools/call", call).task
            results = await asyncio.gather(*begun.values())

            for token, result in zip(begun, results, strict=True):
                server, _, mine = token.partition(" ")
                assert {"server": server, "number": int(mine)} == facts(result)
                heard = [each["params"] for each in client.heard if each["method"] == PROGRESS]
                own = [each for each in heard if each["progressToken"] == token]
                assert [(1, f"{server}: step 1"), (2, f"{server}: step 2")] == [
                    (each["progress"], each["message"]) for each in own
                ]


@feature("resume of an answer's stream")
async def resumed_answer(cell: Cell) -> None:
    """A call whose stream breaks goes on, and the client misses nothing and hears nothing twice."""
    async with cell.raw() as client:
        for server in SERVERS:
            for size in SHORT, LONG:
                begun = await _broken(_legacy(client), server, f"{cell.client} {size}", size)
                rest = await _after(client, begun[-1].id)
                assert _steps([*begun, *rest]) == [1, 2, 3, 4]
                _check(rest[-1], server, size)
                ids = [each.id for each in (*begun, *rest)]
                assert len(ids) == len(set(ids))
                if size == SHORT:
                    # What was read last may have been lost on the client's side.
                    assert _steps(await _after(client, _with_step(begun, 1).id)) == [2, 3, 4]
                    assert _steps(await _after(client, begun[0].id)) == [1, 2, 3, 4]


async def _broken(client: LegacyClient, server: str, gate: str, size: int) -> list[Event]:
    """Begin a call, break its stream after two steps, and let it end while nobody listens."""
    params: JSONObject = {
        "name": f"{server}__stepwise",
        "arguments": {"gate": gate, "size": size},
        "_meta": {"progressToken": gate},
    }
    message = {"jsonrpc": "2.0", "id": gate + server, "method": "tools/call", "params": params}
    async with _events(client.posted(message)) as coming:
        seen = await _read(coming, lambda message: _step(message) == 2)
    await client.call(f"{server}__open_gate", {"gate": gate})
    await client.call(f"{server}__await_gate", {"gate": f"{gate}, passed"})
    await client.call(f"{server}__echo")
    return seen


@asynccontextmanager
async def _events(response: AbstractAsyncContextManager[Response]) -> AsyncIterator[Coming]:
    async with response as answer:
        assert answer.status_code == 200, await answer.aread()
        async with aclosing(events(answer)) as coming:
            yield coming


async def _read(coming: Coming, is_last: Callable[[JSONObject], object]) -> list[Event]:
    """Return what a stream brings, up to the message that `is_last`, or to its end."""
    seen: list[Event] = []
    async for event in coming:
        if event.id is not None:
            seen.append(event)
        if event.data and is_last(json.loads(event.data)):
            break
    return seen


async def _after(client: RawClient, event_id: str | None) -> list[Event]:
    """Return all that a stream brings after an event, to its end."""
    async with _events(_legacy(client).resumed(event_id)) as coming:
        return await _read(coming, lambda _: False)


def _legacy(client: RawClient) -> LegacyClient:
    assert isinstance(client, LegacyClient)
    return client


def _step(message: JSONObject) -> int | None:
    return message["params"]["progress"] if message.get("method") == PROGRESS else None


def _steps(seen: list[Event]) -> list[int]:
    told = [_step(json.loads(each.data)) for each in seen if each.data]
    return [each for each in told if each is not None]


def _with_step(seen: list[Event], step: int) -> Event:
    (found,) = [each for each in seen if each.data and _step(json.loads(each.data)) == step]
    return found


def _check(event: Event, server: str, size: int) -> None:
    """See that an event is the answer, whole."""
    answer = json.loads(event.data)
    assert answer["id"].endswith(server)
    (item,) = answer["result"]["content"]
    assert item["text"] == "x" * size


@feature("resume of a session's own stream")
async def resumed_session(cell: Cell) -> None:
    """What is announced while the session's own stream is broken comes when it is taken up."""
    async with cell.raw() as client:
        for server in SERVERS:
            uris = [WATCHED_URI, TEXT_URI, BLOB_URI]
            for uri in uris:
                await client.request("resources/subscribe", {"uri": exposed(server, uri)})
            async with _events(_legacy(client).resumed(None)) as coming:
                await client.call(f"{server}__touch", {"uri": uris[0]})
                seen = await _read(coming, bool)
            assert [exposed(server, uris[0])] == _uris(seen)

            for uri in uris[1:]:
                await client.call(f"{server}__touch", {"uri": uri})

            async with _events(_legacy(client).resumed(seen[-1].id)) as coming:
                missed = [*await _read(coming, bool), *await _read(coming, bool)]
                await client.call(f"{server}__touch", {"uri": uris[0]})
                live = await _read(coming, bool)
            assert [exposed(server, uri) for uri in uris[1:]] == _uris(missed)
            assert [exposed(server, uris[0])] == _uris(live)


def _uris(seen: list[Event]) -> list[str]:
    told = [json.loads(each.data) for each in seen if each.data]
    assert {UPDATED} == {each["method"] for each in told}
    return [each["params"]["uri"] for each in told]
