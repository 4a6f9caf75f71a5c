"""The REST sessions, as their clients see them, with a real MCP server behind."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from interlock.errors import Forbidden, InterlockError
from interlock.settings import StationSettings
from interlock.station.api import routes
from interlock.station.sessions import ProcessSessions
from interlock.station.station import Station
from tests.station.inbox import CHILDREN
from tests.station.talk import Talks

TIME_SERVER = str(Path(sys.executable).with_name("mcp-server-time"))
SCRIPT = {
    "server_type": "python",
    "server_command": CHILDREN,
    "server_args": ["server"],
    "env_vars": {"SECRET": "hunter22"},
}


def require_owner(x_owner: Annotated[str, Header()] = "") -> str:
    """Let in whoever says that it is an owner; anonymous callers are refused."""
    if not x_owner:
        raise Forbidden("Only an owner may run servers.")
    return x_owner


async def answer_failure(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, InterlockError)
    return JSONResponse({"detail": fault.message}, fault.status)


@asynccontextmanager
async def client(**settings: float) -> AsyncGenerator[tuple[httpx2.AsyncClient, Talks]]:
    """Serve the routes in this process, to a client that is the owner `me`."""
    chosen = StationSettings.model_validate({"stop_timeout": 0.5, **settings})
    station = Station(chosen)
    talks = Talks(station)
    sessions = ProcessSessions(talks.connect, chosen)
    app = FastAPI()
    app.include_router(routes(sessions, require_owner))
    app.add_exception_handler(InterlockError, answer_failure)
    try:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://test",
            headers={"x-owner": "me"},
            timeout=60.0,
        ) as opened:
            yield opened, talks
    finally:
        await sessions.close()
        await station.close()


async def create(http: httpx2.AsyncClient, body: dict[str, Any] = SCRIPT) -> str:
    answer = await http.post("/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


async def call(
    http: httpx2.AsyncClient, session_id: str, method: str, params: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    body = {"session_id": session_id, "method": method}
    answer = await http.post("/mcp/request", json=body | ({"params": params} if params else {}))
    return answer.status_code, answer.json()


async def test_a_real_server_lists_and_calls_its_tools() -> None:
    async with client() as (http, _):
        session_id = await create(
            http,
            {"server_type": "python", "server_command": TIME_SERVER, "server_args": []},
        )

        status, listed = await call(http, session_id, "tools/list")
        assert (status, listed["success"]) == (200, True)
        assert {tool["name"] for tool in listed["data"]["tools"]} == {
            "get_current_time",
            "convert_time",
        }

        params = {
            "name": "convert_time",
            "arguments": {
                "source_timezone": "Asia/Seoul",
                "time": "12:00",
                "target_timezone": "UTC",
            },
        }
        status, called = await call(http, session_id, "tools/call", params)
        assert status == 200
        assert "T03:00:00+00:00" in called["data"]["content"][0]["text"]


async def test_a_new_session_is_described() -> None:
    async with client() as (http, talks):
        created = (await http.post("/sessions", json=SCRIPT)).json()

        assert datetime.fromisoformat(created.pop("created_at")).tzinfo is not None
        assert created == {
            "session_id": created["session_id"],
            "server_type": "python",
            "server_command": CHILDREN,
            "status": "running",
            "pid": talks.opened[0].pid,
        }


async def test_sessions_are_listed_read_and_deleted() -> None:
    async with client() as (http, talks):
        first, second = await create(http), await create(http)

        listed = (await http.get("/sessions")).json()
        assert [session["session_id"] for session in listed] == [first, second]
        assert (await http.get(f"/sessions/{first}")).json() == listed[0]

        deleted = await http.delete(f"/sessions/{first}")
        assert (deleted.status_code, deleted.json()) == (
            200,
            {"session_id": first, "status": "ended"},
        )
        assert talks.opened[0].ended.done()
        assert (await http.get(f"/sessions/{first}")).status_code == 404
        assert len((await http.get("/sessions")).json()) == 1


async def test_results_keep_integers_of_any_size() -> None:
    async with client() as (http, _):
        session_id = await create(http)

        assert await call(http, session_id, "repeat", {"n": 2**53 + 1}) == (
            200,
            {"success": True, "data": {"n": 2**53 + 1}},
        )


async def test_the_servers_own_error_is_told() -> None:
    async with client() as (http, _):
        session_id = await create(http)

        assert await call(http, session_id, "fail") == (
            502,
            {
                "success": False,
                "error": {"code": -32000, "message": "no", "data": {"why": "asked for"}},
            },
        )


async def test_an_unknown_method_is_the_callers_fault() -> None:
    async with client() as (http, _):
        session_id = await create(http)

        assert await call(http, session_id, "unknown") == (
            400,
            {"success": False, "error": {"code": -32601, "message": "no such method"}},
        )


async def test_a_call_to_an_unknown_session_is_refused() -> None:
    async with client() as (http, _):
        status, body = await call(http, "nobody", "tools/list")

        assert (status, body["success"]) == (404, False)
        assert body["error"]["message"] == (
            "There is no session nobody; create one with POST /sessions."
        )


async def test_a_call_to_a_session_whose_server_died_says_why() -> None:
    async with client() as (http, _):
        session_id = await create(http)

        status, body = await call(http, session_id, "die")
        assert (status, body["success"]) == (503, False)

        status, body = await call(http, session_id, "tools/list")
        assert (status, body["success"]) == (410, False)
        assert "ended with exit code 4" in body["error"]["message"]
        assert (await http.get("/sessions")).json() == []
        assert (await http.get(f"/sessions/{session_id}")).status_code == 410


async def test_a_command_that_cannot_run_is_the_callers_fault() -> None:
    async with client() as (http, _):
        answer = await http.post(
            "/sessions", json={"server_type": "other", "server_command": "no-such-command-1"}
        )

        assert answer.status_code == 400
        assert "was not found on PATH" in answer.json()["detail"]


async def test_too_many_sessions_are_refused() -> None:
    async with client(max_sessions=1) as (http, _):
        await create(http)

        assert (await http.post("/sessions", json=SCRIPT)).status_code == 429


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sessions", SCRIPT),
        ("POST", "/sessions", {"server_type": 1}),
        ("GET", "/sessions", None),
        ("GET", "/sessions/1", None),
        ("DELETE", "/sessions/1", None),
        ("POST", "/mcp/request", {"session_id": "1", "method": "tools/list"}),
    ],
)
async def test_whoever_is_no_owner_is_refused_before_anything_starts(
    method: str, path: str, body: dict[str, Any] | None
) -> None:
    async with client() as (http, talks):
        answer = await http.request(method, path, json=body, headers={"x-owner": ""})

        assert answer.status_code == 403
        assert talks.opened == []


async def test_owners_do_not_see_each_others_sessions() -> None:
    async with client() as (http, _):
        session_id = await create(http)
        http.headers["x-owner"] = "you"

        assert (await http.get("/sessions")).json() == []
        assert (await http.get(f"/sessions/{session_id}")).status_code == 404
        assert (await http.delete(f"/sessions/{session_id}")).status_code == 404
        assert (await call(http, session_id, "repeat"))[0] == 404


async def test_the_environment_of_a_server_is_never_shown() -> None:
    async with client() as (http, _):
        session_id = await create(http)

        assert "hunter22" not in (await http.get(f"/sessions/{session_id}")).text


async def test_a_body_that_lacks_its_command_is_refused() -> None:
    async with client() as (http, talks):
        answer = await http.post("/sessions", json={"server_type": "python"})

        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "server_command"]
        assert talks.opened == []
