"""A control API with nothing but identity, and clients that call it in process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from interlock.errors import BadInput, InterlockError
from interlock.identity.api import routes
from interlock.identity.gate import Gate
from tests.identity.conftest import EMAIL, Identity

CHOSEN = "a password of my own"


def control_api(identity: Identity, *, secure: bool = False, allow_open: bool = False) -> FastAPI:
    """Build an app that answers errors as `{"error": {"reason", "message"}}`."""
    gate = Gate(
        identity.keys, identity.logins, identity.projects, secure=secure, allow_open=allow_open
    )
    app = FastAPI()
    app.include_router(
        routes(
            gate,
            logins=identity.logins,
            projects=identity.projects,
            keys=identity.keys,
            on_change=identity.on_change,
        )
    )
    app.add_exception_handler(InterlockError, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    return app


@asynccontextmanager
async def client_of(app: FastAPI, **options: Any) -> AsyncGenerator[httpx2.AsyncClient]:
    """Open a client; further options are those of `httpx2.AsyncClient`."""
    options.setdefault("base_url", "http://127.0.0.1")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), **options) as client:
        yield client


async def signed_in(identity: Identity, client: httpx2.AsyncClient) -> None:
    """Sign the client in as an administrator with a password of their own."""
    password = await identity.people.ensure_administrator(EMAIL)
    body = {"email": EMAIL, "password": password or CHOSEN}
    answer = (await client.post("/api/v1/auth/login", json=body)).json()
    client.headers["X-CSRF-Token"] = answer["csrf_token"]
    if answer["must_change_password"]:
        changes = {"current_password": password, "new_password": CHOSEN}
        response = await client.post("/api/v1/auth/password", json=changes)
        assert response.status_code == 204


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """Return the status and reason of an error."""
    return response.status_code, response.json()["error"]["reason"]


async def _answer(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestValidationError):
        error = BadInput(str(error.errors()[0]["loc"]))
    assert isinstance(error, InterlockError)
    content = {"error": {"reason": error.reason, "message": error.message}}
    return JSONResponse(content, status_code=error.status)
