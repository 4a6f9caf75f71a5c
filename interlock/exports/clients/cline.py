"""Cline: `mcpServers` with its own spelling of Streamable HTTP, approvals and a timeout."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
    whole_seconds,
)

SHORTEST_TIMEOUT = 30  # seconds; Cline refuses a file with less

FORMAT = ClientFormat(
    id="cline",
    title="Cline",
    file_hint="cline_mcp_settings.json (MCP Servers > Configure > Configure MCP Servers)",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses, approved tools and timeouts in seconds."""
    return to_json(
        {
            "mcpServers": {
                name: {
                    "type": "streamableHttp",
                    "url": endpoint.url,
                    "headers": bearer(key),
                    "timeout": max(SHORTEST_TIMEOUT, whole_seconds(endpoint.timeout)),
                    "autoApprove": list(endpoint.auto_approve),
                    "disabled": False,
                }
                for name, endpoint in by_entry_name(endpoints).items()
            }
        }
    )
