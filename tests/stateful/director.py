"""Directs the play servers: lets calls go on, and knows what became of each."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

JSONObject = dict[str, Any]


@dataclass(slots=True)
class Player:
    """One process with play servers in it, and the calls that run there by tag."""

    pid: int
    servers: list[str]
    ports: dict[str, int]
    writer: asyncio.StreamWriter
    running: Counter[str] = field(default_factory=Counter[str])
    uris: list[str] = field(default_factory=list[str])
    hearers: dict[str, int] = field(default_factory=dict[str, int])
    deaf: int = 0


class Director:
    """What all players were told and said; `news` is called after each change."""

    def __init__(self, news: Callable[[], None]) -> None:
        self.port = 0
        self.players: list[Player] = []
        self.ends: dict[str, list[str]] = {}
        self.holding: set[str] = set()
        self.told = 0
        self._news = news
        self._released: set[str] = set()
        self._offer: dict[str, int] = {}

    @asynccontextmanager
    async def directing(self) -> AsyncIterator["Director"]:
        """Listen for players for as long as the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for player in self.players:
                player.writer.close()
            while self.players:  # noqa: ASYNC110 -- each leaves in the next turns of the loop
                await asyncio.sleep(0)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        entered = json.loads(await reader.readline())
        player = Player(entered["pid"], entered["servers"], entered["ports"], writer)
        self.players.append(player)
        self._order(player, release=sorted(self._released), offer=self._offer)
        self._news()
        try:
            while line := await reader.readline():
                self._hear(player, json.loads(line))
                self._news()
        except ConnectionResetError:
            pass
        finally:
            self.players.remove(player)
            writer.close()
            for tag in player.running.elements():
                self.ends.setdefault(tag, []).append("died")
            self._news()

    def _hear(self, player: Player, said: JSONObject) -> None:
        match said["what"]:
            case "began":
                player.running[said["tag"]] += 1
            case "holds":
                self.holding.add(said["gate"])
            case "ended":
                player.running[said["tag"]] -= 1
                self.ends.setdefault(said["tag"], []).append(said["how"])
            case "told":
                self.told += 1
            case "watching":
                player.uris, player.deaf = said["uris"], said["deaf"]
                player.hearers = said["hearers"]

    def _order(self, player: Player, **order: Any) -> None:
        player.writer.write(json.dumps(order).encode() + b"\n")

    def _order_all(self, **order: Any) -> None:
        for player in self.players:
            self._order(player, **order)

    def release(self, *gates: str) -> None:
        """Let calls go on that wait at these gates, or will come to them."""
        self._released |= set(gates)
        self._order_all(release=gates)

    def offer(self, server: str, more: int) -> None:
        """Let a server offer so many more tools."""
        self._offer[server] = more
        self._order_all(offer={server: more})

    def touch(self, uri: str) -> None:
        """Update a resource."""
        self._order_all(touch=[uri])

    def forget(self, server: str) -> None:
        """Let an HTTP server drop its sessions and connections, as if started anew."""
        self._order_all(forget=[server])

    def kill(self, server: str) -> set[int]:
        """Kill every process of a stdio server, and return which."""
        pids = {player.pid for player in self.players if player.servers == [server]}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def pids(self) -> Counter[str]:
        """Return how many processes play each server."""
        return Counter(name for player in self.players for name in player.servers)

    def running(self, tag: str | None = None) -> list[str]:
        """Return the tags of the calls that run, at any player."""
        return [
            each
            for player in self.players
            for each in player.running.elements()
            if tag in {None, each}
        ]

    def watched(self) -> list[str]:
        """Return the resources that are subscribed to, once for each process."""
        return sorted(uri for player in self.players for uri in player.uris)

    def hearers(self) -> Counter[str]:
        """Return how many sessions or streams of changes each server has."""
        found: Counter[str] = Counter()
        for player in self.players:
            found.update(player.hearers)
        return found

    @property
    def deaf(self) -> int:
        """How many sessions wait for a stream of their own."""
        return sum(player.deaf for player in self.players)

    def reset(self) -> None:
        """Forget what ended long ago, and let every server offer what it did at first."""
        self.ends.clear()
        self.holding.clear()
        self._released.clear()
        for server in self._offer:
            self.offer(server, 0)
