"""The call that a dropped line answered is found by the envelope's own id, never by another."""

import json
from typing import Any

import pytest

from interlock.station.framing import LineSplitter, Oversized
from interlock.station.oversized import AnswerTooLarge, answered_id, is_answer

RESULT = {"text": "x" * 5000}


def dropped(message: Any) -> Oversized:
    line = message if isinstance(message, bytes) else json.dumps(message).encode()
    (only,) = LineSplitter(4000).feed(line + b"\n")
    assert isinstance(only, Oversized)
    return only


@pytest.mark.parametrize("request_id", [0, 17, -3, 2**60, "abc", 'say "hi"', "é\\"])
@pytest.mark.parametrize(
    "order",
    [
        ("jsonrpc", "id", "result"),
        ("id", "jsonrpc", "result"),
        ("id", "result", "jsonrpc"),
        ("jsonrpc", "result", "id"),
        ("result", "id", "jsonrpc"),
        ("result", "jsonrpc", "id"),
    ],
)
def test_the_id_is_found_in_every_order_of_members(
    request_id: str | int, order: tuple[str, ...]
) -> None:
    whole = {"jsonrpc": "2.0", "id": request_id, "result": RESULT}
    line = dropped({member: whole[member] for member in order})

    assert is_answer(line)
    assert answered_id(line) == request_id


def test_an_error_is_an_answer_too() -> None:
    error = {"code": -1, "message": "m" * 5000}

    assert answered_id(dropped({"jsonrpc": "2.0", "id": 4, "error": error})) == 4


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": RESULT},
        {"method": "sampling/createMessage", "params": RESULT, "jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "method": "notifications/message", "params": RESULT},
        {"params": {"result": 1, "id": 3, "text": "x" * 5000}},
        b"noise " * 1000,
        b"[" * 5000,
    ],
)
def test_requests_and_noise_answer_nothing(message: Any) -> None:
    line = dropped(message)

    assert not is_answer(line)
    assert answered_id(line) is None


def test_an_id_inside_the_result_is_not_taken() -> None:
    line = dropped({"jsonrpc": "2.0", "result": {"items": [RESULT, {"a": 1, "id": 5}]}})

    assert is_answer(line)
    assert answered_id(line) is None


def test_the_message_names_sizes_and_the_cure() -> None:
    assert AnswerTooLarge("demo", size=50, limit=40).message == (
        "Server `demo` answered with 50 bytes, and at most 40 are read; "
        "ask for less at once, or raise INTERLOCK_STATION__MAX_LINE."
    )
