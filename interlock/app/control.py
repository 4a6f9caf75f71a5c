"""The control API as one FastAPI application: routes, health, and how errors read."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from interlock import __version__
from interlock.app.refusals import error_response
from interlock.errors import BadInput, InterlockError, NotFound

Ready = Callable[[], Awaitable[dict[str, str]]]


class NoSuchRoute(NotFound):
    """No route has this path and method."""

    reason = "no_such_route"


def control_app(routers: Sequence[APIRouter], ready: Ready) -> FastAPI:
    """Return the application; `ready` names what is not ready, and why."""
    app = FastAPI(
        title="Interlock",
        version=__version__,
        description="Build, host, connect and govern MCP servers from one place.",
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
    )
    for router in routers:
        app.include_router(router)
    app.include_router(_health_routes(ready))
    app.add_exception_handler(InterlockError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def _health_routes(ready: Ready) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process runs."""
        return {"status": "ok", "version": __version__}

    @router.get("/readyz")
    async def readyz() -> Response:
        """Say whether calls can be taken, and if not, what is missing."""
        missing = await ready()
        status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        body = {"status": "not ready" if missing else "ready", "missing": missing}
        return JSONResponse(body, status)

    return router


async def _refused(request: Request, fault: Exception) -> Response:
    known = fault if isinstance(fault, InterlockError) else _hidden(fault)
    return error_response(request.scope, known)


async def _invalid(request: Request, fault: Exception) -> Response:
    faults: list[Any] = list(fault.errors()) if isinstance(fault, RequestValidationError) else []
    wrong = BadInput("\n".join(_explain(each) for each in faults))
    return error_response(request.scope, wrong)


def _explain(fault: Any) -> str:
    place = [str(part) for part in fault["loc"] if part not in {"body", "query", "path"}]
    if fault["type"] == "json_invalid":
        return "The body is not valid JSON."
    return f'"{".".join(place) or "body"}": {fault["msg"]}.'


async def _http_error(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if status == HTTPStatus.NOT_FOUND:
        missing = NoSuchRoute("There is no such route; see /api/docs.")
        return error_response(request.scope, missing)
    phrase = HTTPStatus(status).phrase
    headers = fault.headers if isinstance(fault, HTTPException) else None
    body = {"error": {"reason": "http_error", "message": f"{phrase}."}}
    return JSONResponse(body, status, headers)


async def _unforeseen(request: Request, fault: Exception) -> Response:
    return error_response(request.scope, _hidden(fault))


def _hidden(fault: Exception) -> InterlockError:
    hidden = InterlockError("Something went wrong here.")
    hidden.__cause__ = fault
    return hidden
