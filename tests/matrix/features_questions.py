"""Features by which a server asks: elicitation, sampling and roots, in the words of both eras."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import mcp_types as types
from mcp.client.client import Client
from pydantic import FileUrl

from tests.matrix.cell import SERVERS, Cell
from tests.matrix.everything_offer import AGE_FORM, NAME_FORM
from tests.matrix.features import feature

ROOTS = [types.Root(uri=FileUrl("file:///home/ada/project"), name="project")]
ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": True}}


class Person:
    """Answers whatever a server asks, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def elicit(
        self, _context: object, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        self.asked.append(params)
        if isinstance(params, types.ElicitRequestURLParams):
            return types.ElicitResult(action="accept")
        name = next(iter(params.requested_schema["properties"]))
        content: dict[str, Any] = {"name": "Ada 에이다"} if name == "name" else {"age": 36}
        return types.ElicitResult(action="accept", content=content)

    async def sample(
        self, _context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.asked.append(params)
        said = types.TextContent(text="Hello back")
        return types.CreateMessageResult(
            role="assistant", content=said, model="a-model", stop_reason="endTurn"
        )

    async def show_roots(self, _context: object) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult(roots=ROOTS)

    def at(self, cell: Cell) -> AbstractAsyncContextManager[Client]:
        """Connect this person's client."""
        return cell.sdk(
            elicitation_callback=self.elicit,
            sampling_callback=self.sample,
            list_roots_callback=self.show_roots,
        )


def _facts(result: types.CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result
    assert result.structured_content is not None
    return result.structured_content


@feature("elicitation at the start")
async def elicitation_first(cell: Cell) -> None:
    person = Person()
    async with person.at(cell) as client:
        for server in SERVERS:
            told = _facts(await client.call_tool(f"{server}__ask_first", {}))
            answer = {"action": "accept", "content": {"name": "Ada 에이다"}}
            assert {"server": server, "answer": answer} == told

    assert [NAME_FORM["message"]] * 2 == [each.message for each in person.asked]
    assert [NAME_FORM["requestedSchema"]] * 2 == [each.requested_schema for each in person.asked]


@feature("elicitation midway")
async def elicitation_midway(cell: Cell) -> None:
    """Two questions in one call, with progress before, between and after them."""
    person, steps = Person(), []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with person.at(cell) as client:
        for server in SERVERS:
            steps.clear()
            result = await client.call_tool(f"{server}__ask_midway", {}, progress_callback=hear)
            name, age = _facts(result)["answers"]
            assert name == {"action": "accept", "content": {"name": "Ada 에이다"}}
            assert age == {"action": "accept", "content": {"age": 36}}
            assert steps == [1, 2, 3]

    assert [NAME_FORM["message"], AGE_FORM["message"]] * 2 == [
        each.message for each in person.asked
    ]


@feature("elicitation declined")
async def elicitation_declined(cell: Cell) -> None:
    async with cell.raw(**ALL) as client:
        client.answers["elicitation/create"] = lambda _: {"action": "decline", "x-why": "no"}
        for server in SERVERS:
            result = await client.call(f"{server}__ask_first")
            assert result["structuredContent"]["answer"] == {"action": "decline", "x-why": "no"}


@feature("elicitation by URL")
async def elicitation_by_url(cell: Cell) -> None:
    person = Person()
    async with person.at(cell) as client:
        for server in SERVERS:
            told = _facts(await client.call_tool(f"{server}__ask_url", {}))
            assert {"server": server, "answer": {"action": "accept"}} == told

    assert [f"https://{each}.example/sign-in" for each in SERVERS] == [
        each.url for each in person.asked
    ]


@feature("elicitation by URL, untyped")
async def elicitation_by_url_raw(cell: Cell) -> None:
    """A legacy client is given the id that its revision requires."""
    asked: list[dict[str, Any]] = []

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        return {"action": "accept"}

    async with cell.raw(**ALL) as client:
        client.answers["elicitation/create"] = answer
        for server in SERVERS:
            await client.call(f"{server}__ask_url")

    assert [each["mode"] for each in asked] == ["url", "url"]
    if not cell.is_modern:
        ids = {each["elicitationId"] for each in asked}
        assert (2, {str}) == (len(ids), {type(each) for each in ids})


@feature("elicitation complete")
async def elicitation_complete(cell: Cell) -> None:
    """A server says that the user has come back from an address."""
    async with cell.raw(**ALL) as client:
        for server in SERVERS:
            await client.call(f"{server}__announce_url")
            told = await client.until("notifications/elicitation/complete")
            assert {"elicitationId": f"e-{server}"} == told


@feature("sampling")
async def sampling(cell: Cell) -> None:
    person = Person()
    async with person.at(cell) as client:
        for server in SERVERS:
            answer = _facts(await client.call_tool(f"{server}__sample", {}))["answer"]
            said = {"type": "text", "text": "Hello back"}
            assert ("assistant", said, "a-model", "endTurn") == (
                *(answer["role"], answer["content"]),
                *(answer["model"], answer["stopReason"]),
            )

    for server, asked in zip(SERVERS, person.asked, strict=True):
        assert f"Hello from {server}" == asked.messages[0].content.text
        assert (asked.system_prompt, asked.max_tokens, asked.temperature) == ("Be brief.", 50, 0.25)
        assert (asked.stop_sequences, asked.metadata) == (["END"], {"vendor": {"kept": True}})
        assert asked.model_preferences.hints[0].name == "small"


@feature("roots")
async def roots(cell: Cell) -> None:
    person = Person()
    async with person.at(cell) as client:
        for server in SERVERS:
            answer = _facts(await client.call_tool(f"{server}__roots", {}))["answer"]
            assert answer["roots"] == [{"uri": "file:///home/ada/project", "name": "project"}]


@feature("roots changed")
async def roots_changed(cell: Cell) -> None:
    """A server hears that its client's folders changed."""
    async with cell.raw(**ALL) as client:
        for server in SERVERS:
            call = {"name": f"{server}__await_roots", "_meta": {"progressToken": server}}
            waiting = client.begin("tools/call", call)
            assert (await client.until("notifications/progress"))["progressToken"] == server

            await client.notify("notifications/roots/list_changed")

            assert [{"type": "text", "text": server}] == (await waiting.task)["content"]
