"""VS Code: `servers`, and `inputs` that ask for the key once and keep it safe."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
)

KEY_INPUT = "interlock-key"

FORMAT = ClientFormat(
    id="vscode",
    title="VS Code",
    file_hint=".vscode/mcp.json in the project folder, or MCP: Open User Configuration",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `servers` with addresses; without a key VS Code asks for it as for a password."""
    headers = bearer(key, otherwise=f"${{input:{KEY_INPUT}}}")
    servers = {
        name: {"type": "http", "url": endpoint.url, "headers": headers}
        for name, endpoint in by_entry_name(endpoints).items()
    }
    if key:
        return to_json({"servers": servers})
    prompt = {
        "type": "promptString",
        "id": KEY_INPUT,
        "description": "Interlock API key",
        "password": True,
    }
    return to_json({"inputs": [prompt], "servers": servers})
