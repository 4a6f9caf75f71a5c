"""Where the clients meet the servers: through the gateway, and directly for comparison."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.runs import CLIENTS, LEGACY, MODERN, SSE, Report, Run, run_client
from tests.clients.steps import (
    FOR_THE_ASKABLE,
    MADE,
    JSONObject,
    Place,
    Steps,
    clock,
    lists,
    reference_server,
    twin,
    twin_progress,
)
from tests.integration import servers
from tests.support.processes import running
from tests.support.program import RunningProgram, program

TWIN = str(Path(__file__).parents[1] / "matrix" / "everything_server.py")
STEPS: dict[str, Steps] = {
    "everything": reference_server,
    "over-http": reference_server,
    "clock": clock,
    "old-twin": twin,
    "new-twin": twin,
}
"""What is done at each server; of two with equal URIs the later one's are marked."""

OVER_SSE = "sse-twin"
"""A twin over HTTP+SSE that only stands for itself, not behind the gateway."""

MARKED = ("over-http", "new-twin")
ALL = "all"
TOOLS = tuple(
    f"{server}__{tool}" for server in ("everything", "over-http") for tool in FOR_THE_ASKABLE
)
URIS = (MADE, f"{MADE}#~over-http")


@dataclass(frozen=True, slots=True)
class Meeting:
    """The gateway before the servers, how each is reached without it, and what was seen so far."""

    gateway: RunningProgram
    direct: dict[str, JSONObject]
    over_sse: str
    _seen: dict[str, dict[str, Report]] = field(default_factory=dict[str, dict[str, Report]])

    async def reports(self, client: str) -> dict[str, Report]:
        """Return a client's reports: by way through the gateway, by server without it."""
        if client not in self._seen:
            # No server has part in both, so the two can go on at once.
            both = (self._through(client), self._directly(client))
            through, direct = await asyncio.gather(
                *(asyncio.to_thread(run_client, client, runs) for runs in both)
            )
            self._seen[client] = {**through, **direct}
        return self._seen[client]

    def _through(self, client: str) -> dict[str, Run]:
        return {way: self._unified(client, way) for way in CLIENTS[client].ways}

    def _unified(self, client: str, way: str) -> Run:
        steps: list[JSONObject] = []
        for server, of in STEPS.items():
            steps += of(
                Place(
                    server,
                    tag=f"{client}-{way}",
                    prefix=f"{server}__",
                    mark=f"#~{server}" if server in MARKED else "",
                    is_modern=way == MODERN,
                )
            )
        # A modern client has no session that anything could be made for.
        steps += lists(Place(ALL, tag=""), TOOLS, () if way == MODERN else URIS)
        path = "sse" if way == SSE else "mcp"
        url = f"{self.gateway.address}/{path}/default"
        headers = {"Authorization": f"Bearer {self.gateway.key}"}
        return Run({"url": url, "way": way, "headers": headers}, steps)

    def _directly(self, client: str) -> dict[str, Run]:
        runs: dict[str, Run] = {}
        for server, target in self.direct.items():
            is_modern = target.get("way") == MODERN
            if is_modern and not CLIENTS[client].speaks_modern:
                continue
            place = Place(server, tag=f"{client}-direct-{server}", is_modern=is_modern)
            until = (FOR_THE_ASKABLE, (MADE,)) if STEPS[server] is reference_server else ()
            runs[server] = Run(target, [*STEPS[server](place), *lists(place, *until)])
        place = Place(OVER_SSE, tag="")
        return {**runs, OVER_SSE: Run(_url(self.over_sse, SSE), twin_progress(place))}


@asynccontextmanager
async def meeting() -> AsyncIterator[Meeting]:
    """Run servers that others wrote, both twins, and the gateway before them all."""
    with ExitStack() as stack:
        # Clients of one process notice each other, so direct connections have servers of their own.
        over_http, own_over_http = (
            stack.enter_context(servers.everything_over("streamableHttp")) for _ in range(2)
        )
        (old, own_old), (new, own_new) = (
            [f"{stack.enter_context(_twin(era, 'http'))}/mcp" for _ in range(2)]
            for era in ("legacy", "modern")
        )
        over_sse = f"{stack.enter_context(_twin('legacy', 'sse'))}/sse"
        config: dict[str, Any] = {
            "everything": servers.everything(),
            "over-http": {"type": "streamable-http", "url": over_http},
            "clock": servers.clock(),
            "old-twin": {"type": "streamable-http", "url": old},
            "new-twin": {"type": "streamable-http", "url": new},
        }
        direct = {
            "everything": _command(config["everything"]),
            "over-http": _url(own_over_http, LEGACY),
            "clock": _command(config["clock"]),
            "old-twin": _url(own_old, LEGACY),
            "new-twin": _url(own_new, MODERN),
        }
        async with program({"mcpServers": config}) as gateway:
            await gateway.up(*config)
            yield Meeting(gateway, direct, over_sse)


@contextmanager
def _twin(era: str, transport: str) -> Iterator[str]:
    command = [sys.executable, TWIN, "--name", "twin", "--era", era, f"--{transport}", "0"]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        yield server.ready[1]


def _command(definition: JSONObject) -> JSONObject:
    return {"command": [definition["command"], *definition["args"]]}


def _url(url: str, way: str) -> JSONObject:
    return {"url": url, "way": way, "headers": {}}
