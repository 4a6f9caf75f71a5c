"""A stdio MCP server that does wrong as its tools say; run as `bad_server.py [--stubborn MARK]`.

It imports little, so that it starts fast, and reads one message a line.
With `--stubborn` it ignores the end of its input and all signals that can be ignored, and has a
child and a grandchild of the same kind. MARK is only there to be found in the list of processes.
"""

import json
import os
import signal
import sys
import time

MIB = 1024 * 1024
BLOCK = 64 * 1024
DEEP = 20_000

Arguments = dict


def main() -> None:
    """Answer messages until the input ends."""
    if "--stubborn" in sys.argv:
        _be_stubborn()
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "method" in message:
            _take(message)
    while "--stubborn" in sys.argv:
        time.sleep(3600)


def _take(message: dict) -> None:
    method, params = message["method"], message.get("params", {})
    if method == "notifications/cancelled":
        _say(f"cancelled {params['requestId']}")
    if "id" not in message:
        return
    if method == "tools/call":
        TOOLS[params["name"]](message["id"], params.get("arguments", {}), params.get("_meta", {}))
    elif method == "initialize":
        facts = {"serverInfo": {"name": "bad", "version": "1"}, "capabilities": {"tools": {}}}
        _result(message["id"], {"protocolVersion": params["protocolVersion"], **facts})
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
        _result(message["id"], {"tools": tools})
    elif method == "ping":
        _result(message["id"], {})
    else:
        error = {"code": -32601, "message": f"Method not found: {method}"}
        _send({"jsonrpc": "2.0", "id": message["id"], "error": error})


def _echo(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    _result(request_id, _text(str(arguments.get("text", ""))))


def _pid(request_id: int, _arguments: Arguments, _meta: Arguments) -> None:
    _result(request_id, _text(str(os.getpid())))


def _die(_request_id: int, _arguments: Arguments, _meta: Arguments) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(request_id: int, _arguments: Arguments, _meta: Arguments) -> None:
    _say(f"hanging {request_id}")


def _slow(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    _say(f"slow {request_id}")
    time.sleep(arguments["seconds"])
    _result(request_id, _text("late"))


def _progress_then_hang(request_id: int, arguments: Arguments, meta: Arguments) -> None:
    """Report progress `times` times, `every` so many seconds, and never answer."""
    for step in range(arguments["times"]):
        time.sleep(arguments["every"])
        _progress(meta, step)
    _hang(request_id, arguments, meta)


def _garbage(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    """Write garbage of one kind so many times, and then a good answer if asked to."""
    lines = {
        "noise": b"Listening on port 3000 ...",
        "utf8": b'{"jsonrpc": "2.0", "id": 1, "result": {"text": "\xff\xfe\xc3"}}',
        "half": b'{"jsonrpc": "2.0", "id": 1, "resu',
        "wrong id": b'{"jsonrpc": "2.0", "id": 987654321, "result": {}}',
        "odd id": b'{"jsonrpc": "2.0", "id": [1], "result": {}}',
        "true id": b'{"jsonrpc": "2.0", "id": true, "result": {}}',
        "no id": b'{"jsonrpc": "2.0", "result": {}}',
        "null": b"null",
        "null id": b'{"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": "x"}}',
        "number": b"12345678901234567890123456789",
        "deep": b"[" * DEEP + b"]" * DEEP,
        "deep notification": b'{"jsonrpc":"2.0","method":"x","params":'
        + b'{"a":' * DEEP
        + b"1"
        + b"}" * DEEP
        + b"}",
        "batch": b"[1, null, [], {}]",
        "surrogate": b'{"jsonrpc": "2.0", "method": "notifications/message\\ud800"}',
    }
    line = lines[arguments["kind"]]
    for _ in range(arguments.get("times", 1)):
        _write(line)
    _result(request_id, _text("after the garbage"))


def _bad_answer(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    """Answer with something that cannot be read."""
    head = b'{"jsonrpc":"2.0","id":%d,"result":' % request_id
    tails = {
        "deep": b'{"content":' + b"[" * DEEP + b"]" * DEEP + b"}}",
        "utf8": b'{"content":[{"type":"text","text":"\xff\xfe"}]}}',
        "half": b'{"content":[{"type"',
    }
    _write(head + tails[arguments["kind"]])


def _answer_twice(request_id: int, _arguments: Arguments, _meta: Arguments) -> None:
    _result(request_id, _text("first"))
    _result(request_id, _text("second"))


def _big(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    """Answer with a text of so many MiB on one line, or with many small rows or values."""
    mib, rows = arguments["mib"], arguments.get("rows", False)
    if arguments.get("values"):
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],' % request_id)
        sys.stdout.buffer.write(b'"structuredContent":{"rows":[')
        for _ in range(mib * MIB // 8 // 1000):
            sys.stdout.buffer.write(b"[1,2,3]," * 1000)
        _write(b"[0]]}}}")
        if arguments.get("and_die"):
            _die(request_id, {}, {})
        return
    if arguments.get("endless"):
        for _ in range(mib * MIB // BLOCK):
            sys.stdout.buffer.write(b"x" * BLOCK)
        sys.stdout.buffer.flush()
        _write(b"")
        _result(request_id, _text("after the line"))
        return
    sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[' % request_id)
    if rows:
        row = b'{"type":"text","text":"row","_meta":{"tags":["a","b"]}},'
        for _ in range(mib * MIB // len(row) // 1000):
            sys.stdout.buffer.write(row * 1000)
    sys.stdout.buffer.write(b'{"type":"text","text":"')
    if not rows:
        for _ in range(mib * MIB // BLOCK):
            sys.stdout.buffer.write(b"x" * BLOCK)
    _write(b'"}]}}')


def _stderr(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    """Write so many MiB of lines to stderr before the answer."""
    block = (b"e" * 99 + b"\n") * (MIB // 100)
    for _ in range(arguments["mib"]):
        os.write(2, block)
    _result(request_id, _text("after the flood"))


def _notify(request_id: int, arguments: Arguments, meta: Arguments) -> None:
    """Send so many notifications of so many bytes during the call."""
    for step in range(arguments["times"]):
        _progress(meta, step, "n" * arguments.get("size", 0))
    _result(request_id, _text("after the flood"))


def _ask(request_id: int, arguments: Arguments, _meta: Arguments) -> None:
    """Send so many requests of our own, without ever reading the answers, before the answer."""
    for number in range(arguments["times"]):
        _write(b'{"jsonrpc":"2.0","id":"p%d","method":"ping"}' % number)
    _result(request_id, _text("after the flood"))


TOOLS = {
    "echo": _echo,
    "pid": _pid,
    "die": _die,
    "hang": _hang,
    "slow": _slow,
    "progress": _progress_then_hang,
    "garbage": _garbage,
    "bad_answer": _bad_answer,
    "twice": _answer_twice,
    "big": _big,
    "stderr": _stderr,
    "notify": _notify,
    "ask": _ask,
}


def _be_stubborn() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        # The child and the grandchild keep all three streams open.
        os.fork()
        while True:
            time.sleep(3600)


def _progress(meta: Arguments, step: int, message: str = "") -> None:
    params = {"progressToken": meta.get("progressToken"), "progress": step, "message": message}
    _send({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def _text(text: str) -> dict:
    return {"content": [{"type": "text", "text": text}]}


def _result(request_id: int, result: dict) -> None:
    _send({"jsonrpc": "2.0", "id": request_id, "result": result})


def _say(text: str) -> None:
    os.write(2, text.encode() + b"\n")


def _send(message: dict) -> None:
    _write(json.dumps(message).encode())


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
