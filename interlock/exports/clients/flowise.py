"""Flowise: what its Custom MCP node takes, one server a node."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
)

FORMAT = ClientFormat(
    id="flowise",
    title="Flowise",
    file_hint="Custom MCP node > MCP Server Config, one node per server",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return the object of one node; for several endpoints, the object of each by its name."""
    nodes = {
        name: {"url": endpoint.url, "headers": bearer(key)}
        for name, endpoint in by_entry_name(endpoints).items()
    }
    if len(nodes) == 1:
        return to_json(*nodes.values())
    return to_json(nodes)
