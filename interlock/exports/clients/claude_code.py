"""Claude Code: `mcpServers` with typed entries; `${NAME}` reads the environment."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
)

FORMAT = ClientFormat(
    id="claude-code",
    title="Claude Code",
    file_hint=".mcp.json in the project folder",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses.

    No timeout is written: Claude Code's own ends a call even while it reports progress.
    """
    headers = bearer(key, otherwise=f"${{{KEY_VARIABLE}}}")
    return to_json(
        {
            "mcpServers": {
                name: {"type": "http", "url": endpoint.url, "headers": headers}
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
