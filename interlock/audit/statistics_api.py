"""The route of statistics under `/api/v1`: how a project's calls went lately."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from interlock.audit.api import AskReader, Moment, NamingRoute, ReaderAccess
from interlock.audit.statistics import Span, Sum, by_name, series, total
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.errors import BadInput

MAX_STEPS: Final = 400
STEPS: Final = 60  # where the caller asks for no length of a step
MOST: Final = 50  # servers, and tools
LATELY: Final = timedelta(hours=1)


def routes(store: RecordStore, writer: RecordWriter, reader_access: AskReader) -> APIRouter:
    """Make the route; what happened a moment ago counts, for the writer is flushed."""
    router = APIRouter(
        prefix="/api/v1/projects/{project}/statistics", tags=["records"], route_class=NamingRoute
    )

    @router.get("")
    async def show_statistics(
        query: Annotated[SpanQuery, Query()], access: ReaderAccess = Depends(reader_access)
    ) -> StatisticsView:
        """Show how the calls of a project went: over time, by server and by tool."""
        span, project_id = query.span(datetime.now(UTC)), access.project.id
        await writer.flush()
        steps = await store.tallies_by_step(project_id, span)
        tools = await store.tallies_by_tool(project_id, span)
        servers = [replace(each, key=each.key[:1]) for each in tools]
        return StatisticsView(
            since=span.since,
            until=span.until,
            step_seconds=round(span.step.total_seconds()),
            total=SumView.of(total(steps)),
            steps=[
                StepView(time=start, **_values(each))
                for start, each in zip(span.starts(), series(span, steps), strict=True)
            ],
            servers=[
                ServerSumView(server=server, **_values(each))
                for (server,), each in by_name(servers, most=MOST)
                if isinstance(server, str)
            ],
            tools=[
                ToolSumView(server=server, tool=tool, **_values(each))
                for (server, tool), each in by_name(tools, most=MOST)
                if isinstance(server, str) and isinstance(tool, str)
            ],
        )

    return router


class SpanQuery(BaseModel):
    """The span of time that is asked for, and the length of its steps."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(default=None, description="an hour before the end, if left out")
    until: Moment | None = Field(default=None, description="now, if left out")
    step: int | None = Field(
        default=None, ge=1, le=31 * 24 * 3600, description="seconds; a sixtieth, if left out"
    )

    def span(self, now: datetime) -> Span:
        """Return the span. Raises BadInput."""
        until = self.until or now
        since = self.since or until - LATELY
        if since >= until:
            raise BadInput('"since" must be before "until".')
        step = self.step or max(1, round((until - since).total_seconds() / STEPS))
        span = Span(since, until, timedelta(seconds=step))
        if span.steps > MAX_STEPS:
            raise BadInput(f'"step" is too short: the span would have over {MAX_STEPS} steps.')
        return span


class SumView(BaseModel):
    """Some calls together; times in milliseconds, null where there was no call.

    `failed` are those that the server, the way to it or the tool failed; `refused` those that the
    gateway turned away.
    """

    calls: int
    failed: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @classmethod
    def of(cls, calls: Sum) -> Self:
        """Return what is shown of a sum."""
        return cls(
            calls=calls.calls,
            failed=calls.failed,
            refused=calls.refused,
            p50_ms=calls.percentile(0.5),
            p95_ms=calls.percentile(0.95),
            p99_ms=calls.percentile(0.99),
        )


def _values(calls: Sum) -> dict[str, Any]:
    return SumView.of(calls).model_dump()


class StepView(SumView):
    """The calls of one step, which begins at `time`."""

    time: datetime


class ServerSumView(SumView):
    """The calls that one server got."""

    server: str


class ToolSumView(SumView):
    """The calls of one tool, by the name under which it was called."""

    server: str
    tool: str


class StatisticsView(BaseModel):
    """How calls went; servers and tools with the most failures, then calls, come first."""

    since: datetime
    until: datetime
    step_seconds: int
    total: SumView
    steps: list[StepView]
    servers: list[ServerSumView]
    tools: list[ToolSumView]
