"""The record of one call: who asked for what, how it ended and how long it took; no contents."""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter, le
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeGuard
from urllib.parse import urlsplit, urlunsplit

from interlock.protocol.versions import Era
from interlock.telemetry.request_ids import REQUEST_ID_LENGTH, SortableIds

Outcome: TypeAlias = Literal["ok", "refused", "failed", "tool_error", "input_required", "cancelled"]

RECORD_ID_LENGTH: Final = 26
TEXT_LIMITS: Final = {
    "id": RECORD_ID_LENGTH,
    "project_id": 128,
    "project": 128,
    "server": 128,
    "principal_kind": 32,
    "principal_id": 128,
    "principal_name": 256,
    "method": 128,
    "target": 256,
    "transport": 32,
    "reason": 64,
    "request_id": 64,
    "trace_id": 32,
    "client_name": 256,
}
_INTEGERS: Final = ("http_status", "rpc_code", "request_bytes", "response_bytes")
_DURATIONS: Final = ("queue_ms", "upstream_ms", "total_ms")
_INT64: Final = 1 << 63
_LIMITS: Final = tuple(TEXT_LIMITS.values())
_TEXTS: Final = attrgetter(*TEXT_LIMITS)
_NUMBERS: Final = attrgetter(*_INTEGERS)
_TIMES: Final = attrgetter(*_DURATIONS)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# What makes the id of a record of a request's.
OF_REQUEST: Final = "0" * (RECORD_ID_LENGTH - REQUEST_ID_LENGTH)
_new_id: Final = SortableIds(length=RECORD_ID_LENGTH).new


def new_record_id() -> str:
    """Return an id for a record: 26 characters that sort by time."""
    return _new_id()


def record_id_of(request_id: str) -> str:
    """Return the id of the record of a request: the request's own and more, if it is one of ours."""
    if len(request_id) != REQUEST_ID_LENGTH:
        return new_record_id()
    return request_id + OF_REQUEST


def microseconds(time: datetime) -> int:
    """Return a moment as microseconds since 1970, which are exact."""
    return (time - _EPOCH) // _MICROSECOND


def moment_at(micros: int) -> datetime:
    """Return the moment that many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=micros)


def is_record_id(value: Any) -> TypeGuard[str]:
    """Tell whether `value` has the form of a record's id."""
    if not isinstance(value, str) or len(value) != RECORD_ID_LENGTH:
        return False
    return value.isascii() and value.isalnum()


# Nobody changes a record; but one is made for every call, and frozen that takes three times as long.
@dataclass(slots=True, kw_only=True)
class Record:
    """One call. Times are milliseconds, sizes bytes, `time` the moment the call arrived.

    It ended on three levels: `http_status` is what HTTP said, `rpc_code` the JSON-RPC error if
    there was one, `tool_error` what a tool said of itself. `outcome` sums them up, `reason` is the
    one word of a refusal or failure. `queue_ms` is the time in the gateway before the upstream had
    the call; `upstream_ms` is None where it never got it. `target` is the tool, prompt or resource
    as the caller named it. `project_id` is that of the project that the record belongs to, and
    empty where there was none; `project` is what it was called then.
    """

    time: datetime
    project: str
    server: str | None = None
    principal_kind: str
    principal_id: str
    principal_name: str
    method: str
    target: str | None = None
    era: Era | None = None
    transport: str
    http_status: int
    rpc_code: int | None = None
    outcome: Outcome
    reason: str | None = None
    tool_error: bool | None = None
    queue_ms: float = 0.0
    upstream_ms: float | None = None
    total_ms: float
    request_bytes: int = 0
    response_bytes: int = 0
    request_id: str
    trace_id: str | None = None
    client_name: str | None = None
    project_id: str = ""
    id: str = field(default_factory=new_record_id)

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("The time of a record needs a zone.")


@dataclass(slots=True, eq=False)
class Kind:
    """What the records of equal calls have in common; `traits` is what the store made of it."""

    record: Record
    traits: Any = None


class Repeat(NamedTuple):
    """The record of a call that went as others like it: its own are but numbers and an id.

    `began` is its moment in seconds since 1970; the others are as in `Record`. The gateway has made
    the id of its request, so that the record has that one too, only longer.
    """

    kind: Kind
    began: float
    queue_ms: float
    upstream_ms: float
    total_ms: float
    request_bytes: int
    response_bytes: int
    request_id: str

    @property
    def id(self) -> str:
        """The record's id."""
        return self.request_id + OF_REQUEST

    @property
    def micros(self) -> int:
        """The moment in microseconds since 1970."""
        return round(self.began * 1_000_000)

    def record(self) -> Record:
        """Return it written out."""
        return replace(
            self.kind.record,
            time=moment_at(self.micros),
            queue_ms=self.queue_ms,
            upstream_ms=self.upstream_ms,
            total_ms=self.total_ms,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            request_id=self.request_id,
            id=self.id,
        )


def resource_target(uri: str) -> str:
    """Return a resource's URI as a record may keep it: without query, fragment and credentials."""
    try:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return uri.partition("?")[0].partition("#")[0]


def fitted(record: Record) -> Record:
    """Return `record` so that every database takes it.

    Callers and servers choose names, codes and ids; one that no column holds would otherwise keep
    its whole batch from being written, for ever.
    """
    if _is_plain(record):
        return record
    changes: dict[str, Any] = {}
    for name, limit in TEXT_LIMITS.items():
        text = getattr(record, name)
        if text is not None and not _fits(text, limit):
            changes[name] = _fit(text, limit)
    for name in _INTEGERS:
        number = getattr(record, name)
        if number is not None and not -_INT64 <= number < _INT64:
            changes[name] = max(-_INT64, min(number, _INT64 - 1))
    for name in _DURATIONS:
        duration = getattr(record, name)
        if duration is not None and not math.isfinite(duration):
            changes[name] = 0.0
    return replace(record, **changes) if changes else record


def _is_plain(record: Record) -> bool:
    """Tell whether a record certainly fits, without a look at each field by itself."""
    texts = [text or "" for text in _TEXTS(record)]
    whole = "".join(texts)
    return (
        whole.isascii()
        and "\0" not in whole
        and all(map(le, map(len, texts), _LIMITS))
        and all(-_INT64 <= number < _INT64 for number in _NUMBERS(record) if number is not None)
        and all(math.isfinite(each) for each in _TIMES(record) if each is not None)
    )


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and text.isascii() and "\0" not in text


def _fit(text: str, limit: int) -> str:
    return text[:limit].replace("\0", "�").encode("utf-8", "replace").decode()
