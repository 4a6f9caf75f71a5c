"""An MCP server that offers all that the official conformance suite asks for, in both eras.

It runs as a program, over Streamable HTTP (`--port N`) or over stdio (`--stdio`).
"""

import argparse
import logging
import socket
import sys
import warnings
from typing import Any, get_args

import anyio
import mcp_types as types
import uvicorn
from fixture_call import (
    Call,
    FixtureState,
    FixtureTool,
    JsonObject,
    RequestContext,
    ToolAnswer,
    ToolError,
    connection_key,
    is_modern,
    text_result,
)
from fixture_content import (
    EXTRA_PROMPT,
    PROMPTS,
    RESOURCES,
    TEMPLATES,
    FixturePrompt,
    PromptAnswer,
    complete,
    read,
)
from fixture_eras import Era, LegacyOnly, ModernOnly, modern_only
from fixture_events import EventLog
from fixture_inputs import INPUTS
from fixture_tools import EXTRA_TOOL, TOOLS
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from starlette.types import ASGIApp

NAME = "interlock-fixture"
RESOURCE_NOT_FOUND = -32002
RETRY_MILLISECONDS = 100
CACHE_HINTS: dict[CacheableMethod, CacheHint] = dict.fromkeys(
    get_args(CacheableMethod), CacheHint(ttl_ms=1000, scope="public")
)


class Fixture:
    """Answers every method with what the other fixture modules define."""

    def __init__(self) -> None:
        self._state = FixtureState()

    def listen_handler(self) -> ListenHandler:
        """Serve subscriptions to the changes that the tools cause."""
        return ListenHandler(self._state.bus)

    def input_schema(self, name: str) -> JsonObject | None:
        """Look up the schema by which a call's mirrored headers are checked."""
        tool = self._tools().get(name)
        return None if tool is None else tool.listing.input_schema

    async def list_tools(self, _ctx: RequestContext, _params: object) -> types.ListToolsResult:
        """Answer `tools/list`."""
        return types.ListToolsResult(tools=[tool.listing for tool in self._tools().values()])

    async def call_tool(
        self, ctx: RequestContext, params: types.CallToolRequestParams
    ) -> ToolAnswer:
        """Answer `tools/call`."""
        tool = self._tools().get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
        arguments = params.arguments or {}
        try:
            tool.check_arguments(arguments)
            return await tool.run(Call(ctx, self._state, params, arguments))
        except ToolError as error:
            return text_result(str(error), is_error=True)

    async def list_prompts(self, _ctx: RequestContext, _params: object) -> types.ListPromptsResult:
        """Answer `prompts/list`."""
        prompts = [prompt.listing for prompt in self._prompts().values()]
        return types.ListPromptsResult(prompts=prompts)

    async def get_prompt(
        self, ctx: RequestContext, params: types.GetPromptRequestParams
    ) -> PromptAnswer:
        """Answer `prompts/get`."""
        prompt = self._prompts().get(params.name)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
        arguments: JsonObject = dict(params.arguments or {})
        missing = {each.name for each in prompt.listing.arguments or ()} - arguments.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise MCPError(types.INVALID_PARAMS, f"Missing arguments: {names}")
        try:
            return await prompt.run(Call(ctx, self._state, params, arguments))
        except ToolError as error:
            raise MCPError(types.INVALID_REQUEST, str(error)) from error

    async def list_resources(
        self, _ctx: RequestContext, _params: object
    ) -> types.ListResourcesResult:
        """Answer `resources/list`."""
        return types.ListResourcesResult(resources=[listing for listing, _ in RESOURCES.values()])

    async def list_templates(
        self, _ctx: RequestContext, _params: object
    ) -> types.ListResourceTemplatesResult:
        """Answer `resources/templates/list`."""
        return types.ListResourceTemplatesResult(resource_templates=TEMPLATES)

    async def read_resource(
        self, ctx: RequestContext, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Answer `resources/read`."""
        contents = read(params.uri)
        if contents is None:
            code = types.INVALID_PARAMS if is_modern(ctx) else RESOURCE_NOT_FOUND
            raise MCPError(code, "Resource not found", {"uri": params.uri})
        return types.ReadResourceResult(contents=[contents])

    async def complete(
        self, _ctx: RequestContext, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Answer `completion/complete`."""
        return types.CompleteResult(completion=complete(params.argument.value))

    async def subscribe(
        self, ctx: RequestContext, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/subscribe`."""
        self._state.watched.setdefault(params.uri, set()).add(connection_key(ctx))
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: RequestContext, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Answer `resources/unsubscribe`."""
        self._state.watched.get(params.uri, set()).discard(connection_key(ctx))
        return types.EmptyResult()

    async def set_log_level(
        self, ctx: RequestContext, params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        """Answer `logging/setLevel`."""
        self._state.log_levels[connection_key(ctx)] = params.level
        return types.EmptyResult()

    async def initialized(self, ctx: RequestContext, _params: object) -> None:
        """Remember a handshake-era client, to tell it of changes later."""
        if not is_modern(ctx):
            self._state.sessions[connection_key(ctx)] = ctx.session

    def _tools(self) -> dict[str, FixtureTool]:
        extra = {EXTRA_TOOL.listing.name: EXTRA_TOOL} if self._state.lists_extra_tool else {}
        return TOOLS.tools | INPUTS.tools | extra

    def _prompts(self) -> dict[str, FixturePrompt]:
        extra = {EXTRA_PROMPT.listing.name: EXTRA_PROMPT} if self._state.lists_extra_prompt else {}
        return PROMPTS | extra


class FixtureServer(Server[dict[str, Any]]):
    """Declares to handshake-era clients, too, that its lists change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Fill in the notifications that the fixture sends."""
        changes = NotificationOptions(prompts_changed=True, tools_changed=True)
        return super().create_initialization_options(
            notification_options or changes, experimental_capabilities, extensions
        )


def build_server() -> FixtureServer:
    """Wire the fixture to the SDK's server."""
    fixture = Fixture()
    server = FixtureServer(
        NAME,
        version="1.0.0",
        title="Interlock fixture",
        instructions="A server for tests.",
        cache_hints=CACHE_HINTS,
        get_tool_input_schema=fixture.input_schema,
        on_list_tools=fixture.list_tools,
        on_call_tool=fixture.call_tool,
        on_list_prompts=fixture.list_prompts,
        on_get_prompt=fixture.get_prompt,
        on_list_resources=fixture.list_resources,
        on_list_resource_templates=fixture.list_templates,
        on_read_resource=fixture.read_resource,
        on_subscribe_resource=fixture.subscribe,
        on_unsubscribe_resource=fixture.unsubscribe,
        on_subscriptions_listen=fixture.listen_handler(),
        on_completion=fixture.complete,
    )
    server.add_request_handler(
        "logging/setLevel", types.SetLevelRequestParams, fixture.set_log_level
    )
    server.add_notification_handler(
        "notifications/initialized", types.NotificationParams, fixture.initialized
    )
    server.middleware.append(
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME)
    )
    return server


class AnnouncingServer(uvicorn.Server):
    """Says on stderr where it listens, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then announce the address."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        sys.stderr.write(f"listening on http://{self.config.host}:{port}/mcp\n")
        sys.stderr.flush()


async def serve_http(era: Era, host: str, port: int) -> None:
    """Serve Streamable HTTP until the process is told to stop."""
    app: ASGIApp = build_server().streamable_http_app(
        host=host, event_store=EventLog(), retry_interval=RETRY_MILLISECONDS
    )
    if era is Era.LEGACY:
        app = LegacyOnly(app)
    elif era is Era.MODERN:
        app = ModernOnly(app)
    # The other parser leaves spaces behind header values, which then fail to match the body.
    config = uvicorn.Config(
        app, host=host, port=port, http="h11", log_level="warning", timeout_graceful_shutdown=1
    )
    await AnnouncingServer(config).serve()


async def serve_stdio(era: Era) -> None:
    """Serve the one client at the other end of stdin and stdout until it hangs up."""
    server = build_server()
    options = server.create_initialization_options()
    async with stdio_server() as (received, sent):
        if era is Era.LEGACY:
            async with server.lifespan(server) as state:
                await serve_loop(server, received, sent, lifespan_state=state)
        elif era is Era.MODERN:
            async with modern_only(received, sent.send) as stateless:
                await server.run(stateless, sent, options)
        else:
            await server.run(received, sent, options)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="An MCP server for tests.")
    transport = parser.add_mutually_exclusive_group(required=True)
    transport.add_argument("--port", type=int, help="serve Streamable HTTP; 0 takes a free port")
    transport.add_argument("--stdio", action="store_true", help="serve stdin and stdout")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--era", type=Era, choices=list(Era), default=Era.BOTH)
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # The suite still asks for what the newest revision deprecates.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    if arguments.stdio:
        anyio.run(serve_stdio, arguments.era)
    else:
        anyio.run(serve_http, arguments.era, arguments.host, arguments.port)


if __name__ == "__main__":
    main()
