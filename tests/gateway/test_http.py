"""The pieces of HTTP on plain ASGI: headers, bodies within limits, refusals, clients that leave."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from interlock.errors import (
    Forbidden,
    InterlockError,
    RPCError,
    TooLarge,
    TooMany,
    Unauthenticated,
    UpstreamTimeout,
)
from interlock.gateway import http
from interlock.gateway.http import (
    ClientGone,
    MethodNotAllowed,
    UnsupportedMediaType,
    check_content_type,
    headers_of,
    read_body,
    send_body,
    send_failure,
    send_part,
    until_gone,
)

DEADLINE = 60.0  # seconds; the machine may be slow
LIMIT = 10
GONE = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Wire:
    """Both directions of one exchange: what is received by script, and all that was sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self._messages = list(messages)

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def unread(self) -> int:
        return len(self._messages)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def test_headers_are_read_without_the_white_space_around_them() -> None:
    raw = [(b"a", b" 1\t"), (b"b", b"\xe9"), (b"c", b"")]

    assert headers_of({"headers": raw}) == {"a": "1", "b": "é", "c": ""}


def test_a_repeated_header_is_seen_whole() -> None:
    raw = [(b"authorization", b"Bearer a"), (b"x", b"y"), (b"authorization", b"Bearer b ")]

    assert headers_of({"headers": raw}) == {"authorization": "Bearer a, Bearer b", "x": "y"}


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([part(b"", more=False)], b""),
        ([part(b"0123456789", more=False)], b"0123456789"),
        ([part(b"01"), part(b""), part(b"23"), part(b"", more=False)], b"0123"),
        ([{"type": "http.request"}], b""),
    ],
)
async def test_a_body_is_read_to_its_end(messages: list[dict[str, Any]], body: bytes) -> None:
    assert await read_body({}, Wire(*messages).receive, LIMIT) == body


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"x" * 11, more=False)],
        [part(b"x" * 10), part(b"x", more=False)],
        [part(b"x" * 11), part(b"x" * 11), part(b"", more=False)],
    ],
)
async def test_a_body_over_the_limit_is_refused_after_it_was_read(
    messages: list[dict[str, Any]],
) -> None:
    wire = Wire(*messages)

    with pytest.raises(TooLarge, match="10 bytes"):
        await read_body({}, wire.receive, LIMIT)

    assert wire.unread == 0


async def test_an_endless_body_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_DRAINED", 100)
    wire = Wire(*[part(b"x" * 20)] * 50)

    with pytest.raises(TooLarge):
        await read_body({}, wire.receive, LIMIT)

    assert wire.unread >= 40


@pytest.mark.parametrize("announced", ["11", "999999999999999999", "9" * 100, "9" * 5000])
async def test_an_announced_length_over_the_limit_is_refused(announced: str) -> None:
    wire = Wire(part(b"x", more=False))

    with pytest.raises(TooLarge):
        await read_body({"content-length": announced}, wire.receive, LIMIT)


async def test_a_client_that_waits_for_our_consent_is_refused_without_its_body() -> None:
    wire = Wire(part(b"x", more=False))
    headers = {"content-length": "11", "expect": "100-continue"}

    with pytest.raises(TooLarge):
        await read_body(headers, wire.receive, LIMIT)

    assert wire.unread == 1


@pytest.mark.parametrize("announced", ["", "x", "-1", "10", "²", "٣", "5, 5", "1e9"])
async def test_an_announced_length_is_no_more_than_a_hint(announced: str) -> None:
    wire = Wire(part(b"abc", more=False))

    assert await read_body({"content-length": announced}, wire.receive, LIMIT) == b"abc"


@pytest.mark.parametrize("messages", [[GONE], [part(b"abc"), GONE]])
async def test_a_client_that_leaves_before_its_body_is_whole_is_gone(
    messages: list[dict[str, Any]],
) -> None:
    with pytest.raises(ClientGone):
        await read_body({}, Wire(*messages).receive, LIMIT)


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json ;",
    ],
)
def test_json_is_taken_with_any_parameters(value: str) -> None:
    check_content_type({"content-type": value})


@pytest.mark.parametrize(
    "value", ["", "text/plain", "application/jsonx", "text/json, application/json"]
)
def test_all_else_is_no_json(value: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refused:
        check_content_type({"content-type": value} if value else {})

    assert refused.value.status == 415


async def test_a_whole_answer_says_its_length() -> None:
    wire = Wire()

    await send_body(wire.send, 202, b"ok", [(b"x", b"y")])

    assert wire.sent == [
        {
            "type": "http.response.start",
            "status": 202,
            "headers": [(b"x", b"y"), (b"content-length", b"2")],
        },
        {"type": "http.response.body", "body": b"ok"},
    ]


@pytest.mark.parametrize(
    ("fault", "status", "code", "headers"),
    [
        (Forbidden("No."), 403, -31403, {}),
        (Unauthenticated("Who?"), 401, -31401, {b"www-authenticate": b'Bearer realm="interlock"'}),
        (TooMany("Slow.", retry_after=0.2), 429, -31429, {b"retry-after": b"1"}),
        (TooMany("Slow.", retry_after=12), 429, -31429, {b"retry-after": b"12"}),
        (TooLarge("Big."), 413, -31413, {b"connection": b"close"}),
        (MethodNotAllowed("PUT?"), 405, -32602, {b"allow": b"POST"}),
        (MethodNotAllowed("PUT?", allow="GET"), 405, -32602, {b"allow": b"GET"}),
        (UpstreamTimeout("Late."), 504, -31504, {}),
        (RPCError(-32000, "Theirs"), 200, -32000, {}),
    ],
)
async def test_a_refusal_is_a_json_rpc_error_with_its_status(
    fault: InterlockError | RPCError, status: int, code: int, headers: dict[bytes, bytes]
) -> None:
    wire = Wire()

    assert await send_failure(wire.send, fault, 7, "r-1") == status

    assert wire.sent[0]["status"] == status
    body = json.loads(wire.sent[1]["body"])
    assert (body["id"], body["error"]["code"]) == (7, code)
    assert body["error"]["message"] == fault.message
    common = {b"content-type", b"x-request-id", b"content-length"}
    assert wire.headers[b"x-request-id"] == b"r-1"
    assert {name: value for name, value in wire.headers.items() if name not in common} == headers


async def test_a_refusal_of_an_unreadable_request_has_no_id() -> None:
    wire = Wire()

    await send_failure(wire.send, Forbidden("No."), None, "r-1")

    assert "id" not in json.loads(wire.sent[1]["body"])


async def test_a_reply_that_ends_while_the_client_stays_is_whole() -> None:
    wire = Wire(part(b"", more=False))

    async def reply() -> None:
        await send_part(wire.send, b"a")

    assert await until_gone(wire.receive, reply())
    assert wire.sent == [{"type": "http.response.body", "body": b"a", "more_body": True}]


async def test_a_reply_is_stopped_when_the_client_leaves() -> None:
    stopped = asyncio.Event()

    async def reply() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with asyncio.timeout(DEADLINE):
        assert not await until_gone(Wire(part(b"x"), GONE).receive, reply())

    assert stopped.is_set()


async def test_a_reply_that_fails_fails_its_caller() -> None:
    async def reply() -> None:
        raise Forbidden("No.")

    with pytest.raises(Forbidden):
        await until_gone(Wire().receive, reply())


async def test_cancelling_the_caller_stops_the_reply() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def reply() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    waiting = asyncio.create_task(until_gone(Wire().receive, reply()))
    async with asyncio.timeout(DEADLINE):
        await begun.wait()
        waiting.cancel()
        await asyncio.wait({waiting})

    assert waiting.cancelled()
    assert stopped.is_set()
