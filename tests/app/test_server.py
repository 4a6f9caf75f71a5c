"""The socket on which the program serves."""

import asyncio
import socket
from pathlib import Path

import httpx2

from interlock.app.listening import uvicorn_config
from interlock.app.program import Program
from interlock.app.sockets import bind
from interlock.settings import Settings


async def test_the_end_of_an_answer_never_waits_for_the_client_to_acknowledge_its_beginning(
    tmp_path: Path,
) -> None:
    """Nagle's algorithm is off on every accepted connection."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    listening = bind(Settings(port=0, data_dir=tmp_path))
    async with await asyncio.start_server(serve, sock=listening), asyncio.timeout(60):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        no_delay = await accepted
        writer.close()
        await writer.wait_closed()

    assert no_delay == 1


def test_a_quiet_connection_is_closed_by_the_client_and_not_while_it_sends(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    kept_by_clients = httpx2.Limits().keepalive_expiry

    assert kept_by_clients is not None
    assert (
        uvicorn_config(settings.gateway, Program(settings)).timeout_keep_alive
        > kept_by_clients + 60
    )
