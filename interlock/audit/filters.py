"""Which records a reader asks for, and the place in the list where a page begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from interlock.audit.record import Outcome, Record, is_record_id
from interlock.errors import BadInput
from interlock.protocol.json import as_list
from interlock.protocol.versions import Era


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """What records must match; None asks nothing.

    `since` is included, `until` is not. `principal` is an id or a name. `min_ms` compares with the
    total time.
    """

    server: str | None = None
    target: str | None = None
    method: str | None = None
    outcome: Outcome | None = None
    principal: str | None = None
    era: Era | None = None
    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None
    min_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A record's place in the list, newest first; its cursor means "what comes after this"."""

    time: datetime
    id: str

    @classmethod
    def of(cls, record: Record) -> "Position":
        """Return the place of `record`."""
        return cls(record.time, record.id)

    @classmethod
    def from_cursor(cls, cursor: str) -> "Position":
        """Read a cursor that `cursor` wrote. Raises BadInput."""
        try:
            time, record_id = as_list(orjson.loads(urlsafe_b64decode(cursor))) or (None, None)
        except ValueError:
            raise _bad_cursor() from None
        moment = moment_of(time)
        if moment is None or not is_record_id(record_id):
            raise _bad_cursor()
        return cls(moment, record_id)

    @property
    def cursor(self) -> str:
        """The place as opaque text for URLs."""
        return urlsafe_b64encode(orjson.dumps([self.time.isoformat(), self.id])).decode()


def moment_of(text: Any) -> datetime | None:
    """Read an ISO 8601 moment with a zone; None where `text` is none that UTC can tell."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _bad_cursor() -> BadInput:
    return BadInput('"cursor" is not one that a page gave as "next_cursor"; leave it out.')
