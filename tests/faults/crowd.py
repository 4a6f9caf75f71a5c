"""Thousands of connections at once, and what the gateway holds for them."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from tests.faults.stage import SECONDS, Stage, until

AT_ONCE = 64  # connections that are being opened
OTHERS = 500  # files that the test and the gateway have open besides
T = TypeVar("T")


def room_for(connections: int) -> int:
    """Let this process, and those it starts, open so many connections; return how many they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft < wanted:
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(connections, soft - OTHERS)


def open_files(on: Stage) -> int:
    """Return how many files and connections the gateway has open."""
    return len(list(Path(f"/proc/{on.program.pid}/fd").iterdir()))


async def fewer_files(on: Stage, most: int, patience: float = SECONDS) -> float:
    """Wait until the gateway has no more than so many files open; return the seconds it took."""
    return await until(lambda: open_files(on) <= most, patience)


async def all_of(count: int, work: Callable[[int], Awaitable[T]]) -> list[T]:
    """Do something so many times, many of them at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> T:
        async with turn, asyncio.timeout(SECONDS):
            return await work(number)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(count)]
    return [task.result() for task in tasks]


@asynccontextmanager
async def crowd(
    on: Stage,
    firsts: Sequence[bytes],
    *,
    are_answered: bool = False,
    mark: bytes = b"\r\n\r\n",
    answers: dict[socket.socket, bytes] | None = None,
) -> AsyncIterator[list[socket.socket]]:
    """Open a connection for each of `firsts`, send these bytes there, and read the head of a 200.

    Answers are read up to `mark`, and kept in `answers`.
    """
    loop, port = asyncio.get_running_loop(), int(on.gateway.address.rpartition(":")[2])
    with ExitStack() as stack:

        async def connected(number: int) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", port))
            if firsts[number]:
                await loop.sock_sendall(connection, firsts[number])
            if are_answered:
                answer = await heard(connection, mark)
                assert answer.startswith(b"HTTP/1.1 200"), answer
                if answers is not None:
                    answers[connection] = answer
            return connection

        yield await all_of(len(firsts), connected)


async def heard(connection: socket.socket, mark: bytes) -> bytes:
    """Read until a mark has come, or the connection has ended; return what came."""
    loop, found = asyncio.get_running_loop(), b""
    while mark not in found:
        try:
            part = await loop.sock_recv(connection, 65536)
        except ConnectionError:
            break
        if not part:
            break
        found += part
    return found


@contextmanager
def small_buffer(on: Stage) -> Iterator[socket.socket]:
    """Open a connection whose client's system takes little before somebody reads."""
    port = int(on.gateway.address.rpartition(":")[2])
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.setblocking(False)
        yield connection
