"""A stdio server whose only tool has the name that a file holds when it starts."""

import json
import sys
from pathlib import Path
from typing import Any

TOOL = Path(sys.argv[1]).read_text(encoding="utf-8")
ANSWERS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "serverInfo": {"name": "growing", "version": "1"},
        "capabilities": {"tools": {}},
    },
    "tools/list": {"tools": [{"name": TOOL, "inputSchema": {"type": "object"}}]},
}

for line in sys.stdin:
    said = json.loads(line)
    if "id" in said and "method" in said:
        refusal = {"error": {"code": -32601, "message": "Method not found"}}
        known = said["method"] in ANSWERS
        outcome = {"result": ANSWERS[said["method"]]} if known else refusal
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": said["id"], **outcome}) + "\n")
        sys.stdout.flush()
