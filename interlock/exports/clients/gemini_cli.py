"""Gemini CLI: `mcpServers` with `httpUrl`; `${NAME}` reads the environment."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    bearer,
    by_entry_name,
    to_json,
    whole_seconds,
)

FORMAT = ClientFormat(
    id="gemini-cli",
    title="Gemini CLI",
    file_hint="~/.gemini/settings.json, or .gemini/settings.json in the project folder",
    language="json",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return `mcpServers` with addresses and timeouts in milliseconds.

    Names hold no underscore: Gemini CLI takes it for the border between server and tool.
    """
    headers = bearer(key, otherwise=f"${{{KEY_VARIABLE}}}")
    named = by_entry_name(endpoints, illegal=r"[^A-Za-z0-9-]+")
    return to_json(
        {
            "mcpServers": {
                name: {
                    "httpUrl": endpoint.url,
                    "headers": headers,
                    "timeout": whole_seconds(endpoint.timeout) * 1000,
                }
                for name, endpoint in named.items()
            }
        }
    )
