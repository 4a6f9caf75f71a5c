"""The route of live updates under `/api/v1`."""

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from interlock.app.live import News
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.principal import Role


def routes(news: News, gate: Gate) -> APIRouter:
    """Return the route of live updates."""
    router = APIRouter(prefix="/api/v1/projects/{project}", tags=["projects"])

    @router.get("/events", response_class=StreamingResponse)
    async def follow_project(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER)),
    ) -> StreamingResponse:
        """Follow what changes in a project: events `change` that name kinds of things.

        The kinds are `servers`, `tools`, `logs` and `records`; read anew what you show of them.
        """
        return StreamingResponse(
            news.follow(access.project.name),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return router
