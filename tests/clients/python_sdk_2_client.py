"""The official Python SDK 2.x as a client: carries out a plan in either era."""

import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import mcp_types as types
from mcp import StdioServerParameters, stdio_client
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning
from performer import Connection, JSONObject, Progress, Seen, Unable, perform
from sdk_2 import MODERN, asked, plain, take_note, watch

LEVEL = "debug"


class Session(Connection):
    """The SDK's client while it is connected."""

    def __init__(self, client: Client, seen: Seen, stack: AsyncExitStack) -> None:
        self._client = client
        self._seen = seen
        self._stack = stack

    @property
    def _is_modern(self) -> bool:
        return self._client.protocol_version == MODERN

    def facts(self) -> JSONObject:
        server = self._client.server_info
        return {
            "version": self._client.protocol_version,
            "server": None if server is None else plain(server),
            "capabilities": plain(self._client.server_capabilities),
            "instructions": self._client.instructions,
        }

    async def all_of(self, kind: str) -> list[JSONObject]:
        lists: dict[str, Any] = {
            "tools": self._client.list_tools,
            "prompts": self._client.list_prompts,
            "resources": self._client.list_resources,
            "resourceTemplates": self._client.list_resource_templates,
        }
        items: list[JSONObject] = []
        cursor = None
        while True:
            page = plain(await asked(lists[kind](cursor=cursor)))
            items += page.get(kind, [])
            cursor = page.get("nextCursor")
            if cursor is None:
                return items

    async def call(self, name: str, arguments: JSONObject, heard: Progress) -> JSONObject:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard(progress, total, message)

        return plain(await asked(self._client.call_tool(name, arguments, progress_callback=hear)))

    async def prompt(self, name: str, arguments: dict[str, str]) -> JSONObject:
        return plain(await asked(self._client.get_prompt(name, arguments)))

    async def read(self, uri: str) -> JSONObject:
        return plain(await asked(self._client.read_resource(uri)))

    async def complete(
        self, ref: JSONObject, argument: dict[str, str], context: dict[str, str] | None
    ) -> JSONObject:
        kind = types.PromptReference if "name" in ref else types.ResourceTemplateReference
        return plain(
            await asked(self._client.complete(kind(**ref), argument, context_arguments=context))
        )

    async def ping(self) -> None:
        self._legacy_only()
        await asked(self._client.send_ping())

    async def level(self, level: str) -> None:
        self._legacy_only()
        await asked(self._client.set_logging_level(level))  # type: ignore[reportArgumentType]

    async def watch(self, uris: list[str]) -> None:
        await watch(self._client.session, uris, self._seen, self._stack)

    async def unwatch(self, uris: list[str]) -> None:
        self._legacy_only()
        for uri in uris:
            await asked(self._client.unsubscribe_resource(uri))

    def _legacy_only(self) -> None:
        if self._is_modern:
            raise Unable


@asynccontextmanager
async def connect(target: JSONObject, seen: Seen) -> AsyncIterator[Session]:
    """Connect to the target; the person behind the client answers everything."""

    async def elicit(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(**seen.answer("elicitation/create", plain(params)))

    async def sample(
        context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        return types.CreateMessageResult(**seen.answer("sampling/createMessage", plain(params)))

    async def show_roots(context: object) -> types.ListRootsResult:
        return types.ListRootsResult(**seen.answer("roots/list", {}))

    async def handle(message: object) -> None:
        take_note(message, seen)

    async with AsyncExitStack() as stack:
        client = Client(
            await _transport(target, stack),
            mode="auto" if target.get("way") == "modern" else "legacy",
            cache=None,
            elicitation_callback=elicit,
            sampling_callback=sample,
            list_roots_callback=show_roots,
            message_handler=handle,
            log_level=LEVEL,
        )
        await stack.enter_async_context(client)
        yield Session(client, seen, stack)


async def _transport(target: JSONObject, stack: AsyncExitStack) -> Any:
    if "command" in target:
        command, *args = target["command"]
        return stdio_client(StdioServerParameters(command=command, args=args))
    if target["way"] == "sse":
        return sse_client(target["url"], headers=target["headers"])
    http = await stack.enter_async_context(create_mcp_http_client(headers=target["headers"]))
    return streamable_http_client(target["url"], http_client=http)


if __name__ == "__main__":
    # What the newest revision deprecates is still spoken with servers of the older ones.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    perform(connect)
