"""The routes of records under `/api/v1`: a project's calls as pages, one by one, and as files."""

import math
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, Final, Protocol, Self, TypeAlias

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from interlock.audit.export import MEDIA_TYPES, ExportFormat, export
from interlock.audit.filters import Position, RecordFilter, moment_of
from interlock.audit.record import Outcome, Record
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.errors import BadInput
from interlock.protocol.versions import Era

MAX_LIMIT: Final = 500


class OneProject(Protocol):
    """The project whose records are read."""

    @property
    def id(self) -> str:
        """The id that its records carry."""
        ...


class ReaderAccess(Protocol):
    """A caller who may read the records of one project."""

    @property
    def project(self) -> OneProject:
        """That project."""
        ...


# A FastAPI dependency that returns a ReaderAccess.
AskReader: TypeAlias = Callable[..., Any]


def routes(store: RecordStore, writer: RecordWriter, reader_access: AskReader) -> APIRouter:
    """Make the routes; readers see also what happened a moment ago, for they flush the writer."""
    router = APIRouter(
        prefix="/api/v1/projects/{project}/records", tags=["records"], route_class=NamingRoute
    )

    @router.get("")
    async def list_records(
        query: Annotated[PageQuery, Query()], access: ReaderAccess = Depends(reader_access)
    ) -> RecordPage:
        """List the calls of a project, newest first; `next_cursor` gives what comes after."""
        after = Position.from_cursor(query.cursor) if query.cursor is not None else None
        await writer.flush()
        # One more than asked for tells whether there is a next page.
        found = await store.page(
            access.project.id, query.asked(), after=after, limit=query.limit + 1
        )
        return RecordPage.of(found, query.limit)

    @router.get("/export", response_class=StreamingResponse)
    async def export_records(
        query: Annotated[ExportQuery, Query()], access: ReaderAccess = Depends(reader_access)
    ) -> StreamingResponse:
        """Download the calls of a project, newest first, as CSV or as JSON lines."""
        await writer.flush()
        pages = store.pages(access.project.id, query.asked())
        return StreamingResponse(
            export(pages, query.format),
            media_type=MEDIA_TYPES[query.format],
            headers={"Content-Disposition": f'attachment; filename="records.{query.format}"'},
        )

    @router.get("/{record_id}")
    async def get_record(
        record_id: str, access: ReaderAccess = Depends(reader_access)
    ) -> RecordView:
        """Show one call."""
        await writer.flush()
        return RecordView.of(await store.get(access.project.id, record_id))

    return router


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _moment(text: Any) -> Any:
    # Pydantic alone would take bare numbers too, whose unit it guesses.
    moment = moment_of(text)
    if moment is None:
        raise ValueError("must be ISO 8601 with a zone, as in 2026-01-31T09:00:00Z")
    return moment


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


_Text: TypeAlias = Annotated[str, Field(max_length=256), AfterValidator(_storable)]
Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_moment)]


class FilterQuery(BaseModel):
    """What records must match."""

    model_config = ConfigDict(extra="forbid")

    server: _Text | None = None
    tool: _Text | None = Field(default=None, description="the tool, prompt or resource called")
    method: _Text | None = None
    outcome: Outcome | None = None
    principal: _Text | None = Field(default=None, description="the id or the name of who called")
    era: Era | None = None
    since: Moment | None = Field(default=None, description="from this moment on")
    until: Moment | None = Field(default=None, description="before this moment")
    request_id: _Text | None = None
    min_ms: Annotated[float, AfterValidator(_finite)] | None = Field(
        default=None, ge=0, description="calls that took at least so long"
    )

    def asked(self) -> RecordFilter:
        """Return what the store understands."""
        return RecordFilter(
            server=self.server,
            target=self.tool,
            method=self.method,
            outcome=self.outcome,
            principal=self.principal,
            era=self.era,
            since=self.since,
            until=self.until,
            request_id=self.request_id,
            min_ms=self.min_ms,
        )


class PageQuery(FilterQuery):
    """What records must match, and which page of them."""

    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(default=None, max_length=256)


class ExportQuery(FilterQuery):
    """What records must match, and the kind of file."""

    format: ExportFormat = "csv"


class RecordView(BaseModel):
    """One call; times in milliseconds, sizes in bytes."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    time: datetime
    project: str
    server: str | None
    principal_kind: str
    principal_id: str
    principal_name: str
    method: str
    target: str | None
    era: Era | None
    transport: str
    http_status: int
    rpc_code: int | None
    outcome: Outcome
    reason: str | None
    tool_error: bool | None
    queue_ms: float
    upstream_ms: float | None
    total_ms: float
    request_bytes: int
    response_bytes: int
    request_id: str
    trace_id: str | None
    client_name: str | None

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return what is shown of a record: all of it."""
        return cls.model_validate(record)


class RecordPage(BaseModel):
    """Records, newest first; a `next_cursor` of null means that these were the last."""

    records: list[RecordView]
    next_cursor: str | None

    @classmethod
    def of(cls, found: list[Record], limit: int) -> Self:
        """Make a page of up to `limit` records from one more than that, if there is one."""
        shown = found[:limit]
        return cls(
            records=[RecordView.of(record) for record in shown],
            next_cursor=Position.of(shown[-1]).cursor if len(found) > limit else None,
        )


class NamingRoute(APIRoute):
    """Refuses a wrong parameter as BadInput, in words that name it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which refuses what the route cannot read."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                raise BadInput(" ".join(_explain(fault) for fault in error.errors())) from None

        return handle


def _explain(fault: Any) -> str:
    name = str(fault["loc"][-1])[:64]
    if fault["type"] == "extra_forbidden":
        return f'"{name}" is not a filter of records; leave it out.'
    return f'"{name}": {fault["msg"].removeprefix("Value error, ")}.'
