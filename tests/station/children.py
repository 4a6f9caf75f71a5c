"""Programs that the station's tests host, well-behaved and hostile; run as `children.py MODE …`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def echo() -> None:
    """Repeat each line, until the input ends."""
    for line in sys.stdin.buffer:
        _write(line)


def environment() -> None:
    """Tell the environment and the working directory, then behave as `echo`."""
    _write(json.dumps({"env": dict(os.environ), "cwd": str(Path.cwd())}).encode() + b"\n")
    echo()


def big(size: str, order: str) -> None:
    """Answer calls in the member order given; the method `big` gets `size` bytes."""
    for line in sys.stdin:
        call = json.loads(line)
        text = "x" * (int(size) if call["method"] == "big" else 1)
        whole = {"jsonrpc": "2.0", "id": call["id"], "result": {"text": text}}
        answer = {name: whole[name] for name in order.split(",")}
        _write(json.dumps(answer).encode() + b"\n")


def server(fault: str = "") -> None:
    """Be an MCP server that repeats params; refuse the handshake, or never finish it, if told."""
    for line in sys.stdin:
        call = json.loads(line)
        if call["method"] == "die":
            sys.stderr.write("told to die\n")
            sys.exit(4)
        if "id" not in call or call["method"] == "hang" or fault == "hanging":
            continue
        answer = {"jsonrpc": "2.0", "id": call["id"], "result": call["params"]}
        if call["method"] == "fail" or fault == "refusing":
            error = {"code": -32000, "message": "no", "data": {"why": "asked for"}}
            answer = {"jsonrpc": "2.0", "id": call["id"], "error": error}
        if call["method"] == "unknown":
            error = {"code": -32601, "message": "no such method"}
            answer = {"jsonrpc": "2.0", "id": call["id"], "error": error}
        _write(json.dumps(answer).encode() + b"\n")


def holding(lifeline: str) -> None:
    """Hold the lifeline and be an MCP server."""
    _hold(lifeline)
    server()


def noisy(megabytes: str) -> None:
    """Write that much to stderr before the first answer, then behave as `echo`."""
    block = (b"e" * 4095 + b"\n") * 256
    for _ in range(int(megabytes)):
        sys.stderr.buffer.write(block)
    sys.stderr.flush()
    echo()


def unfinished() -> None:
    """Write lines in every style, the last without its newline, and end."""
    _write(b'{"a":1}\r\n\n  \n{"b":2}\n{"c":3}')


def failing(status: str) -> None:
    """Say why on stderr, with what is in SECRET, and end with `status`."""
    sys.stderr.write(f"first line\ncannot log in with {os.environ.get('SECRET')}\n")
    sys.exit(int(status))


def suicidal() -> None:
    """End by a signal."""
    os.kill(os.getpid(), signal.SIGKILL)


def mute() -> None:
    """Close stdout, but live on and ignore the end of the input."""
    os.close(1)
    _sleep()


def deaf() -> None:
    """Never read the input."""
    _write(b"ready\n")
    _sleep()


def stubborn(lifeline: str) -> None:
    """Ignore everything but SIGKILL, together with a child of the same kind."""
    _ignore_signals()
    # The child inherits all three streams.
    subprocess.Popen([sys.executable, __file__, "grandchild", lifeline])
    _hold(lifeline)
    _sleep()


def forsaking(lifeline: str) -> None:
    """Leave a stubborn child behind when the input ends."""
    subprocess.Popen([sys.executable, __file__, "grandchild", lifeline])
    echo()


def grandchild(lifeline: str) -> None:
    """Ignore everything but SIGKILL."""
    _ignore_signals()
    _hold(lifeline)
    _sleep()


def _hold(lifeline: str) -> None:
    # The descriptor stays open as long as the process lives.
    os.write(os.open(lifeline, os.O_WRONLY), b"%d\n" % os.getpid())


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _sleep() -> None:
    while True:
        time.sleep(3600)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
