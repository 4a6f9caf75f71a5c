"""What servers may ask of clients: what each question needs, in every spelling of a capability."""

import pytest

from interlock.errors import RPCError
from interlock.gateway.questions import check_askable, check_questions, lacking, url_required
from interlock.protocol.json import JSONObject

FORM: JSONObject = {"message": "?", "requestedSchema": {}}
URL: JSONObject = {"mode": "url", "url": "https://a.example", "message": "?"}


@pytest.mark.parametrize(
    ("capabilities", "method", "params"),
    [
        ({"roots": {}}, "roots/list", {}),
        ({"roots": {"listChanged": True}}, "roots/list", {}),
        ({"elicitation": {}}, "elicitation/create", FORM),
        ({"elicitation": None}, "elicitation/create", FORM),
        ({"elicitation": {"other": {}}}, "elicitation/create", FORM),
        ({"elicitation": {"form": {}}}, "elicitation/create", {**FORM, "mode": "form"}),
        ({"elicitation": {"url": {}}}, "elicitation/create", URL),
        ({"elicitation": {"form": {}, "voice": {}}}, "elicitation/create", {"mode": "voice"}),
        ({"sampling": {}}, "sampling/createMessage", {"messages": []}),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {"tools": [], "toolChoice": {}}),
        ({}, "ping", {}),
        ({}, "x/unknown", {"mode": "url"}),
    ],
)
def test_a_client_is_asked_what_it_declared(
    capabilities: JSONObject, method: str, params: JSONObject
) -> None:
    assert lacking(capabilities, method, params) is None
    check_askable(capabilities, method, params)


@pytest.mark.parametrize(
    ("capabilities", "method", "params", "missing", "code"),
    [
        ({"tasks": {}}, "roots/list", {}, {"roots": {}}, -32601),
        ({}, "sampling/createMessage", {}, {"sampling": {}}, -32601),
        ({}, "elicitation/create", FORM, {"elicitation": {"form": {}}}, -32601),
        (
            {"elicitation": {"url": {}}},
            "elicitation/create",
            FORM,
            {"elicitation": {"form": {}}},
            -32602,
        ),
        ({"elicitation": {}}, "elicitation/create", URL, {"elicitation": {"url": {}}}, -32602),
        (
            {"sampling": {}},
            "sampling/createMessage",
            {"toolChoice": {}},
            {"sampling": {"tools": {}}},
            -32602,
        ),
    ],
)
def test_what_a_client_lacks_is_named(
    capabilities: JSONObject, method: str, params: JSONObject, missing: JSONObject, code: int
) -> None:
    assert lacking(capabilities, method, params) == missing
    with pytest.raises(RPCError) as refused:
        check_askable(capabilities, method, params)
    assert refused.value.code == code


def test_all_that_a_client_lacks_is_named_at_once() -> None:
    questions: JSONObject = {
        "a": {"method": "elicitation/create", "params": FORM},
        "b": {"method": "elicitation/create", "params": URL},
        "c": {"method": "roots/list"},
    }

    with pytest.raises(RPCError) as refused:
        check_questions("tools/call", {"roots": {}}, questions)

    assert refused.value.code == -32021
    assert refused.value.data == {
        "requiredCapabilities": {"elicitation": {"form": {}, "url": {}}},
    }


@pytest.mark.parametrize("question", [None, [], {}, {"method": "ping"}, {"method": "tools/list"}])
def test_what_is_no_question_is_not_put(question: object) -> None:
    with pytest.raises(RPCError, match="no client can be asked"):
        check_questions("tools/call", {"roots": {}}, {"a": question})


@pytest.mark.parametrize("data", [None, {}, {"elicitations": []}, {"elicitations": ["x"]}])
def test_an_error_that_names_no_address_stays_an_error(data: object) -> None:
    with pytest.raises(RPCError, match="Visit it") as refused:
        url_required("tools/call", {"elicitation": {"url": {}}}, RPCError(-32042, "Visit it", data))

    assert refused.value.code == -32603
