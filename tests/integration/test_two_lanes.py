"""Both lanes give the same answers, refusals, records and numbers to the same requests."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.clients import BOTH, ENVELOPE, MODERN, bearer, open_session
from tests.support.processes import running
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = str(Path(__file__).parent.parent / "matrix" / "taskless_server.py")
BACKS = ("legacy-stdio", "legacy-http", "modern-stdio", "modern-http")
SECONDS = 60.0
PATH = "/mcp/default"
HOSTILE = 400
# A field that the fast lane knows nothing of, and that says nothing to the general one.
SLOW_LANE = {"te": "trailers"}
NEW_EACH_TIME = {"date", "x-request-id"}
OF_THE_MOMENT = {"id", "time", "request_id", "queue_ms", "upstream_ms", "total_ms"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, less what is new each time."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def messages(self) -> Any:
        """The body as JSON, or the messages of its events."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return json.loads(self.body) if self.body else None
        lines = self.body.decode().splitlines()
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [json.loads(each) for each in data if each]


@dataclass(slots=True)
class Wire:
    """One connection to the gateway, on which each request is written at once."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: dict[str, str]

    async def post(self, body: bytes, **more: str) -> Answer:
        """Send one request and read its answer."""
        fields = {**self.headers, **more, "content-length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body)
        async with asyncio.timeout(SECONDS):
            return await self._answer()

    async def _answer(self) -> Answer:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(": ") for line in lines[1:] if line]
        headers = {name.lower(): value for name, _, value in pairs}
        if headers.pop("transfer-encoding", "") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        kept = {name: value for name, value in headers.items() if name not in NEW_EACH_TIME}
        return Answer(int(lines[0].split()[1]), kept, body)


@contextmanager
def _backs() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        config: dict[str, Any] = {}
        for back in BACKS:
            era, transport = back.split("-")
            arguments = [SERVER, "--name", back, "--era", era]
            if transport == "stdio":
                config[back] = {"command": sys.executable, "args": [*arguments, "--stdio"]}
                continue
            command = [sys.executable, *arguments, "--http", "0"]
            server = stack.enter_context(running(command, ready=r"listening on (\S+)"))
            assert server.ready is not None
            config[back] = {"type": "streamable-http", "url": f"{server.ready[1]}/mcp"}
        yield config


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    with _backs() as config:
        async with program({"mcpServers": config}) as started:
            await started.up(*config)
            yield started


@pytest_asyncio.fixture(loop_scope="module")
async def lanes(gateway: RunningProgram) -> AsyncIterator[tuple[Wire, Wire]]:
    """Two connections: one whose requests the fast lane may take, and one without."""
    host, port = gateway.address.removeprefix("http://").split(":")
    wires: list[Wire] = []
    for own in ({}, SLOW_LANE):
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
        fields = {"host": f"{host}:{port}", **bearer(gateway.key), "accept": BOTH}
        wires.append(Wire(reader, writer, {**fields, "content-type": "application/json", **own}))
    yield wires[0], wires[1]
    for wire in wires:
        wire.writer.close()
        await wire.writer.wait_closed()


def _call(tool: str, arguments: Any, number: Any = 1, **more: Any) -> bytes:
    params = {"name": tool, "arguments": arguments, **more}
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return json.dumps(message, ensure_ascii=False).encode()


async def _headers(gateway: RunningProgram, era: str, tool: str = "") -> dict[str, str]:
    if era == "legacy":
        return await open_session(gateway.client, PATH, gateway.key)
    return {
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        **({"mcp-name": tool} if tool else {}),
    }


async def _records(gateway: RunningProgram, count: int) -> list[dict[str, Any]]:
    answer = await gateway.client.get(f"/api/v1/projects/default/records?limit={count}")
    return [
        {name: value for name, value in each.items() if name not in OF_THE_MOMENT}
        for each in answer.json()["records"]
    ]


async def _until_fast(
    gateway: RunningProgram, wire: Wire, body: bytes, headers: dict[str, str], *, tries: int
) -> tuple[Answer, bool]:
    """Send a request until the fast lane takes it: its server's connection may not be free yet."""
    lane = gateway.program.lane
    assert lane is not None
    for left in reversed(range(tries)):
        before = lane.taken
        answer = await wire.post(body, **headers)
        if lane.taken > before or not left:
            return answer, lane.taken > before
    raise AssertionError("It was not tried.")


def _meta(era: str) -> dict[str, Any]:
    return {"_meta": ENVELOPE} if era == "modern" else {}


TOOLS: dict[str, dict[str, Any]] = {
    "echo": {"text": "hi", "deep": {"a": [1, 2.5, None, True, {"b": "ü"}]}, "n": 2**53},
    "structured": {},
    "failing": {},
    "fault": {},
    "image": {},
    "embedded": {},
    "linked": {},
    "odd": {},
    "fancy": {},
    "logging": {},
}


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("back", BACKS)
@pytest.mark.parametrize("tool", TOOLS)
async def test_a_call_is_answered_alike(
    gateway: RunningProgram, lanes: tuple[Wire, Wire], era: str, back: str, tool: str
) -> None:
    name = f"{back}__{tool}"
    headers = await _headers(gateway, era, name)
    body = _call(name, TOOLS[tool], **_meta(era))
    fast, slow = lanes
    # A legacy client's call at a modern server may become a conversation.
    is_common = not (era == "legacy" and back.startswith("modern"))
    one, is_fast = await _until_fast(gateway, fast, body, headers, tries=50 if is_common else 3)
    other = await slow.post(body, **headers)

    assert (is_common, other.status) == (is_fast, one.status)
    assert other.headers.keys() == one.headers.keys()
    assert one.messages == other.messages
    records = await _records(gateway, 2)
    assert records[0] == records[1]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_hostile_and_odd_requests_are_answered_alike(
    gateway: RunningProgram, lanes: tuple[Wire, Wire], era: str
) -> None:
    chance = random.Random(20_261_121)  # noqa: S311 -- the same traffic each time
    name = "legacy-http__echo"
    headers = await _headers(gateway, era, name)
    fast, slow = lanes
    good = _call(name, {"text": "hi"}, **_meta(era))
    await fast.post(good, **headers)
    await slow.post(good, **headers)
    for number in range(HOSTILE):
        body = _spoilt(chance, good)
        one, other = await fast.post(body, **headers), await slow.post(body, **headers)
        assert (number, body, one) == (number, body, other)


def _spoilt(chance: random.Random, good: bytes) -> bytes:
    """Return a request that is wrong, or only unusual, in one of many ways."""
    ways = (
        lambda: good.replace(b'"id": 1', b'"id": ' + chance.choice(_IDS)),
        lambda: good.replace(b'"hi"', chance.choice(_VALUES)),
        lambda: good.replace(b'"params"', b'"params": {}, "params"'),
        lambda: good.replace(b'"text"', b'"text": 1, "te\\u0078t"'),
        lambda: good.replace(b'"text"', b'"text": 1, "text"'),
        lambda: good.replace(b'"jsonrpc": "2.0"', chance.choice(_VERSIONS)),
        lambda: good.replace(b"echo", chance.choice(_NAMES)),
        lambda: good.replace(b"tools/call", chance.choice(_METHODS)),
        lambda: good[: chance.randrange(len(good))],
        lambda: _flipped(chance, good),
        lambda: b" \n" + good + b"\r\n ",
        lambda: b"[" + good + b"]",
        lambda: good.replace(
            b'"arguments"', b'"' + chance.choice(_MEMBERS) + b'": {}, "arguments"'
        ),
    )
    return chance.choice(ways)()


def _flipped(chance: random.Random, good: bytes) -> bytes:
    place = chance.randrange(len(good))
    return good[:place] + bytes([chance.randrange(256)]) + good[place + 1 :]


_IDS = (b"null", b"true", b'"a"', b"1.5", b"-3", b"{}", b"9" * 30, b"1e3", b'""', b"0")
_VALUES = (
    *(
        b"NaN",
        b"1e999",
        b"-0.0",
        b"1" * 25,
        b'"\\ud800"',
        b'"\\u003a"',
        b'"\xff"',
        b'"\t"',
        b"[" * 200,
    ),
    *(b"[" * 100 + b"]" * 100, b'{"a": 1, "a": 2}', b'{"a:": "b:c"}', b'"' + b"x" * 9000 + b'"'),
    *(b"0.1234567890123456789", b"18446744073709551616", b"12345678901234567890", b'"\\n\\"\\\\"'),
)
_VERSIONS = (
    b'"jsonrpc": "1.0"',
    b'"jsonrpc": 2.0',
    b'"rpc": "2.0"',
    b'"jsonrpc": "2.0", "more": [1]',
)
_NAMES = (b"none", b"", b"echo ", b"ECHO", b"\xc3\xa9cho")
_METHODS = (b"tools/list", b"ping", b"nowhere", b"", b"initialize", b"notifications/cancelled")
_MEMBERS = (b"task", b"requestState", b"inputResponses", b"_meta", b"other")


async def test_a_call_that_a_policy_refuses_is_refused_alike(
    gateway: RunningProgram, lanes: tuple[Wire, Wire]
) -> None:
    reader = await gateway.new_key("reporter")
    name = "legacy-http__echo"
    headers = {**await _headers(gateway, "modern", name), **bearer(reader)}
    body = _call(name, {}, **_meta("modern"))

    answers = [await wire.post(body, **headers) for wire in lanes for _ in range(3)]

    assert [each.status for each in answers] == [answers[0].status] * 6
    assert answers[0].messages["error"]["code"] == answers[-1].messages["error"]["code"]
    assert len({each.body for each in answers}) == 1


async def test_a_revoked_key_is_refused_at_once(
    gateway: RunningProgram, lanes: tuple[Wire, Wire]
) -> None:
    made = await gateway.client.post(
        "/api/v1/projects/default/keys", json={"name": "short", "role": "developer"}
    )
    name = "legacy-http__echo"
    headers = {**await _headers(gateway, "modern", name), **bearer(made.json()["secret"])}
    body, fast = _call(name, {}, **_meta("modern")), lanes[0]
    assert [(await fast.post(body, **headers)).status for _ in range(3)] == [200] * 3

    key_id = made.json()["key"]["id"] if "key" in made.json() else made.json()["id"]
    await gateway.client.delete(f"/api/v1/projects/default/keys/{key_id}")

    assert (await fast.post(body, **headers)).status == 401


async def test_requests_in_line_are_answered_in_order(
    gateway: RunningProgram, lanes: tuple[Wire, Wire]
) -> None:
    headers = await _headers(gateway, "legacy")
    fast = lanes[0]
    calls = [_call(f"{back}__echo", {"text": back}, number) for number, back in enumerate(BACKS)]
    await fast.post(calls[0], **headers)
    for body in calls:
        fields = {**fast.headers, **headers, "content-length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        fast.writer.write(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body)

    async with asyncio.timeout(SECONDS):
        answers = [await fast._answer() for _ in calls]

    assert [each.messages["id"] for each in answers] == [0, 1, 2, 3]


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("back", ["legacy-stdio", "modern-http"])
async def test_a_tool_that_is_switched_off_is_gone_from_both_lanes_at_once(
    gateway: RunningProgram, lanes: tuple[Wire, Wire], era: str, back: str
) -> None:
    path = f"/api/v1/projects/default/servers/{back}/tools/echo"
    name = f"{back}__echo"
    headers = await _headers(gateway, era, name)
    body = _call(name, {}, **_meta(era))
    fast, slow = lanes
    is_common = not (era == "legacy" and back.startswith("modern"))
    for _ in range(2):
        _, is_fast = await _until_fast(gateway, fast, body, headers, tries=50 if is_common else 3)
        assert is_fast == is_common

        assert (await gateway.client.put(path, json={"enabled": False})).status_code == 200
        gone = [await wire.post(body, **headers) for wire in lanes for _ in range(2)]
        assert (await gateway.client.put(path, json={"enabled": True})).status_code == 200
        back_again = [await wire.post(body, **headers) for wire in (fast, slow)]

        assert [each.messages["error"]["message"] for each in gone] == [f"Unknown tool: {name}"] * 4
        assert len({each.body for each in gone}) == 1
        assert [each.status for each in back_again] == [200, 200]
        assert all("result" in json.dumps(each.messages) for each in back_again)
