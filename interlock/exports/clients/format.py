"""What every client's configuration is made of: endpoints, a key, names that the client takes."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Language: TypeAlias = Literal["json", "toml", "python", "typescript"]

KEY_VARIABLE = "INTERLOCK_KEY"
KEY_PLACEHOLDER = "YOUR_INTERLOCK_KEY"
MAX_ENTRY_NAME = 40
_FALLBACK_NAME = "interlock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that a client may connect to: a whole project, or one of its servers.

    `url` speaks Streamable HTTP, `sse_url` the older SSE. `timeout` is in seconds; `auto_approve`
    names tools as the client sees them.
    """

    name: str
    url: str
    sse_url: str
    timeout: float
    auto_approve: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientFormat:
    """A client that we write for; `file_hint` says where its configuration goes."""

    id: str
    title: str
    file_hint: str
    language: Language


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """A configuration as text, and where its reader puts it."""

    client: str
    title: str
    path_hint: str
    language: Language
    text: str


def bearer(key: str | None, *, otherwise: str = KEY_PLACEHOLDER) -> dict[str, str]:
    """Return the header that carries the key; without a key, `otherwise` stands in its place."""
    return {"Authorization": f"Bearer {key or otherwise}"}


def by_entry_name(
    endpoints: Sequence[Endpoint], *, illegal: str = r"[^A-Za-z0-9_-]+"
) -> dict[str, Endpoint]:
    """Give each endpoint a name that clients take, and no two the same.

    What the pattern `illegal` matches becomes a hyphen.
    """
    named: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        name = re.sub(illegal, "-", endpoint.name).strip("-_")[:MAX_ENTRY_NAME].strip("-_")
        name = name or _FALLBACK_NAME
        unique, number = name, 1
        while unique in named:
            number += 1
            unique = f"{name[: MAX_ENTRY_NAME - len(str(number)) - 1]}-{number}"
        named[unique] = endpoint
    return named


def whole_seconds(timeout: float) -> int:
    """Return the timeout in whole seconds, never less than was asked for."""
    return math.ceil(timeout)


def to_json(value: Any) -> str:
    """Return JSON as people like to read it."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def quoted(text: str) -> str:
    """Return `text` as a literal that is the same in TOML, Python and TypeScript."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
