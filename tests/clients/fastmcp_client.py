"""FastMCP's client: carries out a plan in an environment of its own, in either era."""

# Our own environment has no FastMCP.
# pyright: reportMissingImports=false

import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import mcp_types as types
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.shared.exceptions import MCPDeprecationWarning
from performer import ROOTS, Connection, JSONObject, Progress, Seen, Unable, perform
from sdk_2 import MODERN, asked, plain, take_note, watch

LOUD = {"io.modelcontextprotocol/logLevel": "debug"}


class Session(Connection):
    """FastMCP's client while it is connected."""

    def __init__(self, client: Any, seen: Seen, stack: AsyncExitStack) -> None:
        self._client = client
        self._seen = seen
        self._stack = stack

    @property
    def _is_modern(self) -> bool:
        return self._client.protocol_version == MODERN

    def facts(self) -> JSONObject:
        server, capabilities = self._client.server_info, self._client.server_capabilities
        return {
            "version": self._client.protocol_version,
            "server": None if server is None else plain(server),
            "capabilities": None if capabilities is None else plain(capabilities),
            "instructions": self._client.instructions,
        }

    async def all_of(self, kind: str) -> list[JSONObject]:
        lists: dict[str, Any] = {
            "tools": self._client.list_tools,
            "prompts": self._client.list_prompts,
            "resources": self._client.list_resources,
            "resourceTemplates": self._client.list_resource_templates,
        }
        return [plain(each) for each in await asked(lists[kind]())]

    async def call(self, name: str, arguments: JSONObject, heard: Progress) -> JSONObject:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard(progress, total, message)

        meta = LOUD if self._is_modern else None
        calling = self._client.call_tool_mcp(name, arguments, progress_handler=hear, meta=meta)
        return plain(await asked(calling))

    async def prompt(self, name: str, arguments: dict[str, str]) -> JSONObject:
        return plain(await asked(self._client.get_prompt_mcp(name, arguments)))

    async def read(self, uri: str) -> JSONObject:
        return plain(await asked(self._client.read_resource_mcp(uri)))

    async def complete(
        self, ref: JSONObject, argument: dict[str, str], context: dict[str, str] | None
    ) -> JSONObject:
        kind = types.PromptReference if "name" in ref else types.ResourceTemplateReference
        completing = self._client.complete_mcp(kind(**ref), argument, context_arguments=context)
        return plain(await asked(completing))

    async def ping(self) -> None:
        self._legacy_only()
        await asked(self._client.ping())

    async def level(self, level: str) -> None:
        self._legacy_only()
        await asked(self._client.set_logging_level(level))

    async def watch(self, uris: list[str]) -> None:
        await watch(self._client.session, uris, self._seen, self._stack)

    async def unwatch(self, uris: list[str]) -> None:
        self._legacy_only()
        for uri in uris:
            await asked(self._client.session.unsubscribe_resource(uri))

    def _legacy_only(self) -> None:
        if self._is_modern:
            raise Unable


@asynccontextmanager
async def connect(target: JSONObject, seen: Seen) -> AsyncIterator[Session]:
    """Connect to the target; the person behind the client answers everything."""

    async def elicit(_message: str, _kind: object, params: Any, context: object) -> Any:
        return ElicitResult(**seen.answer("elicitation/create", plain(params)))

    async def sample(_messages: object, params: Any, context: object) -> Any:
        return types.CreateMessageResult(**seen.answer("sampling/createMessage", plain(params)))

    async def show_roots(context: object) -> list[types.Root]:
        seen.answer("roots/list", {})
        return [types.Root.model_validate(each) for each in ROOTS]

    async def handle(message: object) -> None:
        take_note(message, seen)

    async with AsyncExitStack() as stack:
        client = Client(
            _transport(target),
            mode="auto" if target.get("way") == "modern" else "legacy",
            cache=False,
            elicitation_handler=elicit,
            sampling_handler=sample,
            roots=show_roots,
            message_handler=handle,
        )
        await stack.enter_async_context(client)
        yield Session(client, seen, stack)


def _transport(target: JSONObject) -> Any:
    if "command" in target:
        command, *args = target["command"]
        return StdioTransport(command=command, args=args, keep_alive=False)
    kind = SSETransport if target["way"] == "sse" else StreamableHttpTransport
    return kind(target["url"], headers=target["headers"])


if __name__ == "__main__":
    # What the newest revision deprecates is still spoken with servers of the older ones.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    perform(connect)
