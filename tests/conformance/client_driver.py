"""The command that the suite runs as its client: has a scenario driven by the test that waits for it.

Starting Python with the whole gateway takes longer than most scenarios. So the command only says
at the test's desk which scenario it is for and where the suite's server listens; there a gateway
is run in front of it, and the answer says how that went.
"""

import json
import os
import socket
import sys

SECONDS = 600.0


def main() -> None:
    """Wait until the scenario is driven; `client_driver.py PORT URL`."""
    port, url = sys.argv[1:]
    order = {
        "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "revision": os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
        "url": url,
    }
    with socket.create_connection(("127.0.0.1", int(port)), timeout=SECONDS) as desk:
        desk.sendall(json.dumps(order).encode() + b"\n")
        with desk.makefile(encoding="utf-8") as answer:
            result = json.loads(answer.readline())
    sys.stdout.write(result["said"])
    sys.exit(result["failure"])


if __name__ == "__main__":
    main()
