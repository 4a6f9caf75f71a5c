"""What the keeper tells its workers at its door, and what it waits for before it answers a change."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from interlock.app import bulletin
from interlock.app.door import KeeperDoor, open_door
from interlock.app.program import Program
from interlock.app.sockets import Doors
from interlock.gateway.capabilities import signature
from interlock.gateway.changes import Listener
from interlock.gateway.handover import KEEPER
from interlock.gateway.relay import Relay
from interlock.protocol.json import JSONObject, dumps
from interlock.registry.hosted import HostedState
from interlock.settings import Settings
from tests.integration import servers
from tests.integration.logs import caught_log

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE = 60.0  # seconds; the machine may be slow
SOONER = 30.0  # seconds; half of what an answer may wait for
SERVERS = "/api/v1/projects/default/servers"
KEYS = "/api/v1/projects/default/keys"


@dataclass(slots=True)
class Batch:
    """What is told at once: hosted servers by id, changed lists, restarts, levels, what is new."""

    hosted: dict[str, HostedState] = field(default_factory=dict[str, HostedState])
    changed: list[JSONObject] = field(default_factory=list[JSONObject])
    restarted: list[str] = field(default_factory=list[str])
    levels: JSONObject | None = None
    end: JSONObject = field(default_factory=dict[str, Any])

    @property
    def news(self) -> set[str]:
        """What is to be read from the database."""
        return {name for name in ("registry", "keys") if self.end[name]}


class Worker:
    """Follows the bulletin as a worker does."""

    def __init__(self, number: int, lines: AsyncIterator[bytes], relay: Relay) -> None:
        self._number = number
        self._lines = lines
        self._relay = relay

    async def line(self) -> bytes | None:
        """Return the next line, or None at the bulletin's end."""
        async with asyncio.timeout(DEADLINE):
            return await anext(self._lines, None)

    async def batch(self) -> Batch:
        """Read to the end of the next batch."""
        batch = Batch()
        while (line := await self.line()) is not None:
            told = json.loads(line) if line else {}
            if "hosted" in told:
                state = HostedState.read(told["hosted"])
                batch.hosted[state.server_id] = state
            elif "changed" in told:
                batch.changed.append(told["changed"])
            elif "restarted" in told:
                batch.restarted += told["restarted"]
            elif "levels" in told:
                batch.levels = told["levels"]
            elif told:
                batch.end = told
                return batch
        raise AssertionError("The bulletin ended.")

    async def until_news(self) -> Batch:
        """Read on until a batch says that something is to be read anew."""
        async with asyncio.timeout(DEADLINE):
            while not (batch := await self.batch()).news:
                pass
        return batch

    async def until_hosted(self, condition: str) -> HostedState:
        """Read on until a hosted server is in this condition."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for state in (await self.batch()).hosted.values():
                    if state.condition == condition:
                        return state

    async def heard(self, batch: Batch) -> None:
        """Say that everything up to a batch was taken over."""
        await self.say("heard", {"worker": self._number, "number": batch.end["number"]})

    async def say(self, what: str, said: JSONObject) -> None:
        """Tell the keeper something."""
        answered = await self._relay.request(KEEPER, "POST", f"/-/{what}", dumps(said))
        await answered.read(100)
        assert answered.status == 204


@dataclass(slots=True)
class Keeper:
    """A keeper without workers: `client` is an owner's, at its door."""

    program: Program
    client: httpx2.AsyncClient
    relay: Relay

    @asynccontextmanager
    async def worker(self, number: int = 1) -> AsyncIterator[Worker]:
        """Follow the bulletin in the place of a worker."""
        answered = await self.relay.request(KEEPER, "GET", f"/-/bulletin/{number}")
        async with aclosing(answered.chunks()) as chunks:
            yield Worker(number, _lines(chunks), self.relay)

    async def new_key(self) -> httpx2.Response:
        """Make an API key, which every process has to know."""
        made = await self.client.post(KEYS, json={"name": "a key", "role": "developer"})
        assert made.status_code == 201, made.text
        return made


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keeper() -> AsyncIterator[Keeper]:
    async with AsyncExitStack() as stack:
        # A socket's path is short, and pytest's own folders are deep.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ilk-")))
        file = folder / "mcp.json"
        file.write_text(json.dumps({"mcpServers": {"sample": servers.sample()}}))
        settings = Settings(data_dir=folder / "data", workers=3)
        doors = Doors(folder / "data" / "run", 3)
        doors.prepare()
        program = Program(settings, doors)
        stack.push_async_callback(program.close)
        await program.open(file)
        program.begin()
        assert program.door is not None
        listening = doors.bind(KEEPER)
        stack.callback(listening.close)
        await stack.enter_async_context(open_door(program.door, listening, settings.gateway))
        relay = Relay(1, doors.paths)
        stack.push_async_callback(relay.close)
        key = json.loads((settings.data_dir / "cli.json").read_bytes())["key"]
        client = httpx2.AsyncClient(
            base_url=settings.address,
            headers={"authorization": f"Bearer {key}"},
            transport=httpx2.AsyncHTTPTransport(uds=doors.path(KEEPER)),
            timeout=DEADLINE,
        )
        await stack.enter_async_context(client)
        made = Keeper(program, client, relay)
        async with made.worker() as worker:
            await worker.until_hosted("ok")
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the workers here never say that they have heard."""
    monkeypatch.setattr(bulletin, "PATIENCE", 0.05)


async def test_whoever_begins_to_follow_is_told_everything(keeper: Keeper) -> None:
    async with keeper.worker() as worker:
        batch = await worker.batch()

    (state,) = batch.hosted.values()
    assert (state.condition, state.reason) == ("ok", None)
    assert state.catalogue is not None
    assert "echo" in {tool["name"] for tool in state.catalogue.items["tools"]}
    assert (batch.news, batch.changed) == ({"registry", "keys"}, [])


async def test_after_that_only_what_changed_is_told(keeper: Keeper) -> None:
    async with keeper.worker() as worker:
        await worker.batch()
        await keeper.new_key()
        of_key = await worker.until_news()
        added = {"name": "remote", "url": "http://127.0.0.1:9/mcp"}
        assert (await keeper.client.post(SERVERS, json=added)).status_code == 201
        of_server = await worker.until_news()
        assert (await keeper.client.delete(f"{SERVERS}/remote")).status_code == 204

    assert (of_key.news, of_key.hosted) == ({"keys"}, {})
    # Remote servers are each process's own affair; that there is one more is not.
    assert (of_server.news, of_server.hosted) == ({"registry"}, {})
    assert of_server.end["number"] > of_key.end["number"]


async def test_a_hosted_server_is_told_of_from_its_start_to_its_end(keeper: Keeper) -> None:
    async with keeper.worker() as worker:
        await worker.batch()
        await keeper.client.post(SERVERS, json={"name": "second", **servers.sample()})
        states = [await worker.until_hosted(each) for each in ("starting", "ok")]
        await keeper.client.delete(f"{SERVERS}/second")
        while "registry" not in (await worker.batch()).news:
            pass
    async with keeper.worker() as worker:
        left = (await worker.batch()).hosted

    assert len({each.server_id for each in states}) == 1
    assert states[0].server_id not in left


async def test_a_change_that_one_worker_noticed_reaches_all_but_it(keeper: Keeper) -> None:
    plane = keeper.program._plane
    assert plane is not None
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = Listener("default", "elsewhere", lambda method, _: heard.put_nowait(method))
    plane.changes.add(listener)
    change = {"project": "default", "server": "elsewhere", "kinds": {"": ["tools"]}}
    async with keeper.worker(1) as one, keeper.worker(2) as two:
        for worker in (one, two):
            await worker.batch()

        for _ in range(2):
            await one.say("changed", {"worker": 1, "change": change})

        while not (told := await two.batch()).changed:
            pass
        async with asyncio.timeout(DEADLINE):
            announced = await heard.get()
        await keeper.new_key()
        untold = await one.batch()
    plane.changes.remove(listener)

    assert told.changed == [change]
    assert (untold.changed, untold.news) == ([], {"keys"})
    assert announced == "notifications/tools/list_changed"


async def test_a_slow_worker_is_told_of_a_change_once_however_often_it_comes(
    keeper: Keeper,
) -> None:
    door = keeper.program.door
    assert isinstance(door, KeeperDoor)
    change = {"project": "default", "server": None, "kinds": {"": ["prompts"]}}
    async with keeper.worker(2) as worker:
        await worker.batch()
        # All in one turn of the loop: the stream has no chance to tell in between.
        for _ in range(1000):
            door._bulletin.tell(dict(change), 1)
        batch = await worker.batch()

    assert batch.changed == [change]


async def test_a_kind_of_client_that_a_worker_met_is_known_to_the_keeper(keeper: Keeper) -> None:
    plane = keeper.program._plane
    assert plane is not None
    registry = plane.registry
    project = registry.table.project("default").id
    capabilities = {"sampling": {}, "x": {"seen": 1}}
    mark = signature(capabilities)
    async with keeper.worker() as worker:
        await worker.say("meet", {"project": project, "mark": mark, "capabilities": capabilities})

    assert registry._met[project][mark] == capabilities


async def test_a_change_is_answered_once_every_worker_has_taken_it_over(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulletin, "PATIENCE", DEADLINE)
    async with keeper.worker(1) as one, keeper.worker(2) as two, asyncio.timeout(SOONER):
        for worker in (one, two):
            await worker.heard(await worker.batch())
        making = asyncio.create_task(keeper.new_key())
        await one.heard(await one.batch())
        news = await two.batch()
        # Whoever only reads is not held up.
        assert (await keeper.client.get(KEYS)).status_code == 200
        assert not making.done()

        await two.heard(news)

        assert (await making).status_code == 201


async def test_a_worker_that_left_or_follows_anew_is_not_waited_for(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulletin, "PATIENCE", DEADLINE)
    monkeypatch.setattr(bulletin, "HEARTBEAT", 0.05)
    async with asyncio.timeout(SOONER):
        async with keeper.worker(1) as one:
            await one.batch()
            making = asyncio.create_task(keeper.new_key())
            await one.batch()
        assert (await making).status_code == 201

        async with keeper.worker(1) as old:
            await old.batch()
            async with keeper.worker(1) as new:
                await new.heard(await new.batch())
                while await old.line() is not None:
                    pass
                making = asyncio.create_task(keeper.new_key())
                await new.heard(await new.batch())
                assert (await making).status_code == 201


async def test_a_worker_that_hangs_holds_no_change_up_for_long(
    keeper: Keeper,
) -> None:
    with caught_log() as logged:
        async with keeper.worker(2) as worker:
            await worker.batch()
            made = await keeper.new_key()
            refused = await keeper.client.delete(f"{KEYS}/nobody")

    assert (made.status_code, refused.status_code) == (201, 404)
    assert '"workers":[2]' in logged.getvalue()


async def test_a_quiet_bulletin_shows_that_the_keeper_lives(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulletin, "HEARTBEAT", 0.05)
    async with keeper.worker() as worker:
        await worker.batch()

        assert [await worker.line() for _ in range(3)] == [b""] * 3


@pytest.mark.parametrize("path", ["/-/bulletin/1", "/-/heard", "/-/meet", "/-/changed"])
async def test_the_port_knows_nothing_of_what_processes_tell_one_another(
    keeper: Keeper, path: str
) -> None:
    """The same application, as it is served at the port."""
    transport = httpx2.ASGITransport(keeper.program)
    async with httpx2.AsyncClient(base_url="http://127.0.0.1", transport=transport) as client:
        answers = [await client.request(method, path) for method in ("GET", "POST")]

    assert [each.status_code for each in answers] == [404, 404]


async def test_a_restart_is_told_to_every_worker_once(keeper: Keeper) -> None:
    shown = (await keeper.client.get("/api/v1/projects/default/servers/sample")).json()
    async with keeper.worker(1) as one, keeper.worker(2) as other:
        for worker in (one, other):
            await worker.batch()
        answer = await keeper.client.post("/api/v1/projects/default/servers/sample/restart")
        told = [await worker.batch() for worker in (one, other)]
        # The next batch is about the server's end and its start.
        later = [await worker.batch() for worker in (one, other)]

    assert answer.status_code == 200
    assert [batch.restarted for batch in told] == [[shown["id"]]] * 2
    assert [batch.restarted for batch in later] == [[], []]
