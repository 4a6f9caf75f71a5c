"""What a fixture tool or prompt is handed: the request, the client's era, and a way to ask it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, get_args

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

RequestContext = ServerRequestContext[Any, Any]
JsonObject = dict[str, Any]

LOG_LEVELS: tuple[types.LoggingLevel, ...] = get_args(types.LoggingLevel)
NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}}


class ToolError(Exception):
    """A failure that the caller reads in the tool's result, not as a protocol error."""


@dataclass(frozen=True, slots=True)
class InputKind:
    """How one kind of input request is answered, and what the client declares to offer it."""

    capability: str
    answer: type[BaseModel]
    telltale: str


INPUT_KINDS = {
    "elicitation/create": InputKind("elicitation", types.ElicitResult, "action"),
    "sampling/createMessage": InputKind("sampling", types.CreateMessageResult, "role"),
    "roots/list": InputKind("roots", types.ListRootsResult, "roots"),
}


def is_modern(ctx: RequestContext) -> bool:
    """Tell whether the request came in the stateless era."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def connection_key(ctx: RequestContext) -> str:
    """Name the handshake-era connection that a request belongs to."""
    return "stdio" if ctx.request is None else ctx.request.headers.get("mcp-session-id", "")


@dataclass(slots=True)
class FixtureState:
    """What outlives a request: who listens, who watches what, and which extras are listed."""

    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    sessions: dict[str, ServerSession] = field(default_factory=dict)
    watched: dict[str, set[str]] = field(default_factory=dict)
    log_levels: dict[str, types.LoggingLevel] = field(default_factory=dict)
    lists_extra_tool: bool = False
    lists_extra_prompt: bool = False

    async def toggle_extra_tool(self) -> None:
        """List the extra tool or hide it again, and tell every listener."""
        self.lists_extra_tool = not self.lists_extra_tool
        await self._announce(ToolsListChanged(), ServerSession.send_tool_list_changed)

    async def toggle_extra_prompt(self) -> None:
        """List the extra prompt or hide it again, and tell every listener."""
        self.lists_extra_prompt = not self.lists_extra_prompt
        await self._announce(PromptsListChanged(), ServerSession.send_prompt_list_changed)

    async def resource_changed(self, uri: str) -> None:
        """Tell those who subscribed to `uri` that it changed."""
        watchers = self.watched.get(uri, set())
        await self._announce(
            ResourceUpdated(uri=uri), lambda session: session.send_resource_updated(uri), watchers
        )

    async def _announce(
        self,
        event: ServerEvent,
        send: Callable[[ServerSession], Awaitable[None]],
        only: set[str] | None = None,
    ) -> None:
        await self.bus.publish(event)
        for key, session in list(self.sessions.items()):
            if only is None or key in only:
                # A client that has left is no reason to fail the call that caused the change.
                with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    await send(session)


@dataclass(frozen=True, slots=True)
class Call:
    """One `tools/call` or `prompts/get`, the same to its handler in either era."""

    ctx: RequestContext
    state: FixtureState
    params: types.InputResponseRequestParams
    arguments: JsonObject

    @property
    def modern(self) -> bool:
        """Whether the client speaks the stateless era."""
        return is_modern(self.ctx)

    def declares(self, capability: str) -> bool:
        """Tell whether the client offers `capability`."""
        declared = self.ctx.session.client_capabilities
        return declared is not None and getattr(declared, capability) is not None

    def require(self, *capabilities: str) -> None:
        """Refuse the call unless the client offers all of `capabilities`."""
        missing = [name for name in capabilities if not self.declares(name)]
        if not missing:
            return
        message = f"The client does not declare {' and '.join(missing)}."
        if not self.modern:
            raise ToolError(message)
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message,
            {"requiredCapabilities": {name: {} for name in missing}},
        )

    async def log(self, data: str) -> None:
        """Send an informational log message on this request's own stream."""
        threshold = self.state.log_levels.get(connection_key(self.ctx), "debug")
        if self.modern or LOG_LEVELS.index(threshold) <= LOG_LEVELS.index("info"):
            await self.ctx.session.send_log_message(
                "info", data, logger="fixture", related_request_id=self.ctx.request_id
            )

    async def ask(
        self, requests: Mapping[str, types.InputRequest], *, remembering: bool = False
    ) -> dict[str, JsonObject] | types.InputRequiredResult:
        """Get the client's answers, or the result that sends the client off to collect them.

        A handshake-era client is asked while the call waits. A stateless one is given an
        `InputRequiredResult` to return with; `remembering` puts the answers of earlier rounds
        into its request state, so that every round asks only for what is still missing.
        """
        self.require(*sorted({INPUT_KINDS[each.method].capability for each in requests.values()}))
        if not self.modern:
            return {key: await self._ask_now(request) for key, request in requests.items()}

        answers: dict[str, JsonObject] = json.loads(self.params.request_state or "{}")
        answers.update(
            (key, _as_json(answer)) for key, answer in (self.params.input_responses or {}).items()
        )
        missing = {
            key: request
            for key, request in requests.items()
            if INPUT_KINDS[request.method].telltale not in answers.get(key, {})
        }
        if not missing:
            return answers
        return types.InputRequiredResult(
            input_requests=missing if remembering else dict(requests),
            request_state=json.dumps(answers) if remembering else None,
        )

    async def _ask_now(self, request: types.InputRequest) -> JsonObject:
        answer = await self.ctx.session.send_request(
            request,
            INPUT_KINDS[request.method].answer,
            metadata=ServerMessageMetadata(related_request_id=self.ctx.request_id),
        )
        return _as_json(answer)


ToolAnswer = types.CallToolResult | types.InputRequiredResult
ToolHandler = Callable[[Call], Awaitable[ToolAnswer]]


@dataclass(frozen=True, slots=True)
class FixtureTool:
    """A tool as it is listed, with what it does."""

    listing: types.Tool
    run: ToolHandler

    def check_arguments(self, arguments: JsonObject) -> None:
        """Refuse a call that leaves out a required argument."""
        missing = set(self.listing.input_schema.get("required", ())) - arguments.keys()
        if missing:
            raise ToolError(f"Missing arguments: {', '.join(sorted(missing))}")


@dataclass(frozen=True, slots=True)
class Toolset:
    """Tools in the order in which they were written down."""

    tools: dict[str, FixtureTool] = field(default_factory=dict)

    def tool(
        self,
        description: str,
        *,
        schema: JsonObject = NO_ARGUMENTS,
        output_schema: JsonObject | None = None,
    ) -> Callable[[ToolHandler], ToolHandler]:
        """Add the decorated handler under its own name."""

        def add(run: ToolHandler) -> ToolHandler:
            name = getattr(run, "__name__", "")
            listing = types.Tool(
                name=name,
                description=description,
                input_schema=schema,
                output_schema=output_schema,
            )
            self.tools[name] = FixtureTool(listing, run)
            return run

        return add


def text_result(text: str, *, is_error: bool = False) -> types.CallToolResult:
    """Build a tool's result out of one piece of text."""
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)


def _as_json(model: BaseModel) -> JsonObject:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
