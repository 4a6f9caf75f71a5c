"""A stdio server that answers no call of a tool, but asks its client something for each.

A question does not say which call it belongs to; it tells the process's own number.
"""

import json
import os
import sys
from itertools import count
from typing import Any

ANSWERS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "serverInfo": {"name": "asking", "version": "1"},
        "capabilities": {"tools": {}},
    },
    "tools/list": {"tools": [{"name": "ask", "inputSchema": {"type": "object"}}]},
}
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


numbers = count(1)
for line in sys.stdin:
    said = json.loads(line)
    method = said.get("method")
    if method == "tools/call":
        asked = {"message": str(os.getpid()), "requestedSchema": FORM}
        say({"id": f"q{next(numbers)}", "method": "elicitation/create", "params": asked})
    elif method is not None and "id" in said:
        refusal = {"error": {"code": -32601, "message": "Method not found"}}
        known = {"result": ANSWERS[method]} if method in ANSWERS else refusal
        say({"id": said["id"], **known})
