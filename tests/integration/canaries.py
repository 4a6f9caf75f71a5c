"""Clients of which each has words of its own, and remembers every message that it receives."""

import asyncio
import json
import re
import secrets
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.raw_client import JSONObject, LegacyClient, ModernClient, RawClient, raw_client

ASKABLE = {"elicitation": {"form": {}}, "sampling": {}}
SECONDS = 120.0
STEPS = [1, 2, 3, 4]
WORD = re.compile(r"canary-[0-9a-f]+")
PROGRESS, LOG = "notifications/progress", "notifications/message"
UPDATED = "notifications/resources/updated"


def new_word() -> str:
    """Make a word that nobody else has."""
    return f"canary-{secrets.token_hex(8)}"


UPDATES_WITHIN = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Cage:
    """Where a client belongs: its project and its key."""

    address: str
    project: str
    key: str


@dataclass(slots=True)
class Canary:
    """One client; `kind` is how it comes, `askable` whether servers can ask it anything.

    `words` are those of its calls, `nest` the one of its resource.
    """

    cage: Cage
    kind: str
    askable: bool
    wants_logs: bool = True
    nest: str = field(default_factory=new_word)
    words: list[str] = field(default_factory=list[str])
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    received: list[JSONObject] = field(default_factory=list[JSONObject])
    _client: RawClient | None = None

    @property
    def client(self) -> RawClient:
        """The connected client."""
        assert self._client is not None
        return self._client

    @property
    def is_modern(self) -> bool:
        """Whether it is of the modern era."""
        return self.kind.startswith("modern")

    async def connect(self, stack: AsyncExitStack) -> None:
        """Connect, and ask for log messages if they are wanted."""
        cage, capabilities = self.cage, ASKABLE if self.askable else {}
        self._client = await stack.enter_async_context(
            raw_client(self.kind, cage.address, cage.key, capabilities, place=cage.project)
        )
        self.client.answers["elicitation/create"] = self._elicited
        self.client.answers["sampling/createMessage"] = self._sampled
        if not self.wants_logs:
            return
        if isinstance(self.client, ModernClient):
            self.client.log_level = "info"
        else:
            await self.client.request("logging/setLevel", {"level": "info"})

    async def watch(self, stack: AsyncExitStack, uris: list[str]) -> None:
        """Hear of updates of these resources."""
        if isinstance(self.client, ModernClient):
            listening = self.client.listening(resourceSubscriptions=uris)
            await stack.enter_async_context(listening)
            return
        for uri in uris:
            await self.client.request("resources/subscribe", {"uri": uri})

    async def sing(self, server: str, token: int) -> str:
        """Make one call and check its result; return its word."""
        word = new_word()
        self.words.append(word)
        arguments = {"word": word, "ask": self.askable, "touch": f"test://item/{self.nest}"}
        result = await self.client.call(
            f"{server}__sing", arguments, _meta={"progressToken": token}
        )
        self.received.append(result)
        told = result["structuredContent"]
        assert word == told["word"]
        assert [word, word] * self.askable == WORD.findall(json.dumps(told["answers"]))
        return word

    async def give_up(self, server: str, token: int, *, politely: bool) -> None:
        """Begin a call that hangs, and cancel it once it tells of progress, or just hang up."""
        word = new_word()
        self.words.append(word)
        call = {"name": f"{server}__sing", "arguments": {"word": word, "hang": True}}
        begun = self.client.begin("tools/call", {**call, "_meta": {"progressToken": token}})
        await self._until(lambda: self.steps(word) == [1, 2])
        if politely:
            await self.client.cancel(begun)
        else:
            begun.task.cancel()
        await asyncio.gather(begun.task, return_exceptions=True)

    async def leave(self, server: str, token: int) -> None:
        """Begin a call that hangs, and vanish as a machine does that loses its network."""
        await self.give_up(server, token, politely=False)
        if isinstance(self.client, LegacyClient) and self.client._listening is not None:
            self.client._listening.cancel()

    async def updated(self, uris: dict[str, int]) -> None:
        """Wait for this many updates of each resource."""
        with suppress(TimeoutError):
            await self._until(lambda: self._updates() >= Counter(uris), UPDATES_WITHIN)
        assert (self.kind, self._updates()) == (self.kind, Counter(uris))

    def steps(self, word: str) -> list[int]:
        """Return the steps of which a call told, as they came."""
        params = [each["params"] for each in self.client.heard if each["method"] == PROGRESS]
        return [each["progress"] for each in params if each.get("message") == word]

    def logged(self, word: str) -> list[int]:
        """Return the steps that a call logged, as they came."""
        data = [each["params"]["data"] for each in self.client.heard if each["method"] == LOG]
        return [each["step"] for each in data if each["word"] == word]

    def questions(self, word: str) -> list[str]:
        """Return what a call asked, in order."""
        return [method for method, its in self.asked if its == word]

    def foreign_words(self) -> list[str]:
        """Return the words in all that it received that are not its own."""
        own = {*self.words, self.nest}
        everything = json.dumps([self.client.heard, self.received, self.asked])
        return [word for word in WORD.findall(everything) if word not in own]

    def tokens(self, word: str) -> set[Any]:
        """Return the progress tokens under which a call was heard of."""
        params = [each["params"] for each in self.client.heard if each["method"] == PROGRESS]
        return {each["progressToken"] for each in params if each.get("message") == word}

    def _updates(self) -> "Counter[str]":
        heard = self.client.heard
        return Counter(each["params"]["uri"] for each in heard if each["method"] == UPDATED)

    async def _until(self, holds: Any, seconds: float = SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                self.client._news.clear()
                await self.client._news.wait()

    def _elicited(self, params: JSONObject) -> JSONObject:
        self.received.append(params)
        self.asked.append(("elicitation/create", params["message"]))
        return {"action": "accept", "content": {"word": params["message"]}}

    def _sampled(self, params: JSONObject) -> JSONObject:
        self.received.append(params)
        word = params["messages"][0]["content"]["text"]
        self.asked.append(("sampling/createMessage", word))
        return {"role": "assistant", "model": "none", "content": {"type": "text", "text": word}}
