"""No message ever reaches the wrong client, and every message reaches the right one once, in order.

Each client has words of its own. They travel through progress, log messages, questions, answers,
results and resource updates, all at once, through servers that the clients share.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.integration.canaries import STEPS, Cage, Canary, new_word
from tests.integration.clients import BOTH, bearer, request
from tests.integration.people import administrator, new_project
from tests.matrix.raw_client import (
    NO_TLS,
    JSONObject,
    LegacyClient,
    ModernClient,
    Refused,
    SSEClient,
)
from tests.support.processes import running
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = str(Path(__file__).parents[1] / "matrix" / "canary_server.py")
KINDS = ("legacy-http", "legacy-sse", "modern-http")
SERVERS = ("old-stdio", "new-stdio", "old-http", "new-http")
SHARED = ("old-http", "new-http")
"""Servers that are one process for both projects, and tell of updates to whoever subscribed."""

FLOCK = 50
ROUNDS = 2
LISTING = request("tools/list")
QUESTIONS = ["elicitation/create", "sampling/createMessage"]


@dataclass(frozen=True, slots=True)
class Aviary:
    """The gateway, and its three cages: two keys of one project, and one of another."""

    gateway: RunningProgram
    first: Cage
    neighbour: Cage
    elsewhere: Cage

    @property
    def cages(self) -> tuple[Cage, Cage, Cage]:
        """All three."""
        return self.first, self.neighbour, self.elsewhere


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aviary() -> AsyncIterator[Aviary]:
    with ExitStack() as stack:
        config = {
            "old-stdio": _stdio("legacy"),
            "new-stdio": _stdio("modern"),
            "old-http": stack.enter_context(_over_http("legacy")),
            "new-http": stack.enter_context(_over_http("modern")),
        }
        async with program({"mcpServers": config}) as gateway, administrator(gateway) as admin:
            key = await new_project(admin, "elsewhere")
            for name, definition in config.items():
                body = {"name": name, **definition}
                made = await admin.post("/api/v1/projects/elsewhere/servers", json=body)
                assert made.status_code == 201, made.text
            await gateway.up(*config)
            await gateway.eventually(lambda: _are_up(admin, len(config)), "elsewhere")
            address, neighbour = gateway.address, await gateway.new_key("developer")
            yield Aviary(
                gateway,
                Cage(address, "default", gateway.key),
                Cage(address, "default", neighbour),
                Cage(address, "elsewhere", key),
            )


async def _are_up(admin: Any, count: int) -> bool:
    listed = (await admin.get("/api/v1/projects/elsewhere/servers")).json()
    return [each["status"] for each in listed] == ["ok"] * count


def _stdio(era: str) -> dict[str, Any]:
    args = [SERVER, "--name", f"{era}-stdio", "--era", era, "--stdio"]
    return {"command": sys.executable, "args": args}


@contextmanager
def _over_http(era: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, SERVER, "--name", f"{era}-http", "--era", era, "--http", "0"]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        yield {"type": "streamable-http", "url": f"{server.ready[1]}/mcp"}


async def test_fifty_clients_hear_all_that_is_theirs_and_nothing_else(aviary: Aviary) -> None:
    """Two principals and two projects, both eras on both sides, calls at once, some given up."""
    sorts = product((True, False), KINDS, aviary.cages)
    flock = [Canary(cage, kind, askable) for askable, kind, cage in islice(cycle(sorts), FLOCK)]
    async with AsyncExitStack() as stack, asyncio.timeout(300):
        await asyncio.gather(*(_settle(canary, stack) for canary in flock))
        songs = await asyncio.gather(*(_sing(number, each) for number, each in enumerate(flock)))
        staying = [canary for number, canary in enumerate(flock) if not _leaves(number)]
        for canary in staying:
            await canary.updated({_uri(canary, server): ROUNDS for server in SHARED})
        # Whatever is late to somebody has come once each of them was answered once more.
        await asyncio.gather(*(canary.client.request("tools/list") for canary in staying))

        for canary, sung in zip(flock, songs, strict=True):
            assert canary.foreign_words() == []
            for server, token, word in sung:
                assert (STEPS, {token}) == (canary.steps(word), canary.tokens(word))
                assert QUESTIONS * canary.askable == canary.questions(word)
                logged = canary.logged(word)
                expected = STEPS if _is_assignable(server) else sorted(set(logged))
                assert (server, expected) == (server, logged)
            assert len(canary.asked) == 2 * len(sung) * canary.askable


def _leaves(number: int) -> bool:
    return number % 8 == 5


def _uri(canary: Canary, server: str) -> str:
    return f"test://item/{canary.nest}#~{server}"


async def _settle(canary: Canary, stack: AsyncExitStack) -> None:
    own = await stack.enter_async_context(AsyncExitStack())
    await canary.connect(own)
    await canary.watch(own, [_uri(canary, server) for server in SHARED])


async def _sing(number: int, canary: Canary) -> list[tuple[str, int, str]]:
    """Call every server at once, round after round; some give a call up in between."""
    sung: list[tuple[str, int, str]] = []
    for _ in range(ROUNDS):
        # All clients use the same progress tokens, as clients that never heard of another do.
        calls = [(server, token) for token, server in enumerate(SERVERS)]
        words = await asyncio.gather(*(canary.sing(*call) for call in calls))
        sung += [(*call, word) for call, word in zip(calls, words, strict=True)]
        if _leaves(number):
            await canary.leave(SERVERS[number % len(SERVERS)], len(SERVERS))
            break
        if number % 3 == 0:
            await canary.give_up(SHARED[number % 2], len(SERVERS), politely=number % 2 == 0)
    return sung


def _is_assignable(server: str) -> bool:
    """Tell whether the protocol says whose a log message is.

    Over stdio nothing says to which call it belongs, so it takes a session that is the client's
    own, as those have who ask for messages. A modern server has no sessions.
    """
    return server != "new-stdio"


@pytest.mark.parametrize("kind", KINDS)
async def test_clients_that_ask_for_log_messages_share_no_process_and_hear_all_of_theirs(
    aviary: Aviary, kind: str
) -> None:
    pair = [Canary(cage, kind, askable=False) for cage in (aviary.first, aviary.neighbour)]
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        for canary in pair:
            await canary.connect(stack)
        words = await asyncio.gather(*(canary.sing("old-stdio", 1) for canary in pair))

        for canary, word in zip(pair, words, strict=True):
            assert (canary.logged(word), canary.foreign_words()) == (STEPS, [])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_log_message_that_belongs_to_no_call_for_certain_reaches_nobody(
    aviary: Aviary, kind: str
) -> None:
    """Two clients share a process: one call alone, two at once, and a message after its call."""
    first, second = (
        Canary(cage, kind, askable=False, wants_logs=False)
        for cage in (aviary.first, aviary.neighbour)
    )
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        for canary in (first, second):
            await canary.connect(stack)
        gate, late = new_word(), new_word()
        call = {"name": "old-stdio__hum", "arguments": {"word": gate, "gate": gate}}
        humming = first.client.begin("tools/call", {**call, "_meta": {"progressToken": 1}})
        await first.client.until("notifications/progress")
        await second.client.call("old-stdio__chirp", {"word": new_word(), "gate": gate})
        await humming.task
        await first.client.call("old-stdio__echo_later", {"word": new_word(), "gate": late})
        await second.client.call("old-stdio__await_echo", {"word": new_word(), "gate": late})
        await asyncio.gather(*(each.client.request("tools/list") for each in (first, second)))

        heard = [each["method"] for canary in (first, second) for each in canary.client.heard]
        assert "notifications/message" not in heard


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_session_of_another_key_is_not_there(aviary: Aviary, transport: str) -> None:
    """Neither to send to it, nor to hear from it, nor to end it; and its owner goes on."""
    owner = Canary(aviary.first, f"legacy-{transport}", askable=True)
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        await owner.connect(stack)
        client = owner.client
        assert isinstance(client, LegacyClient)
        url = await client._endpoint if isinstance(client, SSEClient) else client._url
        outsider = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, verify=NO_TLS))
        for cage in (aviary.neighbour, aviary.elsewhere):
            theirs = bearer(cage.key)
            for place in (url, url.replace("/default", f"/{cage.project}")):
                headers = {**client._headers, **theirs, "accept": BOTH}
                asked = await outsider.post(place, json=LISTING, headers=headers)
                assert asked.status_code == 404, (place, asked.text)
                for method in ("GET", "DELETE") if transport == "http" else ():
                    answer = await outsider.request(method, place, headers=headers)
                    assert answer.status_code == 404, (method, place, answer.text)

        word = await owner.sing("old-http", 1)
        assert (owner.steps(word), owner.questions(word)) == (STEPS, QUESTIONS)


@pytest.mark.parametrize("server", ["old-stdio", "old-http"])
async def test_a_request_state_of_another_key_is_refused(aviary: Aviary, server: str) -> None:
    """A parked call is answered by its own caller alone, who can still do so afterwards."""
    owner, *others = (Canary(cage, "modern-http", askable=True) for cage in aviary.cages)
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        for canary in (owner, *others):
            await canary.connect(stack)
        word = new_word()
        owner.words.append(word)
        asked = await _once(owner, server, {"word": word, "ask": True})
        answers = {key: {"action": "accept", "content": {}} for key in asked["inputRequests"]}
        answer = {"requestState": asked["requestState"], "inputResponses": answers}
        for other in others:
            with pytest.raises(Refused) as refused:
                await _once(other, server, {"word": word, "ask": True}, answer)
            assert refused.value.error["code"] == -32602
            assert word not in str(refused.value)
            assert other.foreign_words() == []

        going_on = await _once(owner, server, {"word": word, "ask": True}, answer)
        (question,) = going_on["inputRequests"].values()
        assert question["method"] == "sampling/createMessage"


async def _once(
    canary: Canary, server: str, arguments: JSONObject, answer: JSONObject | None = None
) -> JSONObject:
    assert isinstance(canary.client, ModernClient)
    params = {"name": f"{server}__sing", "arguments": arguments, **(answer or {})}
    return await canary.client._once(next(canary.client._ids), "tools/call", params)
