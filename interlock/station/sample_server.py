"""A small MCP server over stdio, started where nothing else is configured: something to call.

It speaks both protocol eras with nothing but the standard library, and so shows how little a
server needs.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MODERN = "2026-07-28"
INFO = {"name": "interlock-sample", "title": "Interlock sample", "version": "1.0.0"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"

TOOLS: list[dict[str, Any]] = [
    {
        "name": "echo",
        "title": "Echo",
        "description": "Returns the message that it is given.",
        "inputSchema": {
            "type": "object",
            "properties": {"message": {"type": "string"}},
            "required": ["message"],
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "add",
        "title": "Add",
        "description": "Adds two numbers.",
        "inputSchema": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
        "outputSchema": {
            "type": "object",
            "properties": {"sum": {"type": "number"}},
            "required": ["sum"],
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "now",
        "title": "Current time",
        "description": "Tells the time in a time zone such as Asia/Seoul.",
        "inputSchema": {
            "type": "object",
            "properties": {"zone": {"type": "string", "default": "UTC"}},
        },
        "annotations": {"readOnlyHint": True},
    },
]


class Refused(Exception):
    """A request that is answered by an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], **more}


def _echo(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return _text(str(arguments["message"]))


def _add(arguments: Mapping[str, Any]) -> dict[str, Any]:
    total = arguments["a"] + arguments["b"]
    return _text(json.dumps(total), structuredContent={"sum": total})


def _now(arguments: Mapping[str, Any]) -> dict[str, Any]:
    zone = str(arguments.get("zone", "UTC"))
    try:
        return _text(datetime.now(ZoneInfo(zone)).isoformat(timespec="seconds"))
    except (ZoneInfoNotFoundError, ValueError):
        return _text(f"There is no time zone {zone!r}.", isError=True)


CALLS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "echo": _echo,
    "add": _add,
    "now": _now,
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request. Raises Refused."""
    version = params.get("_meta", {}).get(VERSION_KEY)
    if version is not None and version != MODERN:
        data = {"supported": [MODERN, *LEGACY], "requested": version}
        raise Refused(-32022, "Unsupported protocol version", data)
    result = _result(method, params)
    return result if version is None else _modern(method, result)


def _result(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            wanted = params.get("protocolVersion")
            version = wanted if wanted in LEGACY else LEGACY[0]
            return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": INFO}
        case "server/discover":
            return {"supportedVersions": [MODERN, *LEGACY], "capabilities": CAPABILITIES}
        case "ping":
            return {}
        case "tools/list":
            return {"tools": TOOLS}
        case "tools/call":
            return _call(params)
        case _:
            raise Refused(-32601, f"Method not found: {method}")


def _call(params: dict[str, Any]) -> dict[str, Any]:
    call = CALLS.get(params.get("name", ""))
    if call is None:
        raise Refused(-32602, f"Unknown tool: {params.get('name')}")
    try:
        return call(params.get("arguments", {}))
    except (KeyError, TypeError) as error:
        return _text(f"The arguments are wrong: {error}", isError=True)


def _modern(method: str, result: dict[str, Any]) -> dict[str, Any]:
    modern = {"resultType": "complete", **result}
    modern["_meta"] = {"io.modelcontextprotocol/serverInfo": INFO}
    if method in {"tools/list", "server/discover"}:
        modern |= {"ttlMs": 60_000, "cacheScope": "public"}
    return modern


def main() -> None:
    """Answer requests, one a line, until the input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            reply["result"] = answer(message["method"], message.get("params", {}))
        except Refused as refusal:
            reply["error"] = {"code": refusal.code, "message": str(refusal)}
            if refusal.data is not None:
                reply["error"]["data"] = refusal.data
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
