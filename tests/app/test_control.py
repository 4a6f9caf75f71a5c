"""How the control API answers: every error in one form, refusals in words, faults of ours hidden."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.types import Scope

from interlock.app.control import control_app
from interlock.app.strict_body import StrictBody
from interlock.errors import (
    BadInput,
    Conflict,
    Forbidden,
    InterlockError,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)

SECRET = "a-secret-of-ours"
FAULTS: dict[str, Exception] = {
    "bad": BadInput('"name" is missing; give it.'),
    "unknown": Unauthenticated("Send a key."),
    "forbidden": Forbidden("Ask an owner."),
    "missing": NotFound("There is none."),
    "taken": Conflict("Choose another."),
    "many": TooMany("Come back later.", retry_after=7.4),
    "busy": Unavailable("The database does not answer."),
    "ours": InterlockError(SECRET),
    "unforeseen": RuntimeError(SECRET),
}


class Body(BaseModel):
    """A body with one number."""

    number: int


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/fault/{name}")
    async def fail(name: str) -> None:
        raise FAULTS[name]

    @router.post("/body")
    async def take(body: Body) -> int:
        return body.number

    return router


@asynccontextmanager
async def client(missing: dict[str, str] | None = None) -> AsyncGenerator[httpx2.AsyncClient]:
    async def ready() -> dict[str, str]:
        return missing or {}

    async def admit(scope: Scope) -> None:
        if any(name == b"x-stranger" for name, _ in scope["headers"]):
            raise Unauthenticated("We do not know you.")

    app = StrictBody(control_app([routes()], ready), 1000, admit)
    # As behind a real server, where what is raised after the answer does not reach the client.
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "status", "reason", "extra"),
    [
        ("bad", 400, "bad_input", {}),
        ("unknown", 401, "unauthenticated", {"www-authenticate": 'Bearer realm="interlock"'}),
        ("forbidden", 403, "forbidden", {}),
        ("missing", 404, "not_found", {}),
        ("taken", 409, "conflict", {}),
        ("many", 429, "too_many", {"retry-after": "8"}),
        ("busy", 503, "unavailable", {"retry-after": "5"}),
    ],
)
async def test_an_error_is_told_with_its_reason_and_a_request_id(
    name: str, status: int, reason: str, extra: dict[str, str]
) -> None:
    async with client() as http:
        answer = await http.get(f"/fault/{name}")

    error = answer.json()["error"]
    assert (answer.status_code, error["reason"], error["message"]) == (
        status,
        reason,
        str(FAULTS[name]),
    )
    assert error["request_id"] == answer.headers["x-request-id"]
    assert {header: answer.headers[header] for header in extra} == extra


@pytest.mark.parametrize("name", ["ours", "unforeseen"])
async def test_a_fault_of_ours_is_not_told_but_can_be_found_in_the_log(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client() as http:
        answer = await http.get(f"/fault/{name}")

    assert (answer.status_code, answer.json()["error"]["reason"]) == (500, "internal")
    assert SECRET not in answer.text
    logged = capsys.readouterr().out
    assert answer.headers["x-request-id"] in logged
    assert SECRET in logged


async def test_a_route_that_is_not_there_is_not_found() -> None:
    async with client() as http:
        answer = await http.get("/nowhere")

    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "no_such_route")


async def test_a_method_that_a_route_does_not_take_is_refused_with_those_it_does() -> None:
    async with client() as http:
        answer = await http.delete("/body")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b'{"number": 3}', 200, None),
        (b'{"number": "three"}', 400, '"number": '),
        (b"{}", 400, '"number": Field required.'),
        (b"[]", 400, '"body": '),
        (b'{"number": 3, "number": 4}', 400, "same key twice"),
        (b'{"number": NaN}', 400, "NaN"),
        (b"{", 400, "not valid JSON"),
        (b"\xff", 400, "UTF-8"),
        (b'{"number": 3, "pad": "' + b"x" * 1000 + b'"}', 413, "larger than 1000 bytes"),
    ],
)
async def test_a_body_is_checked_and_its_faults_are_named(
    content: bytes, status: int, message: str | None
) -> None:
    async with client() as http:
        answer = await http.post(
            "/body", content=content, headers={"content-type": "application/json"}
        )

    assert answer.status_code == status
    if message is not None:
        assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("content", [b"{", b'{"pad": "' + b"x" * 1000 + b'"}'])
async def test_what_is_wrong_with_a_body_is_told_to_no_stranger(content: bytes) -> None:
    async with client() as http:
        answer = await http.post("/body", content=content, headers={"x-stranger": "yes"})

    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "unauthenticated")


async def test_health_tells_that_the_process_runs_and_readiness_what_is_missing() -> None:
    async with client() as http:
        health, ready = await http.get("/healthz"), await http.get("/readyz")
    async with client({"database": "It does not answer."}) as http:
        unready = await http.get("/readyz")

    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": {}})
    assert unready.status_code == 503
    assert unready.json() == {
        "status": "not ready",
        "missing": {"database": "It does not answer."},
    }
