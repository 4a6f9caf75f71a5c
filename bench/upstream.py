"""The MCP server behind every contender: it speaks both eras and does nothing, as fast as it can.

`python -m bench.upstream PORT` serves Streamable HTTP, `python -m bench.upstream` stdio.
"""

import asyncio
import os
import sys
from typing import Any, cast

import httptools
import orjson
import uvloop

TOOL = {
    "name": "echo",
    "description": "Says back what it was told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}
INFO = {"name": "bench", "version": "1"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
SESSION = "4f1c2d3e5a6b7c8d"
CHUNK = 1 << 20  # bytes


def answer(message: dict[str, Any]) -> bytes | None:
    """Return the answer to one message, or None to a notification."""
    if "id" not in message:
        return None
    params = message.get("params") or {}
    match message["method"]:
        case "tools/call":
            text = params.get("arguments", {}).get("text", "")
            result: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
        case "initialize":
            version = params["protocolVersion"]
            result = {
                "protocolVersion": version,
                "capabilities": CAPABILITIES,
                "serverInfo": INFO,
            }
        case "server/discover":
            result = {"supportedVersions": ["2026-07-28", "2025-11-25"]}
            result |= {"capabilities": CAPABILITIES, "ttlMs": 0, "cacheScope": "public"}
        case "tools/list":
            result = {"tools": [TOOL], "ttlMs": 0, "cacheScope": "public"}
        case _:
            result = {}
    if "io.modelcontextprotocol/protocolVersion" in params.get("_meta", ()):
        result["resultType"] = "complete"
    return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})


class _HTTP(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._parser.get_method() != b"POST":
            self._transport.write(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n")
            return
        message = orjson.loads(body)
        reply = answer(message)
        if reply is None:
            self._transport.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            return
        session = b""
        if message["method"] == "initialize":
            session = b"mcp-session-id: %s\r\n" % SESSION.encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n"
        self._transport.write(head % (session, len(reply)) + reply)


async def serve(port: int) -> None:
    """Serve Streamable HTTP until the process is ended."""
    server = await asyncio.get_running_loop().create_server(_HTTP, "127.0.0.1", port)
    await server.serve_forever()


def talk() -> None:
    """Serve stdio until its end."""
    rest = b""
    while chunk := os.read(0, CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        replies = [reply for line in lines if (reply := answer(orjson.loads(line))) is not None]
        if replies:
            os.write(1, b"\n".join((*replies, b"")))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(serve(int(sys.argv[1])))
    else:
        talk()
