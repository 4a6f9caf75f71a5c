"""Calls a good server without a pause worth naming and tells how long each call took.

Run as `neighbour.py PORT KEY SERVER`; once its input ends, it prints a JSON list of pairs: when a
call began, in seconds of the monotonic clock that all processes share, and the seconds it took. It is
a program of its own, so that what a test does itself cannot slow it down.
"""

import json
import socket
import sys
import threading
import time

PAUSE = 0.004
VERSION = "2026-07-28"
MAX_WAIT = 60.0


def main(port: int, key: str, server: str) -> None:
    """Call until the input ends."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    connection = socket.create_connection(("127.0.0.1", port), timeout=MAX_WAIT)
    request, taken = _request(key, server), []
    while not over.is_set():
        began = time.monotonic()
        _call(connection, request)
        taken.append((began, time.monotonic() - began))
        if len(taken) == 1:
            sys.stderr.write("calling\n")
        time.sleep(PAUSE)
    sys.stdout.write(json.dumps(taken))


def _call(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    answer = b""
    while b'"jsonrpc"' not in answer or not answer.rstrip().endswith(b"}"):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(answer)
        answer += more
    if b"hello" not in answer:
        raise ValueError(answer)


def _request(key: str, server: str) -> bytes:
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": VERSION, f"{prefix}clientCapabilities": {}}
    params = {"name": "echo", "arguments": {"text": "hello"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        f"POST /mcp/default/{server} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Mcp-Protocol-Version: {VERSION}\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
