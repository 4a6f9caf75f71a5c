"""Listing and calling tools over the MCP endpoint of a gateway, in the modern era.

Source: 2026-07-28, basic/transports/streamable-http.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import httpx2

from interlock import __version__
from interlock.cli.failures import NotAGateway, Refused
from interlock.cli.http import CONNECT_TIMEOUT, BrokenConnection, named_failures
from interlock.errors import TooLarge, UpstreamFailed
from interlock.protocol import jsonrpc
from interlock.protocol.headers import HeaderParam, request_headers
from interlock.protocol.json import JSONObject, as_list, as_object, dumps, loads
from interlock.protocol.sse import EventReader
from interlock.protocol.versions import (
    LATEST_MODERN,
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_VERSION,
)

Hear: TypeAlias = Callable[[str, JSONObject], None]
Answer: TypeAlias = Callable[[JSONObject], JSONObject]

LIST_TIMEOUT = 60.0  # seconds
MAX_ANSWER = 32 * 1024 * 1024  # bytes
MAX_PAGES = 1000
MAX_ROUNDS = 16
ELICITATION: Final[JSONObject] = {"elicitation": {"form": {}, "url": {}}}
_ID = 1


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call to make; `mirrored` arguments go into headers too, `timeout` is seconds of each try."""

    name: str
    arguments: JSONObject
    mirrored: tuple[HeaderParam, ...] = ()
    timeout: float = 300.0


class ToolEndpoint:
    """One MCP endpoint: a project's, or one server's of it."""

    def __init__(self, client: httpx2.Client, url: str) -> None:
        self._client = client
        self._url = url

    def list_tools(self) -> list[JSONObject]:
        """Return all tools as the gateway describes them. Raises RPCError and InterlockError."""
        tools: list[JSONObject] = []
        params: JSONObject = {}
        for _ in range(MAX_PAGES):
            page = self._exchange("tools/list", params, (), _ignore, LIST_TIMEOUT, {})
            found = as_list(page.get("tools")) or []
            tools += [tool for each in found if (tool := as_object(each)) is not None]
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                return tools
            params = {"cursor": cursor}
        raise NotAGateway(f"The list of tools at {self._url} has no end; update the gateway.")

    def call(self, call: ToolCall, hear: Hear, answer: Answer) -> JSONObject:
        """Call a tool and return its result; `hear` is told of notifications meanwhile.

        `answer` is asked what the tool wants to know, as often as it does, and returns the
        `inputResponses`. Raises RPCError and InterlockError.
        """
        params: JSONObject = {"name": call.name, "arguments": call.arguments}
        more: JSONObject = {}
        for _ in range(MAX_ROUNDS):
            result = self._exchange(
                "tools/call", {**params, **more}, call.mirrored, hear, call.timeout, ELICITATION
            )
            if result.get("resultType") != "input_required":
                return result
            more = {"inputResponses": answer(as_object(result.get("inputRequests")) or {})}
            if "requestState" in result:
                more["requestState"] = result["requestState"]
        raise UpstreamFailed(f"{call.name} asked {MAX_ROUNDS} times without an end.")

    def _exchange(
        self,
        method: str,
        params: JSONObject,
        mirrored: tuple[HeaderParam, ...],
        hear: Hear,
        timeout: float,
        capabilities: JSONObject,
    ) -> JSONObject:
        params = {**params, "_meta": _meta(capabilities)}
        headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", LATEST_MODERN),
            *request_headers(method, params, mirrored),
        ]
        with (
            named_failures(self._url),
            self._client.stream(
                "POST",
                self._url,
                headers=headers,
                content=dumps(jsonrpc.request(_ID, method, params)),
                timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT),
            ) as response,
        ):
            chunks = _in_time(response, timeout)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream":
                return self._from_events(chunks, hear)
            return self._from_body(response, b"".join(chunks))

    def _from_events(self, chunks: Iterator[bytes], hear: Hear) -> JSONObject:
        reader = EventReader(MAX_ANSWER)
        for chunk in chunks:
            for event in reader.feed(chunk):
                message = _parsed(event.data)
                method = message.get("method")
                if isinstance(method, str):
                    hear(method, as_object(message.get("params")) or {})
                elif message.get("id") == _ID:
                    return jsonrpc.unwrap(message)
        raise BrokenConnection("The gateway ended its stream before the answer; retry.")

    def _from_body(self, response: httpx2.Response, body: bytes) -> JSONObject:
        message = _parsed(body)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            fault = as_object(message.get("error")) or {}
            why = fault.get("message") or "The gateway refused the key."
            raise Refused(f"{why} Give a key with --key or INTERLOCK_KEY.", "unauthenticated")
        if "result" not in message and "error" not in message:
            raise NotAGateway(
                f"{self._url} answered HTTP {response.status_code} and no MCP message; "
                "correct --url and --project."
            )
        return jsonrpc.unwrap(message)


def _meta(capabilities: JSONObject) -> JSONObject:
    return {
        META_VERSION: LATEST_MODERN,
        META_CLIENT_INFO: {"name": "interlock-cli", "version": __version__},
        META_CAPABILITIES: capabilities,
        "progressToken": _ID,
    }


def _in_time(response: httpx2.Response, timeout: float) -> Iterator[bytes]:
    """Yield the body's chunks, as far as they come before the deadline and below the limit."""
    deadline = time.monotonic() + timeout
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER:
            raise TooLarge(f"The answer is larger than {MAX_ANSWER} bytes; ask for less at once.")
        if time.monotonic() > deadline:
            raise BrokenConnection(
                f"No answer came within {timeout:g} seconds; allow more time with --timeout."
            )
        yield chunk


def _parsed(data: bytes) -> JSONObject:
    try:
        return as_object(loads(data)) or {}
    except ValueError:
        return {}


def _ignore(_method: str, _params: JSONObject) -> None:
    """A list has no news."""
