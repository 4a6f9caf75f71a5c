"""JSON-RPC envelopes: what is read as which message, what is refused, and what is written."""

import json
from typing import Any

import pytest

from interlock.errors import BadMessage, NotFound, RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import HostileJSON, JSONObject
from interlock.protocol.jsonrpc import Notification, Request, Response


@pytest.mark.parametrize("request_id", [1, 0, -5, "", "a", "1"])
def test_a_method_with_an_id_is_a_request(request_id: Any) -> None:
    message = jsonrpc.request(request_id, "tools/call", {"name": "add"})

    assert Request(request_id, "tools/call", {"name": "add"}) == jsonrpc.read(message)


def test_a_method_without_an_id_is_a_notification() -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

    assert Notification("notifications/initialized", {}) == jsonrpc.parse(body)


@pytest.mark.parametrize("outcome", [{"result": {}}, {"error": {"code": 1, "message": "no"}}])
def test_an_id_with_a_result_or_an_error_is_a_response(outcome: JSONObject) -> None:
    message = {"jsonrpc": "2.0", "id": 7, **outcome}

    assert Response(7, message) == jsonrpc.read(message)


def test_a_batch_is_read_message_by_message_where_it_may_be_one() -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    body = json.dumps([ping, {"jsonrpc": "2.0", "method": "notifications/x"}]).encode()

    assert jsonrpc.parse_any(body) == [Request(1, "ping", {}), Notification("notifications/x", {})]
    assert jsonrpc.parse_any(json.dumps(ping).encode()) == Request(1, "ping", {})


@pytest.mark.parametrize("count", [0, jsonrpc.MAX_BATCH + 1])
def test_a_batch_of_none_or_too_many_is_refused(count: int) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    with pytest.raises(BadMessage, match=f"1 to {jsonrpc.MAX_BATCH} messages"):
        jsonrpc.parse_any(json.dumps([ping] * count).encode())


def test_params_may_be_left_out() -> None:
    assert Request(1, "ping", {}) == jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ([], "Batches"),
        ([{"jsonrpc": "2.0", "id": 1, "method": "ping"}], "Batches"),
        (None, "JSON object"),
        ("ping", "JSON object"),
        ({}, "JSON object"),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, "JSON object"),
        ({"jsonrpc": 2.0, "id": 1, "method": "ping"}, "JSON object"),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, '"method"'),
        ({"jsonrpc": "2.0", "id": 1, "method": ["ping"]}, '"method"'),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, '"params"'),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": None}, '"params"'),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, '"id"'),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, '"id"'),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, '"id"'),
        ({"jsonrpc": "2.0", "id": [1], "method": "ping"}, '"id"'),
        ({"jsonrpc": "2.0", "id": {}, "result": {}}, '"id"'),
        ({"jsonrpc": "2.0", "result": {}}, '"id"'),
        ({"jsonrpc": "2.0", "id": 1}, "exactly one"),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, "exactly one"),
    ],
)
def test_what_is_no_message_is_refused_by_the_name_of_its_fault(message: Any, fault: str) -> None:
    with pytest.raises(BadMessage, match=fault) as refused:
        jsonrpc.read(message)

    assert refused.value.rpc_code == jsonrpc.INVALID_REQUEST


def test_a_body_that_is_not_json_is_a_parse_error() -> None:
    with pytest.raises(HostileJSON) as refused:
        jsonrpc.parse(b"{")

    assert refused.value.rpc_code == jsonrpc.PARSE_ERROR


def test_requests_and_notifications_leave_out_params_that_are_not_there() -> None:
    assert jsonrpc.request(1, "ping", None) == {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert jsonrpc.request(1, "m", {}) == {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {}}
    assert jsonrpc.notification("n", {}) == {"jsonrpc": "2.0", "method": "n"}
    assert jsonrpc.notification("n", {"a": 1}) == {
        "jsonrpc": "2.0",
        "method": "n",
        "params": {"a": 1},
    }


def test_an_error_leaves_out_the_id_and_the_data_that_are_not_there() -> None:
    assert jsonrpc.error(None, 1, "no") == {"jsonrpc": "2.0", "error": {"code": 1, "message": "no"}}
    assert jsonrpc.error(0, 1, "no", []) == {
        "jsonrpc": "2.0",
        "id": 0,
        "error": {"code": 1, "message": "no", "data": []},
    }


def test_our_refusals_and_a_servers_own_errors_are_told_alike() -> None:
    ours = jsonrpc.failure(1, NotFound("There is no such thing."))
    theirs = jsonrpc.failure("a", RPCError(-32000, "Broken", {"why": "x"}))

    assert ours["error"] == {"code": -32602, "message": "There is no such thing."}
    assert theirs["error"] == {"code": -32000, "message": "Broken", "data": {"why": "x"}}


def test_the_result_of_an_answer_is_unwrapped() -> None:
    assert jsonrpc.unwrap(jsonrpc.result(1, {"a": 1})) == {"a": 1}


def test_the_error_of_an_answer_is_raised_as_it_came() -> None:
    with pytest.raises(RPCError) as raised:
        jsonrpc.unwrap(jsonrpc.error(1, -32001, "No", {"a": [1]}))

    error = raised.value
    assert (error.code, error.message, error.data) == (-32001, "No", {"a": [1]})


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "text"},
        {"error": None},
        {"error": {}},
        {"error": {"code": "x", "message": 5}},
        {},
        {"result": None},
        {"result": [1]},
    ],
)
def test_an_answer_that_breaks_the_rules_is_an_internal_error(answer: JSONObject) -> None:
    with pytest.raises(RPCError) as raised:
        jsonrpc.unwrap({"jsonrpc": "2.0", "id": 1, **answer})

    assert raised.value.code == jsonrpc.INTERNAL_ERROR
    assert raised.value.message
