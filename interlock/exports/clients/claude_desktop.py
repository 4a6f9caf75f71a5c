"""Claude Desktop: its file starts processes only, so `interlock connect` bridges to the address."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    KEY_PLACEHOLDER,
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    by_entry_name,
    to_json,
)

FORMAT = ClientFormat(
    id="claude-desktop",
    title="Claude Desktop",
    file_hint="claude_desktop_config.json (Settings > Developer > Edit Config)",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` whose entries run the bridge; uvx fetches it where it is missing."""
    return to_json(
        {
            "mcpServers": {
                name: {
                    "command": "uvx",
                    "args": ["--from", "interlock-mcp", "interlock", "connect", endpoint.url],
                    "env": {KEY_VARIABLE: key or KEY_PLACEHOLDER},
                }
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
