"""Takes the database away from a gateway that runs, and keeps calling meanwhile."""

import asyncio
import re
import resource
import secrets
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import text

from interlock.storage.database import Database, sqlite_url
from tests.faults.stage import ASK_AGAIN, SECONDS, Stage
from tests.support.processes import Running
from tests.support.workers import NO_TLS

AT_ONCE = 10
PAUSE = 0.02  # seconds between two calls
TINY = 4096  # bytes; no file may grow beyond them where the disk is full
CALLS = (
    "SELECT COALESCE(request_id, id) FROM records "
    "JOIN record_kinds ON number = kind_number WHERE method = 'tools/call'"
)


@dataclass(slots=True)
class Caller:
    """Calls all the time, in both lanes by turns; `made` are the ids of its calls."""

    on: Stage
    server: str = "good"
    made: list[str] = field(default_factory=list)

    async def call(self, client: httpx2.AsyncClient | None = None) -> str:
        """Call once, and return the text of the answer."""
        # Whoever asks for progress is served by the general lane.
        is_general = len(self.made) % 2 == 1
        request = self.on._request(self.server, "echo", token=is_general, text="on we go")
        response = await (client or self.on.client).send(request)
        assert response.status_code == 200, response.text
        self.made.append(response.headers["x-request-id"])
        return response.text

    async def many(self, count: int) -> None:
        """Make so many calls, some at a time."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with places:
                await self.call()

        await asyncio.gather(*(one() for _ in range(count)))

    async def more(self, count: int) -> None:
        """Wait until so many more calls were made."""
        wanted = len(self.made) + count
        async with asyncio.timeout(SECONDS):
            while len(self.made) < wanted:  # noqa: ASYNC110 -- an event for each call tells no more
                await asyncio.sleep(ASK_AGAIN)


@asynccontextmanager
async def calling(on: Stage) -> AsyncIterator[Caller]:
    """Call while the block runs; every call must be answered well, at any time."""
    caller = Caller(on)
    over = asyncio.Event()

    async def work() -> None:
        while not over.is_set():
            assert "on we go" in await caller.call()
            await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        try:
            yield caller
        finally:
            over.set()


def database_of(on: Stage) -> Path:
    """Return the file of a gateway's database."""
    return on.gateway.data_dir / "interlock.db"


def spool_of(on: Stage) -> Path:
    """Return the file in which records wait."""
    return on.gateway.data_dir / "records.spool"


async def numbers(on: Stage) -> dict[str, float]:
    """Return the numbers of a process of one, those that have no further labels."""
    async with httpx2.AsyncClient(base_url=on.gateway.address, verify=NO_TLS) as nobody:
        lines = (await nobody.get("/metrics")).text.splitlines()
    told = (line.rsplit(" ", 1) for line in lines if '{worker="0"} ' in line)
    return {name.partition("{")[0]: float(value) for name, value in told}


@contextmanager
def locked(on: Stage) -> Iterator[None]:
    """Hold the lock of the database from another process than the gateway's."""
    with closing(sqlite3.connect(database_of(on), isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full(on: Stage) -> Iterator[None]:
    """Let no file of the gateway grow, as if the disk were full; any user may do this."""
    before = resource.prlimit(on.program.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(on.program.pid, resource.RLIMIT_FSIZE, (TINY, before[1]))
    try:
        yield
    finally:
        resource.prlimit(on.program.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def without_file(on: Stage) -> Iterator[None]:
    """Move the file of the database away, and back."""
    with _moved(database_of(on)):
        yield


@contextmanager
def without_folder(on: Stage) -> Iterator[None]:
    """Move the whole folder of data away, and back."""
    with _moved(on.gateway.data_dir):
        yield


@contextmanager
def _moved(path: Path) -> Iterator[None]:
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    yield
    # What was made in its place meanwhile would hide what was there.
    assert not path.exists()
    away.rename(path)


async def readiness(on: Stage, holds: Callable[[int, dict[str, str]], bool]) -> dict[str, str]:
    """Ask whether the gateway is ready, until the status and what is missing are as wanted."""
    async with asyncio.timeout(SECONDS):
        while True:
            response = await on.client.get("/readyz")
            missing = response.json()["missing"]
            if holds(response.status_code, missing):
                return missing
            await asyncio.sleep(ASK_AGAIN)


async def is_ready(on: Stage) -> None:
    """Wait until the gateway is ready."""
    await readiness(on, lambda status, _: status == 200)


async def recorded(on: Stage, url: str | None = None) -> Counter[str]:
    """Return how many records there are of each call, read from the database itself."""
    database = Database(url or sqlite_url(database_of(on)), create=False)
    try:
        async with database.reading() as session:
            return Counter(str(each) for each in await session.scalars(text(CALLS)))
    finally:
        await database.close()


async def settled(on: Stage, caller: Caller) -> set[str]:
    """Wait until no record waits any more; return which calls have one, and have only one."""
    async with asyncio.timeout(SECONDS):
        while (await numbers(on))["interlock_records_pending"]:  # noqa: ASYNC110 -- another process
            await asyncio.sleep(ASK_AGAIN)
    kept = await recorded(on)
    found = {each for each in caller.made if each in kept}
    assert all(kept[each] == 1 for each in found)
    return found


@dataclass(frozen=True, slots=True)
class Administration:
    """What an administrator does: everything that writes, on keys made before the outage."""

    on: Stage
    revoked: dict[str, Any]
    limited: dict[str, Any]

    @classmethod
    async def of(cls, on: Stage) -> "Administration":
        """Make the keys that are to be changed."""
        made = [await _key(on, name) for name in ("revoked", "limited")]
        return cls(on, *made)

    async def writes(self) -> dict[str, httpx2.Response]:
        """Try everything at once, and return the answers; what is made has a name of its own."""
        keys = "/api/v1/projects/default/keys"
        client = self.on.client
        limit = {"rate_limit": {"calls": 1, "per": "minute"}}
        server = {"name": f"s{secrets.token_hex(4)}", "url": "http://127.0.0.1:9/mcp"}
        tries = {
            "make": client.post(keys, json={"name": "new", "role": "developer"}),
            "revoke": client.delete(f"{keys}/{self.revoked['id']}"),
            "limit": client.patch(f"{keys}/{self.limited['id']}", json=limit),
            "server": client.post("/api/v1/projects/default/servers", json=server),
            "login": self.login(),
        }
        return dict(zip(tries, await asyncio.gather(*tries.values()), strict=True))

    async def login(self) -> httpx2.Response:
        """Sign in with the password that the start showed."""
        words = {"email": "admin@localhost", "password": _password(self.on.program)}
        async with httpx2.AsyncClient(
            base_url=self.on.gateway.address, timeout=SECONDS, verify=NO_TLS
        ) as nobody:
            return await nobody.post("/api/v1/auth/login", json=words)

    async def status(self, key: dict[str, Any]) -> int:
        """Call with a key, and return the status of the answer."""
        headers = {"authorization": f"Bearer {key['secret']}"}
        async with httpx2.AsyncClient(
            base_url=self.on.gateway.address, headers=headers, timeout=SECONDS, verify=NO_TLS
        ) as client:
            request = self.on._request("good", "echo", token=False, text="mine")
            request.headers["authorization"] = headers["authorization"]
            return (await client.send(request)).status_code


async def _key(on: Stage, name: str) -> dict[str, Any]:
    body = {"name": name, "role": "developer"}
    response = await on.client.post("/api/v1/projects/default/keys", json=body)
    response.raise_for_status()
    made = response.json()
    return {"id": made.get("id") or made["key"]["id"], "secret": made["secret"]}


def _password(program: Running) -> str:
    found = re.search(r"One-time password: (\S+)", program.output)
    assert found is not None
    return found[1]
