"""A small gateway over real HTTP: the part of the control API and of MCP that commands use."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "ilk_right"
SECRET = "ilk_created_secret"
API = "/api/v1/projects/default"
START_SECONDS = 60.0

JSONObject = dict[str, Any]

ADD = {
    "name": "calc__add",
    "description": "Adds two numbers.\nSlowly.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "integer"},
            "note": {"type": "string", "x-mcp-header": "Note"},
        },
    },
}


@dataclass(slots=True)
class Contract:
    """The gateway's state, and every request that it got."""

    url: str = ""
    servers: dict[str, JSONObject] = field(default_factory=dict)
    keys: list[JSONObject] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    mcp_headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[JSONObject] = field(default_factory=list)
    trial: JSONObject = field(default_factory=dict)
    level: str | None = None

    def bodies(self, method: str, path: str) -> list[Any]:
        """Return the bodies of all requests to a path below the project."""
        return [body for m, p, body in self.asked if (m, p) == (method, API + path)]

    def add(self, name: str, **more: Any) -> None:
        """Register a server."""
        self.servers[name] = {
            "name": name,
            "transport": "stdio",
            "command": "true",
            "env_names": [],
            "header_names": [],
            "disabled": False,
            "status": "ok",
            "reason": None,
            "tool_count": 3,
            "response_ms": 4.4,
            **more,
        }

    def app(self) -> Starlette:
        """Return the routes."""
        one, everything = f"{API}/servers/{{name}}", ["GET", "POST", "PUT", "DELETE"]
        return Starlette(
            routes=[
                Route("/readyz", self._ready),
                Route("/healthz", self._ready),
                Route(f"{API}/servers", self._servers, methods=everything),
                Route(one, self._server, methods=everything),
                Route(f"{one}/{{action}}", self._action, methods=everything),
                Route(f"{API}/import", self._import, methods=["POST"]),
                Route(f"{API}/keys", self._keys, methods=everything),
                Route(f"{API}/keys/{{key}}", self._key, methods=["DELETE", "PATCH"]),
                Route(f"{API}/clients", self._clients),
                Route(f"{API}/clients/{{client}}", self._client, methods=["POST"]),
                Route("/mcp/default", self._mcp, methods=["POST"]),
                Route("/elsewhere", self._elsewhere, methods=everything),
            ]
        )

    async def _body(self, request: Request) -> Any:
        text = await request.body()
        body = json.loads(text) if text else None
        self.asked.append((request.method, request.url.path, body))
        return body

    def _denied(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {KEY}":
            return None
        return failure(401, "unauthenticated", "The key is unknown.")

    async def _ready(self, _request: Request) -> Response:
        return JSONResponse({"status": "ready", "missing": {}, "version": "1"})

    async def _elsewhere(self, _request: Request) -> Response:
        return Response("<html>", media_type="text/html")

    async def _servers(self, request: Request) -> Response:
        body = await self._body(request)
        if (denied := self._denied(request)) is not None:
            return denied
        if request.method == "GET":
            return JSONResponse(list(self.servers.values()))
        if body["name"] in self.servers:
            return failure(409, "conflict", "There is a server of that name.")
        self.add(body["name"], status="starting", transport=body.get("type") or "stdio")
        return JSONResponse(self.servers[body["name"]], 201)

    async def _server(self, request: Request) -> Response:
        await self._body(request)
        name = request.path_params["name"]
        if name not in self.servers:
            return failure(404, "not_found", f"There is no server {name}.")
        if request.method == "DELETE":
            del self.servers[name]
            return Response(status_code=204)
        return JSONResponse(self.servers[name])

    async def _action(self, request: Request) -> Response:
        await self._body(request)
        name, action = request.path_params["name"], request.path_params["action"]
        if action == "logs":
            count = int(request.query_params["lines"])
            lines = [{"time": "2026-01-01T00:00:00Z", "text": f"line {n}\x1b[2J"} for n in range(9)]
            return JSONResponse({"lines": lines[-count:]})
        if action == "log-level":
            if request.method == "PUT":
                self.level = json.loads(await request.body())["level"]
            return JSONResponse({"level": self.level})
        if action == "test":
            return JSONResponse(self.trial)
        self.servers[name]["status"] = "disabled" if action == "disable" else "starting"
        return JSONResponse(self.servers[name])

    async def _import(self, request: Request) -> Response:
        body = await self._body(request)
        if (denied := self._denied(request)) is not None:
            return denied
        names = list(json.loads(body["text"])["mcpServers"])
        servers = [
            {"name": n, "transport": "stdio", "action": "replace" if n in self.servers else "add"}
            for n in names
        ]
        if not body["dry_run"]:
            for name in names:
                self.add(name)
        warning = {"server": names[0], "field": "env", "message": "It is not used."}
        return JSONResponse(
            {"dialect": "cursor", "servers": servers, "faults": self.faults, "warnings": [warning]}
        )

    async def _keys(self, request: Request) -> Response:
        body = await self._body(request)
        if request.method == "GET":
            return JSONResponse(self.keys)
        key = {"id": "k1", "prefix": "ilk_k1", "revoked_at": None, "expires_at": None, **body}
        self.keys.append(key)
        return JSONResponse({"key": key, "secret": SECRET}, 201)

    async def _key(self, request: Request) -> Response:
        body = await self._body(request)
        if request.method == "PATCH":
            return JSONResponse({"id": request.path_params["key"], **body})
        self.keys = [key for key in self.keys if key["id"] != request.path_params["key"]]
        return Response(status_code=204)

    async def _clients(self, _request: Request) -> Response:
        return JSONResponse(
            [{"id": "cursor", "title": "Cursor", "path_hint": "mcp.json", "language": "json"}]
        )

    async def _client(self, request: Request) -> Response:
        body = await self._body(request)
        text = json.dumps({"key": body["key"], "unified": body["unified"]})
        about = {"client": "cursor", "title": "Cursor", "path_hint": "mcp.json"}
        return JSONResponse({**about, "language": "json", "text": text})

    async def _mcp(self, request: Request) -> Response:
        message = await self._body(request)
        self.mcp_headers.append(dict(request.headers))
        if (denied := self._denied(request)) is not None:
            return denied
        params = message["params"]
        if message["method"] == "tools/list":
            return JSONResponse(answer(message, {"tools": [ADD]}))
        arguments = params["arguments"]
        if params["name"] == "calc__fail":
            text = {"type": "text", "text": "It\x1b[31m broke."}
            return JSONResponse(answer(message, {"content": [text], "isError": True}))
        if params["name"] != "calc__add":
            error = {"code": -32602, "message": "There is no such tool."}
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error}, 400)
        total = arguments["a"] + arguments["b"]
        content = [{"type": "text", "text": f"The sum is {total}."}]
        result = {"content": content, "structuredContent": {"sum": total, "note": "n"}}
        return StreamingResponse(
            _events(message, params["_meta"]["progressToken"], result),
            media_type="text/event-stream",
        )


async def _events(message: JSONObject, token: Any, result: JSONObject) -> AsyncIterator[bytes]:
    for step in (1, 2):
        progress = {"progressToken": token, "progress": step, "total": 2}
        yield _event({"method": "notifications/progress", "params": progress})
        await asyncio.sleep(0)
    log = {"level": "info", "data": "Working on it."}
    yield _event({"method": "notifications/message", "params": log})
    yield _event(answer(message, result))


def _event(message: JSONObject) -> bytes:
    return f"data: {json.dumps({'jsonrpc': '2.0', **message})}\n\n".encode()


def answer(message: JSONObject, result: JSONObject) -> JSONObject:
    """Return the envelope of an answer."""
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def failure(status: int, reason: str, message: str) -> Response:
    """Return an error as the control API writes it."""
    error = {"reason": reason, "message": message, "request_id": "req-1"}
    return JSONResponse({"error": error}, status)


@contextmanager
def served(app: Any, *, port: int = 0, dated: bool = True) -> Iterator[str]:
    """Serve an ASGI application on a port of this machine, and yield its address."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        ws="none",
        lifespan="off",
        date_header=dated,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="contract")
    thread.start()
    try:
        if not server.listens.wait(START_SECONDS):
            raise TimeoutError("The server did not start.")
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listens.set()
