"""The clients that we write configurations for, and the one door to them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from interlock.errors import NotFound
from interlock.exports.clients import (
    autogen,
    claude_code,
    claude_desktop,
    cline,
    codex,
    cursor,
    flowise,
    gemini_cli,
    langflow,
    python_sdk,
    typescript_sdk,
    vscode,
    windsurf,
)
from interlock.exports.clients.format import ClientConfiguration, ClientFormat, Endpoint

_Write: TypeAlias = Callable[[Sequence[Endpoint], str | None], str]

_WRITERS: tuple[tuple[ClientFormat, _Write], ...] = (
    (claude_desktop.FORMAT, claude_desktop.write),
    (claude_code.FORMAT, claude_code.write),
    (cursor.FORMAT, cursor.write),
    (vscode.FORMAT, vscode.write),
    (cline.FORMAT, cline.write),
    (windsurf.FORMAT, windsurf.write),
    (codex.FORMAT, codex.write),
    (gemini_cli.FORMAT, gemini_cli.write),
    (langflow.FORMAT, langflow.write),
    (flowise.FORMAT, flowise.write),
    (autogen.FORMAT, autogen.write),
    (python_sdk.FORMAT, python_sdk.write),
    (typescript_sdk.FORMAT, typescript_sdk.write),
)

CLIENTS: Mapping[str, ClientFormat] = MappingProxyType(
    {client_format.id: client_format for client_format, _ in _WRITERS}
)


def render(client_id: str, endpoints: Sequence[Endpoint], key: str | None) -> ClientConfiguration:
    """Write the configuration that connects a client to `endpoints`.

    The text holds `key`. Without a key it reads the environment variable `INTERLOCK_KEY`, asks
    for the key, or shows a placeholder, whichever the client knows. Raises NotFound for an unknown
    client, naming those that there are.
    """
    for client_format, write in _WRITERS:
        if client_format.id == client_id:
            return ClientConfiguration(
                client=client_format.id,
                title=client_format.title,
                path_hint=client_format.file_hint,
                language=client_format.language,
                text=write(endpoints, key),
            )
    raise NotFound(f"There is no client {client_id[:40]!r}. Known are {', '.join(CLIENTS)}.")
