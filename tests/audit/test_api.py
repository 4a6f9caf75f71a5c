"""Reading records over HTTP, with a real writer and database behind."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from interlock.audit.api import routes
from interlock.audit.record import new_record_id
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.errors import InterlockError, NotFound
from interlock.protocol.versions import Era
from interlock.settings import AuditSettings
from tests.audit.records import NOON, newest_first, record

RECORDS = "/api/v1/projects/p/records"


@dataclass(frozen=True)
class One:
    id: str


@dataclass(frozen=True)
class Access:
    project: One


def reader_access(project: str) -> Access:
    if project not in {"p", "q"}:
        raise NotFound("There is no such project.")
    return Access(One(project))


async def refuse(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InterlockError)
    return JSONResponse({"error": error.message, "reason": error.reason}, error.status)


@pytest.fixture
async def writer(store: RecordStore, tmp_path: Path) -> AsyncGenerator[RecordWriter]:
    slow = AuditSettings(flush_interval=3600.0, keep_days=36_500)
    async with RecordWriter(store, slow, spool=tmp_path / "records.spool") as writer:
        yield writer


@pytest.fixture
def app(store: RecordStore, writer: RecordWriter) -> FastAPI:
    app = FastAPI()
    app.include_router(routes(store, writer, reader_access))
    app.add_exception_handler(InterlockError, refuse)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncGenerator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def ids(client: httpx2.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get(RECORDS, params=query)
    assert answer.status_code == HTTPStatus.OK, answer.text
    return [each["id"] for each in answer.json()["records"]]


async def test_a_reader_sees_what_happened_a_moment_ago(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    one = record(rpc_code=-32602, outcome="refused", reason="forbidden", era=Era.MODERN)
    writer.add(one)
    writer.add(record(project="q"))

    answer = await client.get(RECORDS)

    expected = {
        "id": one.id,
        "time": "2026-01-31T12:00:00Z",
        "project": "p",
        "server": "time",
        "principal_kind": "key",
        "principal_id": "k1",
        "principal_name": "ann",
        "method": "tools/call",
        "target": "now",
        "era": "modern",
        "transport": "streamable-http",
        "http_status": 200,
        "rpc_code": -32602,
        "outcome": "refused",
        "reason": "forbidden",
        "tool_error": None,
        "queue_ms": 0.5,
        "upstream_ms": 3.0,
        "total_ms": 4.0,
        "request_bytes": 0,
        "response_bytes": 0,
        "request_id": "r1",
        "trace_id": None,
        "client_name": None,
    }
    assert answer.json() == {"records": [expected], "next_cursor": None}


async def test_following_the_cursor_reads_all_records_once(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    records = [record(time=NOON + timedelta(seconds=n // 3)) for n in range(10)]
    for one in records:
        writer.add(one)

    read, sizes, cursor = [], [], None
    while True:
        query = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(RECORDS, params=query)).json()
        read += [each["id"] for each in page["records"]]
        sizes.append(len(page["records"]))
        if (cursor := page["next_cursor"]) is None:
            break

    assert sizes == [5, 5]
    assert read == [one.id for one in newest_first(records)]


async def test_a_page_holds_a_hundred_records_unless_asked_otherwise(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    for _ in range(501):
        writer.add(record())

    assert len(await ids(client)) == 100
    assert len(await ids(client, limit=500)) == 500


MATCHING: dict[str, Any] = {
    "server": "weather",
    "target": "forecast",
    "method": "prompts/get",
    "outcome": "failed",
    "principal_name": "bob",
    "principal_id": "k2",
    "era": Era.MODERN,
    "time": NOON + timedelta(hours=1),
    "request_id": "r2",
    "total_ms": 50.0,
}


@pytest.mark.parametrize(
    "query",
    [
        {"server": "weather"},
        {"tool": "forecast"},
        {"method": "prompts/get"},
        {"outcome": "failed"},
        {"principal": "bob"},
        {"principal": "k2"},
        {"era": "modern"},
        {"since": "2026-01-31T13:00:00Z"},
        {"since": "2026-01-31T22:00:00+09:00"},
        {"request_id": "r2"},
        {"min_ms": "50"},
        {"server": "weather", "outcome": "failed", "min_ms": "49.5"},
    ],
)
async def test_each_filter_finds_what_matches_and_nothing_else(
    client: httpx2.AsyncClient, writer: RecordWriter, query: dict[str, str]
) -> None:
    match, other = record(**MATCHING), record()
    writer.add(match)
    writer.add(other)

    assert await ids(client) == [match.id, other.id]
    assert await ids(client, **query) == [match.id]


async def test_until_leaves_out_the_moment_itself(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    match, other = record(**MATCHING), record()
    writer.add(match)
    writer.add(other)

    assert await ids(client, until="2026-01-31T13:00:00Z") == [other.id]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "many"),
        ("cursor", "x"),
        ("cursor", "x" * 300),
        ("outcome", "fine"),
        ("era", "stone"),
        ("since", "2026-01-31T09:00:00"),
        ("since", "1769850000"),
        ("until", "yesterday"),
        ("until", "0001-01-01T00:00:00+14:00"),
        ("min_ms", "-1"),
        ("min_ms", "nan"),
        ("min_ms", "inf"),
        ("server", "a\0b"),
        ("tool", "x" * 257),
        ("sever", "time"),
    ],
)
@pytest.mark.parametrize("path", [RECORDS, f"{RECORDS}/export"])
async def test_a_wrong_filter_is_refused_by_its_name(
    client: httpx2.AsyncClient, path: str, name: str, value: str
) -> None:
    answer = await client.get(path, params={name: value})

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["reason"] == "bad_input"
    assert f'"{name}"' in answer.json()["error"]


async def test_a_moment_without_zone_is_refused_with_an_example(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get(RECORDS, params={"since": "2026-01-31T09:00:00"})

    expected = '"since": must be ISO 8601 with a zone, as in 2026-01-31T09:00:00Z.'
    assert answer.json()["error"] == expected


async def test_one_record_is_shown_by_its_id(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    one = record()
    writer.add(one)

    answer = await client.get(f"{RECORDS}/{one.id}")

    assert (answer.status_code, answer.json()["id"]) == (HTTPStatus.OK, one.id)


async def test_a_missing_and_a_foreign_record_look_alike(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    foreign = record(project="q")
    writer.add(foreign)

    answers = [await client.get(f"{RECORDS}/{each}") for each in (foreign.id, new_record_id())]

    assert [answer.status_code for answer in answers] == [HTTPStatus.NOT_FOUND] * 2
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "path", ["", "/export", f"/{new_record_id()}"], ids=["all", "export", "one"]
)
async def test_every_route_asks_for_access(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/api/v1/projects/hidden/records{path}")

    assert answer.json() == {"error": "There is no such project.", "reason": "not_found"}


async def test_json_lines_hold_every_matching_record(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    records = [record(target="é", time=NOON + timedelta(seconds=n)) for n in range(3)]
    for one in [*records, record(server="weather")]:
        writer.add(one)

    answer = await client.get(f"{RECORDS}/export", params={"format": "jsonl", "server": "time"})

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == [one.id for one in newest_first(records)]
    assert (lines[0]["target"], lines[0]["rpc_code"], lines[0]["total_ms"]) == ("é", None, 4.0)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="records.jsonl"'


async def test_csv_names_its_columns_and_keeps_awkward_text_in_one_cell(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    target = 'a,"b";\r\nc'
    writer.add(record(target=target, rpc_code=-32602, tool_error=False, server=None))

    answer = await client.get(f"{RECORDS}/export")

    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    shown = {name: row[name] for name in ("target", "rpc_code", "tool_error", "server", "time")}
    expected = {
        "target": target,
        "rpc_code": "-32602",
        "tool_error": "false",
        "server": "",
        "time": "2026-01-31T12:00:00+00:00",
    }
    assert shown == expected
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＠", "\t=", "\r=", " =", "\ufeff="])  # noqa: RUF001
async def test_csv_never_holds_a_cell_that_a_spreadsheet_would_run(
    client: httpx2.AsyncClient, writer: RecordWriter, start: str
) -> None:
    formula = f'{start}HYPERLINK("http://evil";"x")'
    writer.add(record(target=formula, client_name=formula, principal_name=formula))

    answer = await client.get(f"{RECORDS}/export", params={"format": "csv"})

    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    names = ("target", "client_name", "principal_name")
    assert [row[name] for name in names] == [f"'{formula}"] * 3


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
async def test_an_export_is_sent_piece_by_piece(
    app: FastAPI, writer: RecordWriter, file_format: str
) -> None:
    for _ in range(1200):
        writer.add(record())

    pieces = await pieces_of(app, f"{RECORDS}/export", f"format={file_format}")

    counts = [piece.count(b"\n") for piece in pieces if piece]
    assert sum(counts) == 1200 + (file_format == "csv")
    assert max(counts) == 500


async def pieces_of(app: FastAPI, path: str, query: str) -> list[bytes]:
    """Call the app as a server does, for the client in these tests joins the pieces."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
    }
    sent: list[Any] = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])
    hung_up = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if (request := next(requests, None)) is not None:
            return request
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return [message["body"] for message in sent if message["type"] == "http.response.body"]


def test_the_api_description_names_every_filter_and_its_values(app: FastAPI) -> None:
    operation = app.openapi()["paths"]["/api/v1/projects/{project}/records"]["get"]

    names = {each["name"] for each in operation["parameters"]}
    expected = {
        *("project", "server", "tool", "method", "outcome", "principal", "era"),
        *("since", "until", "request_id", "min_ms", "limit", "cursor"),
    }
    assert names == expected
