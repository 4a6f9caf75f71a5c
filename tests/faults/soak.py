"""Runs a gateway for hours with faults now and then, and tells what it holds more at the end.

    python -m tests.faults.soak --hours 2

Clients of both eras come and go and call servers of all kinds; one call in a hundred is a fault: a
server is killed, drops its connection, refuses or writes garbage; a client leaves in the middle of its
call, cancels it, or sends garbage. What the gateway's process holds is read now and then, and the
memory's slope is that after the warm-up. The command ends with 1 where that is not flat.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.moody_server import MoodyServer, breaking_off, moody, refusing, well
from tests.faults.outages import recorded
from tests.faults.soak_report import Plan, Report, Sample, held
from tests.faults.stage import MIB, Stage, attached, bad
from tests.support.workers import MODERN, NO_TLS, PREFIX, Processes, processes

LEGACY = "2025-11-25"
IDLE = 5  # seconds until a session ends whose client never said goodbye
SETTLE = 60.0  # seconds for all of these to end, and what they held
STEADY = 3.0  # seconds in which nothing may change any more
PATIENCE = 10.0  # seconds that a client waits for an answer
LIVES = 4  # kills of one server within a minute; at six its circuit opens
STDIO = ("first", "second", "third")
KEPT = 200_000  # ids of calls that are compared with the records

JSONObject = dict[str, Any]


class Soak:
    """One run against one gateway, whose HTTP servers run here."""

    def __init__(self, on: Stage, plan: Plan, remote: MoodyServer, old: MoodyServer) -> None:
        self._on = on
        self._plan = plan
        self._remote = {"remote": remote, "old": old}
        self._random = random.Random(plan.seed)  # noqa: S311 -- a run that can be repeated
        self._started = time.monotonic()
        self._kills: list[float] = []
        self.report = Report()

    async def run(self) -> Report:
        """Call, sample, let all clients leave, and compare."""
        for _ in range(3):
            await self._visit()
        self.report.before = await self._settled()
        self._started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sampling())
            await self._calling(group)
        self.report.after = await self._settled()
        await self._compare()
        return self.report

    async def _calling(self, group: asyncio.TaskGroup) -> None:
        """Start visits so that calls come at the rate; each visit makes about five."""
        under_way: set[asyncio.Task[None]] = set()
        while self._age < self._plan.seconds:
            if len(under_way) < 100:
                task = group.create_task(self._guarded())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(self._random.expovariate(self._plan.rate / 5))
            for server in self._remote.values():
                server.requests.clear()

    @property
    def _age(self) -> float:
        return time.monotonic() - self._started

    async def _guarded(self) -> None:
        try:
            await self._visit()
        except Exception as error:  # noqa: BLE001 -- a run of hours goes on, and tells of it
            self.report.failed[f"a client: {error!r}"[:80]] += 1

    async def _visit(self) -> None:
        kinds = (self._modern, self._modern, self._legacy, self._legacy, self._sse)
        async with httpx2.AsyncClient(
            base_url=self._on.gateway.address,
            headers={
                "authorization": f"Bearer {self._on.gateway.key}",
                "accept": "application/json, text/event-stream",
            },
            timeout=PATIENCE,
            verify=NO_TLS,
        ) as client:
            await self._random.choice(kinds)(client)

    async def _modern(self, client: httpx2.AsyncClient) -> None:
        """Make calls without any session, in both lanes; list now and then, and listen."""
        if self._random.random() < 0.2:
            await self._listen(client)
        for _ in range(self._random.randint(1, 9)):
            await self._call(client, {"mcp-protocol-version": MODERN}, is_modern=True)

    async def _listen(self, client: httpx2.AsyncClient) -> None:
        method = "subscriptions/listen"
        message = _message(method, {"notifications": {"toolsListChanged": True}, "_meta": _meta()})
        headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
        async with client.stream("POST", "/mcp/default", json=message, headers=headers) as stream:
            self.report.done["listened"] += stream.status_code == 200
            await anext(aiter(stream.aiter_raw()), b"")

    async def _legacy(self, client: httpx2.AsyncClient) -> None:
        """Open a session and call in it; say goodbye half of the time."""
        server = self._random.choice((*STDIO, "remote", "old"))
        path = self._random.choice(("/mcp/default", f"/mcp/default/{server}"))
        opened = await client.post(path, json=_initialize())
        headers = {
            "mcp-session-id": opened.headers["mcp-session-id"],
            "mcp-protocol-version": LEGACY,
        }
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await client.post(path, json=ready, headers=headers)
        self.report.done["sessions"] += 1
        if self._random.random() < 0.3:
            async with asyncio.timeout(1), client.stream("GET", path, headers=headers):
                self.report.done["streams"] += 1
        for _ in range(self._random.randint(1, 9)):
            await self._call(client, headers, path=path)
        if self._random.random() < 0.5:
            await client.delete(path, headers=headers)

    async def _sse(self, client: httpx2.AsyncClient) -> None:
        """Call as clients of HTTP+SSE do: what is posted is answered in the stream."""
        async with client.stream("GET", "/sse/default") as stream:
            events = _events(stream)
            place = await anext(events)
            await client.post(place, json=_initialize())
            await _next_answer(events)
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await client.post(place, json=ready)
            for _ in range(self._random.randint(1, 5)):
                name = f"{self._random.choice(STDIO)}__echo"
                message = _message("tools/call", {"name": name, "arguments": {"text": "soak"}})
                await client.post(place, json=message)
                async with asyncio.timeout(PATIENCE):
                    self._count(await _next_answer(events), "sse")

    async def _call(
        self,
        client: httpx2.AsyncClient,
        headers: dict[str, str],
        *,
        path: str = "/mcp/default",
        is_modern: bool = False,
    ) -> None:
        if self._random.random() < self._plan.faults:
            await self._fault(client, headers, path, is_modern=is_modern)
            return
        server, tool = self._target(path)
        message = self._said(server, tool, path, {"text": "soak"}, is_modern=is_modern)
        if self._random.random() < 0.1:
            message = _message("tools/list", {"_meta": _meta()} if is_modern else {})
        response = await client.post(path, json=message, headers=_heads(headers, message))
        kind = "modern" if is_modern else "legacy"
        self._count(_answer(response), kind)
        if message["method"] == "tools/call" and len(self.report.ids) < KEPT:
            self.report.ids.append(response.headers["x-request-id"])

    def _target(self, path: str) -> tuple[str, str]:
        servers = (*STDIO, *self._remote)
        server = path.removeprefix("/mcp/default").strip("/") or self._random.choice(servers)
        return server, "echo" if server in STDIO else "look_up"

    def _said(
        self, server: str, tool: str, path: str, arguments: JSONObject, *, is_modern: bool
    ) -> JSONObject:
        name = tool if path != "/mcp/default" else f"{server}__{tool}"
        params: JSONObject = {"name": name, "arguments": arguments}
        meta = _meta() if is_modern else {}
        if self._random.random() < 0.3:
            meta["progressToken"] = "t"
        return _message("tools/call", {**params, "_meta": meta})

    def _count(self, answer: JSONObject, kind: str) -> None:
        if "result" in answer:
            self.report.done[f"{kind} calls"] += 1
        else:
            self.report.failed[str(answer["error"]["message"])[:60]] += 1

    async def _fault(
        self, client: httpx2.AsyncClient, headers: dict[str, str], path: str, *, is_modern: bool
    ) -> None:
        kinds = ("killed", "dropped", "refused", "left", "cancelled", "sent", "written")
        kind = self._random.choice(kinds)
        self.report.done[f"fault: {kind}"] += 1
        if kind in {"dropped", "refused"}:
            for server in self._remote.values():
                server.turn(_once(server, breaking_off if kind == "dropped" else refusing(500)))
            return
        if kind == "sent":
            await self._send_garbage(client, headers)
            return
        now = time.monotonic()
        self._kills = [each for each in self._kills if each > now - 60]
        if kind == "killed" and len(self._kills) >= LIVES:
            return
        tool, arguments = ("hang", {})
        if kind == "killed":
            self._kills.append(now)
            tool = "die"
        elif kind == "written":
            tool, arguments = "garbage", {"kind": self._random.choice(("noise", "utf8", "half"))}
        server = self._target(path)[0]
        server = server if server in STDIO else self._random.choice(STDIO)
        message = self._said(server, tool, f"/mcp/default/{server}", arguments, is_modern=is_modern)
        own = path if server in path or path == "/mcp/default" else "/mcp/default"
        if own == "/mcp/default":
            message["params"]["name"] = f"{server}__{tool}"
        await self._suffer(client, own, message, headers, kind)

    async def _suffer(
        self,
        client: httpx2.AsyncClient,
        path: str,
        message: JSONObject,
        headers: dict[str, str],
        kind: str,
    ) -> None:
        """Make a call that goes wrong; where it hangs, leave it, or cancel it as one should."""
        asked = asyncio.create_task(
            client.post(path, json=message, headers=_heads(headers, message)), name=kind
        )
        if kind in {"left", "cancelled"}:
            await asyncio.wait({asked}, timeout=0.3)
            if kind == "cancelled" and "mcp-session-id" in headers:
                params = {"requestId": message["id"], "reason": "enough"}
                said = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
                await client.post(path, json=said, headers=headers)
                await asyncio.wait({asked}, timeout=0.3)
            asked.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx2.HTTPError):
            await asked

    async def _send_garbage(self, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        bodies = (b"", b"{", b"[" * 5000, b"\xff\xfe\x00", b'{"jsonrpc":"2.0","id":{}}', b"[1]")
        body = self._random.choice(bodies)
        answer = await client.post("/mcp/default", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text
        address = self._on.gateway.address.removeprefix("http://")
        host, port = address.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            self._random.choice((b"\x16\x03\x01\x00", b"POST /mcp/default HTTP/1.1\r\nHo"))
        )
        await writer.drain()
        writer.close()

    async def _sampling(self) -> None:
        while self._age < self._plan.seconds:
            sample = await self._sample()
            self.report.samples.append(sample)
            sys.stdout.write(f"{json.dumps(asdict(sample))}\n")
            sys.stdout.flush()
            await asyncio.sleep(self._plan.sample_every)

    async def _settled(self) -> Sample:
        """Wait until all sessions have ended and nothing changes any more; return what is held."""
        deadline = time.monotonic() + SETTLE
        sample = await self._sample()
        while time.monotonic() < deadline:
            before = sample
            await asyncio.sleep(STEADY)
            sample = await self._sample()
            if not sample.sessions and held(sample) == held(before):
                break
        return sample

    async def _sample(self) -> Sample:
        async with httpx2.AsyncClient(base_url=self._on.gateway.address, verify=NO_TLS) as nobody:
            metrics = (await nobody.get("/metrics", timeout=PATIENCE)).text
        return Sample(
            at=round(self._age, 1),
            mib=round(self._on.resident() / MIB, 2),
            descriptors=_descriptors(self._on.program.pid),
            tasks=_number(metrics, "interlock_tasks"),
            processes=len(_family(self._on.program.pid)),
            threads=_threads(self._on.program.pid),
            sessions=_number(metrics, "interlock_sessions"),
        )

    async def _compare(self) -> None:
        """Compare the calls that were answered with their records."""
        kept = await recorded(self._on)
        self.report.unrecorded = sum(each not in kept for each in self.report.ids)
        self.report.doubled = sum(kept[each] > 1 for each in self.report.ids)


async def soak(plan: Plan) -> Report:
    """Run a gateway with servers of all kinds as planned."""
    async with moody() as remote, moody("legacy") as old:
        servers: JSONObject = {name: bad() for name in STDIO}
        servers["remote"], servers["old"] = {"url": remote.url}, {"url": old.url}
        with _running(servers) as gateway:
            async with attached(gateway, *servers) as on:
                return await Soak(on, plan, remote, old).run()


def _running(servers: JSONObject) -> contextlib.AbstractContextManager[Processes]:
    return processes(1, {"mcpServers": servers}, INTERLOCK_GATEWAY__SESSION_IDLE=str(IDLE))


def _once(server: MoodyServer, mood: Any) -> Any:
    """Return a mood that is over after one request."""

    async def take(request: Any) -> None:
        server.turn(well)
        await mood(request)

    return take


def _message(method: str, params: JSONObject) -> JSONObject:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def _initialize() -> JSONObject:
    client = {"name": "soak", "version": "1"}
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}
    return _message("initialize", params)


def _meta() -> JSONObject:
    return {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}


def _heads(headers: dict[str, str], message: JSONObject) -> dict[str, str]:
    """Return what a request of the modern era repeats of its body in headers."""
    if headers.get("mcp-protocol-version") != MODERN:
        return headers
    more = {"mcp-method": message["method"]}
    if "name" in message["params"]:
        more["mcp-name"] = message["params"]["name"]
    return {**headers, **more}


def _answer(response: httpx2.Response) -> JSONObject:
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response.json()
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1].removeprefix("data: "))


async def _next_answer(events: AsyncIterator[str]) -> JSONObject:
    """Return the next message that is no request and no notification."""
    while "method" in (message := json.loads(await anext(events))):
        pass
    return message


async def _events(stream: httpx2.Response) -> AsyncIterator[str]:
    async for line in stream.aiter_lines():
        if line.startswith("data:"):
            yield line.removeprefix("data:").strip()


def _number(metrics: str, name: str) -> int:
    for line in metrics.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            return int(float(line.split()[-1]))
    raise LookupError(name)


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _family(pid: int) -> set[int]:
    """Return the processes that a process started, and those that they started."""
    found: set[int] = set()
    newest = [pid]
    while newest:
        parent = newest.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                children = {int(each) for each in task.read_text(encoding="ascii").split()}
                found |= children
                newest += children
    return found


def _main() -> int:
    parser = argparse.ArgumentParser(description="Run a gateway for long, with faults.")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--faults", type=float, default=0.01, help="the share of them")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    every = max(2.0, given.hours * 3600 / 400)
    plan = Plan(given.hours * 3600, given.rate, given.faults, given.seed, every)
    report = asyncio.run(soak(plan))
    sys.stdout.write(f"{report.text()}\n")
    return 0 if report.is_flat() else 1


if __name__ == "__main__":
    sys.exit(_main())
