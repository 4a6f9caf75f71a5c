"""A stdio server that lists its tools one a page; its argument says for how many pages, or how."""

import json
import sys
from typing import Any

KIND = sys.argv[1]
CAPABILITIES: dict[str, Any] = {"tools": {}, "resources": {}}


def tools(params: dict[str, Any]) -> dict[str, Any]:
    number = int(params.get("cursor", "0"))
    page: dict[str, Any] = {"tools": [{"name": f"t{number}", "inputSchema": {}}, "not a tool"]}
    if KIND == "endless" or number + 1 < int(KIND):
        page["nextCursor"] = str(number + 1)
    return page


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        info = {"name": "paging", "version": "1"}
        version = {"protocolVersion": "2025-11-25", "serverInfo": info}
        return {**version, "capabilities": CAPABILITIES}
    if method == "tools/list":
        return tools(params)
    if method == "resources/list":
        return {"resources": [{"uri": "a://b", "name": "b"}]}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answer(message["method"], message.get("params", {}))
        body = {"error": {"code": -32601, "message": "Method not found"}}
        reply = {
            "jsonrpc": "2.0",
            "id": message["id"],
            **(body if result is None else {"result": result}),
        }
        print(json.dumps(reply), flush=True)  # noqa: T201 - it speaks on stdout
