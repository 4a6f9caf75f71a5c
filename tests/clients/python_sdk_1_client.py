"""The official Python SDK 1.x as a client: carries out a plan in an environment of its own."""

# The SDK that our own environment has is another one.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportPrivateImportUsage=false

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from performer import CANCELLED, Answered, Connection, JSONObject, Progress, Seen, perform
from pydantic import AnyUrl, BaseModel


def plain(model: BaseModel) -> JSONObject:
    """Return what a model was made of."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Session(Connection):
    """A session of the SDK."""

    def __init__(self, session: ClientSession, seen: Seen) -> None:
        self.initialized: JSONObject = {}
        self.seen = seen
        self.cancelling = asyncio.Event()
        self.token: str | int | None = None
        self._session = session

    def facts(self) -> JSONObject:
        return {
            "version": self.initialized["protocolVersion"],
            "server": self.initialized["serverInfo"],
            "capabilities": self.initialized["capabilities"],
            "instructions": self.initialized.get("instructions"),
        }

    async def all_of(self, kind: str) -> list[JSONObject]:
        session = self._session
        lists = {
            "tools": session.list_tools,
            "prompts": session.list_prompts,
            "resources": session.list_resources,
            "resourceTemplates": session.list_resource_templates,
        }
        items: list[JSONObject] = []
        params = None
        while True:
            page = await _asked(lists[kind](params=params))
            items += page.get(kind, [])
            if page.get("nextCursor") is None:
                return items
            params = types.PaginatedRequestParams(cursor=page["nextCursor"])

    async def call(self, name: str, arguments: JSONObject, heard: Progress) -> JSONObject:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard(progress, total, message)

        return await _asked(self._session.call_tool(name, arguments, progress_callback=hear))

    async def cancel(self, name: str, arguments: JSONObject) -> JSONObject:
        """Tell the server as well; this SDK leaves that to the program that uses it."""
        self.cancelling.clear()
        calling = asyncio.create_task(self.call(name, arguments, lambda *_: None))
        await self.cancelling.wait()
        params = types.CancelledNotificationParams(requestId=self.token)
        notification = types.CancelledNotification(params=params)
        await self._session.send_notification(types.ClientNotification(notification))
        calling.cancel()
        ended = await asyncio.gather(calling, return_exceptions=True)
        return {"ended": CANCELLED if isinstance(ended[0], asyncio.CancelledError) else str(ended)}

    async def prompt(self, name: str, arguments: dict[str, str]) -> JSONObject:
        return await _asked(self._session.get_prompt(name, arguments))

    async def read(self, uri: str) -> JSONObject:
        return await _asked(self._session.read_resource(AnyUrl(uri)))

    async def complete(
        self, ref: JSONObject, argument: dict[str, str], context: dict[str, str] | None
    ) -> JSONObject:
        kind = types.PromptReference if "name" in ref else types.ResourceTemplateReference
        return await _asked(self._session.complete(kind(**ref), argument, context))

    async def ping(self) -> None:
        await _asked(self._session.send_ping())

    async def level(self, level: str) -> None:
        await _asked(self._session.set_logging_level(level))

    async def watch(self, uris: list[str]) -> None:
        for uri in uris:
            await _asked(self._session.subscribe_resource(AnyUrl(uri)))

    async def unwatch(self, uris: list[str]) -> None:
        for uri in uris:
            await _asked(self._session.unsubscribe_resource(AnyUrl(uri)))

    async def handle(self, message: object) -> None:
        """Take note of what the server says by itself."""
        if not isinstance(message, types.ServerNotification):
            return
        notification = message.root
        if isinstance(notification, types.ProgressNotification):
            self.token = notification.params.progressToken
            self.cancelling.set()
            return
        whole = plain(notification)
        self.seen.hear(whole["method"], whole.get("params") or {})


async def _asked(request: Any) -> JSONObject:
    try:
        return plain(await request)
    except McpError as fault:
        error = fault.error
        raise Answered(error.code, error.message, error.data) from None


@asynccontextmanager
async def connect(target: JSONObject, seen: Seen) -> AsyncIterator[Session]:
    """Open a session with the target; the person behind it answers everything."""

    async def elicit(_context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(**seen.answer("elicitation/create", plain(params)))

    async def sample(
        _context: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        return types.CreateMessageResult(**seen.answer("sampling/createMessage", plain(params)))

    async def show_roots(_context: object) -> types.ListRootsResult:
        return types.ListRootsResult(**seen.answer("roots/list", {}))

    async def handle(message: object) -> None:
        await connection.handle(message)

    async with AsyncExitStack() as stack:
        streams = await _streams(target, stack)
        session = ClientSession(
            *streams[:2],
            elicitation_callback=elicit,
            sampling_callback=sample,
            list_roots_callback=show_roots,
            message_handler=handle,
        )
        connection = Session(session, seen)
        await stack.enter_async_context(session)
        connection.initialized = await _asked(session.initialize())
        yield connection


async def _streams(target: JSONObject, stack: AsyncExitStack) -> tuple[Any, ...]:
    if "command" in target:
        command, *args = target["command"]
        parameters = StdioServerParameters(command=command, args=args)
        return await stack.enter_async_context(stdio_client(parameters))
    if target["way"] == "sse":
        transport = sse_client(target["url"], headers=target["headers"])
        return await stack.enter_async_context(transport)
    http = await stack.enter_async_context(create_mcp_http_client(headers=target["headers"]))
    transport = streamable_http_client(target["url"], http_client=http)
    return await stack.enter_async_context(transport)


if __name__ == "__main__":
    perform(connect)
