"""Records as files: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from interlock.audit.record import Record
from interlock.protocol.json import JSONObject, dumps

ExportFormat: TypeAlias = Literal["csv", "jsonl"]

MEDIA_TYPES: Final[dict[ExportFormat, str]] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
}
_OURS: Final = frozenset({"id", "project_id"})
COLUMNS: Final = ("id", *(each.name for each in fields(Record) if each.name not in _OURS))
# What a spreadsheet takes for the beginning of a formula, also in full-width letters and after
# characters that it does not show.
_FORMULA: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\ufeff]*[-=+@＝＋－＠]")  # noqa: RUF001


async def export(
    pages: AsyncIterator[list[Record]], export_format: ExportFormat
) -> AsyncIterator[bytes]:
    """Yield the file piece by piece, one for each page; CSV begins with the column names."""
    if export_format == "csv":
        yield _csv([COLUMNS])
    async for page in pages:
        if export_format == "csv":
            yield _csv([[_cell(getattr(record, name)) for name in COLUMNS] for record in page])
        else:
            yield b"".join(dumps(_object(record)) + b"\n" for record in page)


def _object(record: Record) -> JSONObject:
    return {name: getattr(record, name) for name in COLUMNS}


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    # Everything is quoted: a text with a semicolon would else fall apart where that is the comma.
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Return `value` for a cell; text that a spreadsheet would run as a formula stays text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value
