"""The routes of REST sessions; whoever uses them names a command to run, so only owners may."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from interlock.errors import InterlockError, RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps
from interlock.station.sessions import ProcessSession, ProcessSessions
from interlock.upstreams.definition import StdioTarget

_CALLER_FAULTS = frozenset(
    {jsonrpc.INVALID_REQUEST, jsonrpc.METHOD_NOT_FOUND, jsonrpc.INVALID_PARAMS}
)


class NewSession(BaseModel):
    """The server to start: a command, or a Python or Node.js file, with its arguments."""

    server_type: str = Field(min_length=1, max_length=40, examples=["python", "node"])
    server_command: str = Field(min_length=1, max_length=4096)
    server_args: list[str] = Field(default_factory=list, max_length=1000)
    env_vars: dict[str, str] = Field(default_factory=dict, max_length=1000, repr=False)
    working_dir: str | None = Field(default=None, min_length=1)


class SessionView(BaseModel):
    """A running session, as its owner sees it."""

    session_id: str
    server_type: str
    server_command: str
    status: str
    created_at: str
    pid: int


class EndedView(BaseModel):
    """A session that was just ended."""

    session_id: str
    status: str = "ended"


class MCPRequest(BaseModel):
    """One MCP call, for the server of a session."""

    session_id: str
    method: str = Field(min_length=1)
    params: JSONObject = Field(default_factory=dict)


# Told of every call in a session: the request, the method, its params, and what went wrong.
Observe: TypeAlias = Callable[[Request, str, JSONObject, InterlockError | RPCError | None], None]


def _unobserved(
    request: Request, method: str, params: JSONObject, fault: InterlockError | RPCError | None
) -> None:
    """Nobody wants to know."""


def routes(
    sessions: ProcessSessions,
    require_owner: Callable[..., Any],
    observe: Observe = _unobserved,
) -> APIRouter:
    """Return the routes `/sessions…` and `/mcp/request`.

    `require_owner` is a FastAPI dependency. It refuses whoever is no owner, before anything
    starts, and returns what sessions belong to (such as the workspace's id): callers with equal
    values share their sessions, all others do not see them.
    """
    router = APIRouter(tags=["sessions"])
    the_owner: object = Depends(require_owner)

    @router.post("/sessions", status_code=HTTPStatus.CREATED)
    async def create_session(new: NewSession, owner: object = the_owner) -> SessionView:
        """Start a server and do the MCP handshake with it."""
        target = StdioTarget(
            new.server_command, tuple(new.server_args), new.env_vars, new.working_dir
        )
        return _view(await sessions.create(owner, new.server_type, target))

    @router.get("/sessions")
    async def list_sessions(owner: object = the_owner) -> list[SessionView]:
        """List the sessions that run, oldest first."""
        return [_view(session) for session in sessions.owned_by(owner)]

    @router.get("/sessions/{session_id}")
    async def read_session(session_id: str, owner: object = the_owner) -> SessionView:
        """Read one session."""
        return _view(sessions.get(owner, session_id))

    @router.delete("/sessions/{session_id}")
    async def delete_session(session_id: str, owner: object = the_owner) -> EndedView:
        """End a session and its process."""
        await sessions.delete(owner, session_id)
        return EndedView(session_id=session_id)

    @router.post("/mcp/request")
    async def request(call: MCPRequest, request: Request, owner: object = the_owner) -> Response:
        """Make one MCP call in a session."""
        try:
            data = await sessions.request(owner, call.session_id, call.method, call.params)
        except (InterlockError, RPCError) as fault:
            observe(request, call.method, call.params, fault)
            return _refusal(fault)
        observe(request, call.method, call.params, None)
        return _json({"success": True, "data": data})

    return router


def _view(session: ProcessSession) -> SessionView:
    return SessionView(
        session_id=session.id,
        server_type=session.server_type,
        server_command=session.command,
        status="running",
        created_at=session.created_at.isoformat(),
        pid=session.pid,
    )


def _refusal(fault: InterlockError | RPCError) -> Response:
    details = jsonrpc.failure(None, fault)["error"]
    return _json({"success": False, "error": details}, _status(fault))


def _status(fault: InterlockError | RPCError) -> HTTPStatus:
    if isinstance(fault, InterlockError):
        return fault.status
    is_ours = fault.code in _CALLER_FAULTS
    return HTTPStatus.BAD_REQUEST if is_ours else HTTPStatus.BAD_GATEWAY


def _json(body: JSONObject, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(dumps(body), status, media_type="application/json")
