"""A session is found from every process of the gateway, whichever opened it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.app.trio import COUNT, SECONDS, Trio
from tests.matrix.raw_client import BOTH, INFO, LEGACY, Event, JSONObject, Refused, events

ELICITING: JSONObject = {"elicitation": {"form": {}}}
ADA = {"action": "accept", "content": {"name": "Ada"}}
WATCHED = "test://watched"
OPENING = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": INFO}


class Session:
    """A session that was opened at one process; each request names the one that it is sent to."""

    def __init__(self, trio: Trio, place: str, session_id: str) -> None:
        self.id = session_id
        self._trio = trio
        self._path = f"/mcp/{place}"
        self._headers = {
            "accept": BOTH,
            "mcp-protocol-version": LEGACY,
            "mcp-session-id": session_id,
        }

    async def post(
        self, number: int, method: str, request_id: Any = None, **params: Any
    ) -> httpx2.Response:
        """Send a message; one with an id is a request."""
        async with self._trio.gateway.at(number) as client:
            message = _message(method, request_id, params)
            return await client.post(self._path, json=message, headers=self._headers)

    async def call(self, number: int, name: str, **arguments: Any) -> JSONObject:
        """Call a tool and return its result."""
        answer = await self.post(number, "tools/call", 7, name=name, arguments=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    @asynccontextmanager
    async def stream(
        self, number: int, *, after: str | None = None, **posted: Any
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Open the session's own stream, take one up again, or send a request and read on."""
        last = {} if after is None else {"last-event-id": after}
        method = "POST" if posted else "GET"
        async with (
            self._trio.gateway.at(number) as client,
            client.stream(
                method, self._path, json=posted or None, headers={**self._headers, **last}
            ) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            yield events(answer)

    async def delete(self, number: int) -> int:
        """End the session and return the status."""
        async with self._trio.gateway.at(number) as client:
            return (await client.delete(self._path, headers=self._headers)).status_code


async def opened(trio: Trio, number: int, place: str) -> Session:
    """Open a session at one process."""
    headers = {"accept": BOTH, "mcp-protocol-version": LEGACY}
    async with trio.gateway.at(number) as client:
        message = _message("initialize", 0, OPENING)
        answer = await client.post(f"/mcp/{place}", json=message, headers=headers)
        assert answer.status_code == 200, answer.text
    return Session(trio, place, answer.headers["mcp-session-id"])


def _message(method: str, request_id: Any, params: JSONObject) -> JSONObject:
    named = {} if request_id is None else {"id": request_id}
    return {"jsonrpc": "2.0", **named, "method": method, "params": params}


async def message_of(coming: AsyncIterator[Event], method: str | None) -> tuple[str | None, Any]:
    """Return the id and the content of the next message of a method, or of the next answer."""
    async with asyncio.timeout(SECONDS):
        async for event in coming:
            message = json.loads(event.data) if event.data else {}
            if message and message.get("method") == method:
                return event.id, message
    raise AssertionError("The stream ended.")


PLACES = {
    **dict.fromkeys(("default", "default/proc", "default/mproc", "default/web"), "0"),
    **dict.fromkeys(("default/plain", "default/mweb"), "2"),
}


@pytest.mark.parametrize(("place", "home"), PLACES.items())
async def test_a_session_lives_where_all_its_servers_can_be_called(
    trio: Trio, place: str, home: str
) -> None:
    session = await opened(trio, 2, place)

    assert session.id.split(".")[0] == home
    for number in range(COUNT):
        answer = await session.post(number, "tools/list", number)
        assert answer.status_code == 200
        assert answer.json()["id"] == number
    assert await session.delete(1) == 204


@pytest.mark.parametrize("place", ["default/proc", "default/mweb"])
async def test_a_session_that_one_process_ended_is_over_at_all(trio: Trio, place: str) -> None:
    session = await opened(trio, 1, place)

    assert await session.delete(2) == 204

    for number in range(COUNT):
        assert (await session.post(number, "ping", 1)).status_code == 404
        assert await session.delete(number) == 404


async def test_a_session_that_no_process_has_is_unknown_to_all(trio: Trio) -> None:
    random = "x" * 32
    for number in range(COUNT):
        for session_id in (random, f"0.{random}", f"2.{random}", f"9.{random}", "1.", ".", "2"):
            session = Session(trio, "default/mweb", session_id)
            answer = await session.post(number, "ping", 1)
            assert answer.status_code == 404
            assert "send initialize" in answer.json()["error"]["message"]


async def test_a_session_is_its_callers_alone_at_every_process(trio: Trio) -> None:
    other_key = await trio.gateway.new_key("developer")
    session = await opened(trio, 1, "default/mweb")
    for number in range(COUNT):
        async with trio.gateway.at(number) as client:
            answers = [
                await client.post(
                    f"/mcp/{place}",
                    json=_message("ping", 1, {}),
                    headers={**session._headers, "authorization": f"Bearer {key}"},
                )
                for place, key in (
                    ("default/mweb", other_key),
                    ("default/web", trio.gateway.key),
                    ("default/mweb", "ilk_nobody_x"),
                )
            ]
        assert [each.status_code for each in answers] == [404, 404, 401]
    assert (await session.post(2, "ping", 1)).status_code == 200


@pytest.mark.parametrize("server", ["proc", "plain"])
async def test_what_a_server_says_beside_calls_reaches_the_stream_at_another_process(
    trio: Trio, server: str
) -> None:
    session = await opened(trio, 1, f"default/{server}")
    await session.post(0, "resources/subscribe", 1, uri=WATCHED)
    async with session.stream(2) as coming:
        await session.call(0, "touch", uri=WATCHED)
        seen, first = await message_of(coming, "notifications/resources/updated")
    # While nobody listens it is kept, and it is not lost on the way to another process.
    await session.call(1, "touch", uri=WATCHED)
    async with session.stream(0, after=seen) as coming:
        _, second = await message_of(coming, "notifications/resources/updated")

    assert (first["params"]["uri"], second["params"]["uri"]) == (WATCHED, WATCHED)
    assert await session.delete(2) == 204


@pytest.mark.parametrize("server", ["proc", "plain"])
async def test_an_answer_whose_stream_broke_is_taken_up_again_at_another_process(
    trio: Trio, server: str
) -> None:
    gate = f"an answer at workers, {server}"
    session = await opened(trio, 1, f"default/{server}")
    params = {
        "name": "stepwise",
        "arguments": {"gate": gate, "size": 5},
        "_meta": {"progressToken": gate},
    }
    steps: list[int] = []
    seen: str | None = None
    async with session.stream(2, **_message("tools/call", 9, params)) as coming:
        for _ in range(2):
            seen, step = await message_of(coming, "notifications/progress")
            steps.append(step["params"]["progress"])
    await session.call(1, "open_gate", gate=gate)
    async with session.stream(0, after=seen) as coming:
        for _ in range(2):
            _, step = await message_of(coming, "notifications/progress")
            steps.append(step["params"]["progress"])
        _, answer = await message_of(coming, None)

    assert steps == [1, 2, 3, 4]
    assert (answer["id"], answer["result"]["content"][0]["text"]) == (9, "xxxxx")


@pytest.mark.parametrize("server", ["proc", "plain", "mweb"])
async def test_a_call_is_cancelled_by_way_of_another_process(trio: Trio, server: str) -> None:
    tag = f"cancelled in a session, {server}"
    session = await opened(trio, 1, f"default/{server}")
    hang = {"name": "hang", "arguments": {"tag": tag}, "_meta": {"progressToken": tag}}
    async with session.stream(2, **_message("tools/call", 9, hang)) as coming:
        await message_of(coming, "notifications/progress")

        told = await session.post(0, "notifications/cancelled", requestId=9)

        assert told.status_code == 202
        noted = await session.call(1, "await_cancel", tag=tag)
        left = [event async for event in coming if event.data]
    assert noted["content"] == [{"type": "text", "text": server}]
    assert left == []


@pytest.mark.parametrize("server", ["proc", "plain", "mproc", "mweb"])
async def test_a_server_asks_its_client_whichever_process_the_client_speaks_to(
    trio: Trio, server: str
) -> None:
    """The session opens at one process, listens at the next, calls and answers at others."""
    async with trio.legacy(1, 2, 0, place=f"default/{server}", **ELICITING) as client:
        client.answers["elicitation/create"] = lambda _: ADA
        told = [await client.call("ask_first") for _ in range(2)]

    facts = {"server": server, "answer": ADA}
    assert [each["structuredContent"] for each in told] == [facts] * 2


@pytest.mark.parametrize("place", ["default/proc", "default/plain", "default/mweb"])
async def test_messages_to_the_old_transport_find_its_stream(trio: Trio, place: str) -> None:
    server = place.rpartition("/")[2]
    async with trio.sse(1, 2, 0, place=place, **ELICITING) as client, asyncio.timeout(SECONDS):
        client.answers["elicitation/create"] = lambda _: ADA
        home = "0." if server == "proc" else "1."
        assert f"session_id={home}" in await client._endpoint
        told = [await client.call("ask_first") for _ in range(2)]
        with pytest.raises(Refused):
            await client.call("nobody")
        hang = {"name": "hang", "arguments": {"tag": place}, "_meta": {"progressToken": 1}}
        begun = client.begin("tools/call", hang)
        await client.until("notifications/progress")
        await client.cancel(begun)
        await asyncio.wait({begun.task})
        noted = await client.call("await_cancel", {"tag": place})

    facts = {"server": server, "answer": ADA}
    assert [each["structuredContent"] for each in told] == [facts] * 2
    assert noted["content"] == [{"type": "text", "text": server}]


async def test_the_end_of_an_old_stream_is_the_end_of_its_session_everywhere(trio: Trio) -> None:
    async with trio.sse(1, place="default/mweb") as client:
        endpoint = await client._endpoint

    message = _message("ping", 1, {})
    async with asyncio.timeout(SECONDS):
        for number in range(COUNT):
            async with trio.gateway.at(number) as http:
                # The process learns that the client has left a moment after it did.
                while (await http.post(endpoint, json=message)).status_code == 202:
                    pass
                assert (await http.post(endpoint, json=message)).status_code == 404
