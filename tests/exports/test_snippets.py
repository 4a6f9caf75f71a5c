"""The programs for the SDKs run as they are written, against a real server."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from mcp.server import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.exports.clients import Endpoint, render
from tests.support.node import node, npm_packages

KEY = 'ik_"quoted"'
DEADLINE = 60


def guarded(app: ASGIApp) -> ASGIApp:
    """Let in only who brings the key."""

    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        expected = f"Bearer {KEY}".encode()
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != expected:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return check


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    mcp = MCPServer("calculator")

    @mcp.tool()
    def add(a: int, b: int) -> int:
        return a + b

    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(guarded(mcp.streamable_http_app()), ws="none", log_level="error")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield Endpoint("calculator", f"{base}/mcp", f"{base}/sse", 30.0)
        server.should_exit = True
        await asyncio.wait_for(serving, DEADLINE)


@pytest.mark.parametrize("key", [KEY, None])
async def test_the_python_sdk_program_lists_the_tools(
    endpoint: Endpoint, tmp_path: Path, key: str | None
) -> None:
    program = tmp_path / "program.py"
    program.write_text(render("python-sdk", [endpoint], key).text)

    assert await said([sys.executable, str(program)]) == "calculator ['add']\n"


@pytest.mark.parametrize("ending", ["mjs", "mts"])
@pytest.mark.parametrize("key", [KEY, None])
async def test_the_typescript_sdk_module_lists_the_tools(
    endpoint: Endpoint, tmp_path: Path, key: str | None, ending: str
) -> None:
    module = tmp_path / f"module.{ending}"
    module.write_text(render("typescript-sdk", [endpoint], key).text)
    (tmp_path / "node_modules").symlink_to(npm_packages())

    assert await said([str(node()), str(module)]) == 'calculator ["add"]\n'


async def said(command: list[str]) -> str:
    """Run a program that finds the key in its environment; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "INTERLOCK_KEY": KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0, errors.decode()
    return output.decode()
