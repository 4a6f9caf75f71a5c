"""`interlock tools`."""

import io
import sys

import pytest

from interlock.cli.arguments import read_arguments
from interlock.errors import BadInput
from tests.cli.conftest import Interlock
from tests.cli.contract import ADD, Contract

SCHEMA = {
    "properties": {
        "text": {"type": "string"},
        "maybe": {"type": ["string", "null"]},
        "number": {"type": "integer"},
    }
}


def test_tools_are_listed_with_their_first_line(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("tools", "list")

    assert ended.out.splitlines()[1].split(maxsplit=1) == ["calc__add", "Adds two numbers."]
    assert interlock("tools", "list", "--json").document == {"tools": [ADD]}


def test_a_call_prints_text_and_structured_content(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("tools", "call", "calc__add", "a=2", "b=3", "note=7")

    assert ended.status == 0
    assert ended.out == 'The sum is 5.\n{\n  "sum": 5,\n  "note": "n"\n}\n'
    assert ended.err == "info: Working on it.\n"
    (body,) = [each[2] for each in contract.asked if each[2]["method"] == "tools/call"]
    assert body["params"]["arguments"] == {"a": 2, "b": 3, "note": "7"}


def test_a_call_carries_the_headers_that_the_protocol_mirrors(
    interlock: Interlock, contract: Contract
) -> None:
    interlock("tools", "call", "calc__add", '{"a": 1, "b": 1, "note": "é"}')

    sent = contract.mcp_headers[-1]
    assert sent["mcp-protocol-version"] == "2026-07-28"
    assert sent["mcp-method"] == "tools/call"
    assert sent["mcp-name"] == "calc__add"
    assert sent["mcp-param-note"] == "=?base64?w6k=?="


def test_for_programs_the_result_stands_alone(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("tools", "call", "calc__add", "a=2", "b=3", "--json")

    assert (ended.err, ended.document["structuredContent"]["sum"]) == ("", 5)


def test_a_tool_that_fails_fails_the_command(interlock: Interlock, contract: Contract) -> None:
    people = interlock("tools", "call", "calc__fail")
    program = interlock("tools", "call", "calc__fail", "--json")

    assert (people.status, people.out) == (1, "It\\x1b[31m broke.\n")
    assert (program.status, program.document["isError"]) == (1, True)


def test_a_protocol_error_is_a_sentence(interlock: Interlock, contract: Contract) -> None:
    people = interlock("tools", "call", "absent")
    program = interlock("tools", "call", "absent", "--json")

    assert people.err == "error: There is no such tool. (JSON-RPC error -32602)\n"
    assert (program.status, program.document["error"]["reason"]) == (1, "rpc_error")


def test_a_refused_key_comes_with_the_cure(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("tools", "list", "--key", "ilk_wrong")

    assert ended.status == 1
    assert "INTERLOCK_KEY" in ended.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["text=5", "number=5", "free=5"], {"text": "5", "number": 5, "free": 5}),
        (["maybe=null", "free=null"], {"maybe": "null", "free": None}),
        (["free=[1, 2]", "free2=plain words"], {"free": [1, 2], "free2": "plain words"}),
        (["text=a=b"], {"text": "a=b"}),
        ([' {"number": 1}'], {"number": 1}),
    ],
)
def test_arguments_are_read_by_the_schema(words: list[str], expected: dict[str, object]) -> None:
    assert read_arguments(words, SCHEMA) == expected


def test_arguments_may_come_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}')))

    assert read_arguments(["-"], {}) == {"a": 1}


@pytest.mark.parametrize("words", [["novalue"], ["=5"], ["{broken"], ["a=1", "{}"]])
def test_what_is_no_argument_is_refused(words: list[str]) -> None:
    with pytest.raises(BadInput):
        read_arguments(words, SCHEMA)
