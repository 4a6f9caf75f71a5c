"""Results of one server among several: their resource URIs can be read by who gets them."""

from typing import Any

import pytest

from interlock.gateway.aggregation import find_resource
from interlock.gateway.rewriting import expose_result
from interlock.gateway.table import ServerEntry, Target, View
from interlock.protocol.json import JSONObject
from tests.gateway.offers import catalogue, server, single, unified

SHARED = "file:///notes"
FIRST = server("first", catalogue(resources=[SHARED, "a:only"], templates=["log://{day}"]))
SECOND = server("second", catalogue(resources=[SHARED, "b:only"], templates=["log://{day}"]))
VIEW = unified(FIRST, SECOND)


def exposed(
    owner: ServerEntry, method: str, result: JSONObject, *, name: str = "t", asked: Any = None
) -> JSONObject:
    return expose_result(VIEW, Target(owner, name), method, asked, result)


def link(uri: Any) -> JSONObject:
    return {"type": "resource_link", "uri": uri, "name": "x", "unknown": 1}


@pytest.mark.parametrize(
    ("owner", "uri", "seen"),
    [
        (FIRST, SHARED, SHARED),
        (SECOND, SHARED, f"{SHARED}#~second"),
        (FIRST, "a:only", "a:only"),
        (SECOND, "b:only", "b:only"),
        (SECOND, "a:only", "a:only#~second"),
        (FIRST, "log://today", "log://today"),
        (SECOND, "log://today", "log://today#~second"),
        (FIRST, "unlisted:x", "unlisted:x#~first"),
    ],
)
def test_a_link_in_a_tools_result_leads_back_to_its_server(
    owner: ServerEntry, uri: str, seen: str
) -> None:
    result = exposed(owner, "tools/call", {"content": [link(uri)], "isError": False})

    assert result == {"content": [link(seen)], "isError": False}
    assert find_resource(VIEW, seen) == Target(owner, uri)


def test_embedded_resources_are_rewritten_and_all_else_stays() -> None:
    text = {"type": "text", "text": SHARED}
    embedded = {"type": "resource", "resource": {"uri": SHARED, "text": "x"}, "annotations": {}}
    odd = ["not an object", {"type": "resource"}, {"type": "resource", "resource": "x"}, link(5)]

    result = exposed(SECOND, "tools/call", {"content": [text, embedded, *odd]})

    marked = {"uri": f"{SHARED}#~second", "text": "x"}
    assert result == {"content": [text, {**embedded, "resource": marked}, *odd]}


def test_resources_in_a_prompts_messages_are_rewritten() -> None:
    messages = [
        {"role": "user", "content": {"type": "text", "text": "hi"}},
        {"role": "user", "content": {"type": "resource", "resource": {"uri": SHARED}}},
        {"role": "user", "content": "odd"},
    ]

    result = exposed(SECOND, "prompts/get", {"messages": messages})

    assert [message["content"] for message in result["messages"]] == [
        {"type": "text", "text": "hi"},
        {"type": "resource", "resource": {"uri": f"{SHARED}#~second"}},
        "odd",
    ]


def test_what_was_read_comes_under_the_uri_that_the_client_asked_for() -> None:
    asked = f"{SHARED}#~second"
    contents = [{"uri": SHARED, "text": "x"}, {"uri": "b:only", "text": "y"}, {"uri": "a:only"}]

    result = exposed(SECOND, "resources/read", {"contents": contents}, name=SHARED, asked=asked)

    assert [each["uri"] for each in result["contents"]] == [asked, "b:only", "a:only#~second"]


@pytest.mark.parametrize("method", ["completion/complete", "logging/setLevel"])
def test_results_of_other_methods_stay_as_they_are(method: str) -> None:
    result = {"content": [link(SHARED)]}

    assert exposed(SECOND, method, result) is result


@pytest.mark.parametrize(
    "result",
    [{}, {"content": None}, {"content": []}, {"content": "x"}, {"content": {"uri": SHARED}}],
)
def test_a_result_without_content_stays_as_it_is(result: JSONObject) -> None:
    assert exposed(SECOND, "tools/call", result) is result


@pytest.mark.parametrize("view", [single(SECOND), unified(SECOND)])
def test_a_server_that_stands_alone_is_not_rewritten(view: View) -> None:
    result = {"content": [link("unlisted:x")]}

    assert expose_result(view, Target(SECOND, "t"), "tools/call", None, result) is result


def test_the_servers_own_result_is_not_changed_in_place() -> None:
    result: JSONObject = {"content": [link(SHARED)]}

    exposed(SECOND, "tools/call", result)

    assert result == {"content": [link(SHARED)]}
