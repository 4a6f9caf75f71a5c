"""Python programs that carry the endpoints and the key at their head."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    Endpoint,
    by_entry_name,
    quoted,
    whole_seconds,
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program without its head: what it imports, and what it does with SERVERS and HEADERS."""

    imports: tuple[str, ...]
    body: str


def fill(snippet: Snippet, endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return the program; without a key it reads the environment variable `INTERLOCK_KEY`."""
    imports = list(snippet.imports)
    if key:
        headers = f'HEADERS = {{"Authorization": {quoted(f"Bearer {key}")}}}'
    else:
        imports.insert(imports.index("import asyncio") + 1, "import os")
        headers = f'HEADERS = {{"Authorization": f"Bearer {{os.environ[{KEY_VARIABLE!r}]}}"}}'
    servers = [
        f"    {quoted(name)}: ({quoted(endpoint.url)}, {whole_seconds(endpoint.timeout)}),"
        for name, endpoint in by_entry_name(endpoints).items()
    ]
    head = [*imports, "", "# The address and the timeout in seconds of each server.", "SERVERS = {"]
    return "\n".join([*head, *servers, "}", headers, "", "", snippet.body])
