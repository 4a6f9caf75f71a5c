from dataclasses import replace
from typing import Any

import pytest

from interlock.errors import BadInput, Forbidden, RPCError, UpstreamUnavailable
from interlock.gateway.aggregation import STATUS_META
from interlock.gateway.bridging import Bridge
from interlock.gateway.call import Call
from interlock.gateway.parking import Parking
from interlock.gateway.pipeline import Pipeline, cacheable, find_target, target_name
from interlock.gateway.table import View
from interlock.gateway.tasks import Tasks
from interlock.identity.principal import Principal, Role
from interlock.protocol import jsonrpc
from interlock.protocol.headers import HeaderMismatch
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import META_SERVER_INFO, Era
from tests.gateway.offers import (
    call,
    catalogue,
    facts,
    principal,
    server,
    single,
    unified,
)

OFFERED = catalogue(
    tools=["x", "y"], prompts=["greet"], resources=["file:///r"], templates=["file:///{path}/log"]
)
BOTH = unified(server("a", OFFERED), server("b", OFFERED))
ONLY_A = single(server("a", OFFERED))
EVERY_ROLE = list(Role)


def found(view: View, method: str, **params: Any) -> tuple[str, str, JSONObject]:
    """Return where a request leads, its name there, and its params as the server gets them."""
    target, sent = find_target(call(view, method, params))
    return target.server.name, target.name, sent


def pipeline() -> Pipeline:
    return Pipeline(Bridge(Parking(bytes(32))), Tasks(bytes(range(32))), page_size=2)


async def answer(view: View, method: str, who: Principal, **params: Any) -> JSONObject:
    return await pipeline().answer(call(view, method, params, who))


def test_a_tool_is_called_by_the_name_that_its_server_knows() -> None:
    sent = {"arguments": {"n": 1}, "_meta": {"progressToken": 7}, "unknown": True}

    assert found(BOTH, "tools/call", name="b__x", **sent) == ("b", "x", {"name": "x", **sent})
    assert found(ONLY_A, "tools/call", name="x", **sent) == ("a", "x", {"name": "x", **sent})


def test_a_tool_that_has_a_deadline_of_its_own_keeps_it_under_every_name() -> None:
    timed = server("a", OFFERED, tool_timeouts={"x*": 5.0})

    for view, name in ((unified(timed), "a__x"), (single(timed), "x")):
        assert find_target(call(view, "tools/call", {"name": name}))[0].deadline == 5.0
    other, _ = find_target(call(unified(timed), "tools/call", {"name": "a__y"}))
    prompt, _ = find_target(call(single(server("a", None, tool_timeouts={"*": 5.0})), "x/y", {}))
    unlisted = single(server("a", None, tool_timeouts={"x*": 5.0}))
    unknown, _ = find_target(call(unlisted, "tools/call", {"name": "xyz"}))
    assert (other.deadline, prompt.deadline, unknown.deadline) == (60.0, 60.0, 5.0)


def test_a_tool_is_repeatable_where_its_annotations_say_so() -> None:
    tools: list[str | JSONObject] = ["x", {"name": "y", "annotations": {"readOnlyHint": True}}]
    view = unified(server("a", catalogue(tools=tools)))

    found_there = [
        find_target(call(view, "tools/call", {"name": f"a__{name}"}))[0].is_repeatable
        for name in ("x", "y")
    ]
    assert found_there == [False, True]


def test_what_the_client_sent_is_not_changed_under_its_hands() -> None:
    params: JSONObject = {"name": "b__x", "ref": {"type": "ref/prompt", "name": "b__greet"}}
    asked = call(BOTH, "tools/call", params)
    find_target(asked)
    find_target(replace(asked, method="completion/complete"))

    assert params == {"name": "b__x", "ref": {"type": "ref/prompt", "name": "b__greet"}}


def test_a_prompt_is_asked_for_by_the_name_that_its_server_knows() -> None:
    assert found(BOTH, "prompts/get", name="b__greet") == ("b", "greet", {"name": "greet"})


@pytest.mark.parametrize(
    "method", ["resources/read", "resources/subscribe", "resources/unsubscribe"]
)
def test_a_resource_is_asked_for_by_the_uri_that_its_server_knows(method: str) -> None:
    plain = {"uri": "file:///r"}

    assert found(BOTH, method, uri="file:///r") == ("a", "file:///r", plain)
    assert found(BOTH, method, uri="file:///r#~b") == ("b", "file:///r", plain)
    assert found(BOTH, method, uri="file:///x/log") == (
        "a",
        "file:///x/log",
        {"uri": "file:///x/log"},
    )


def test_a_completion_goes_to_the_server_of_its_prompt_or_template() -> None:
    argument = {"name": "who", "value": "A"}
    prompt = {"type": "ref/prompt", "name": "b__greet", "title": "Greet"}
    template = {"type": "ref/resource", "uri": "file:///{path}/log#~b"}

    assert found(BOTH, "completion/complete", ref=prompt, argument=argument) == (
        "b",
        "greet",
        {"ref": {"type": "ref/prompt", "name": "greet", "title": "Greet"}, "argument": argument},
    )
    assert found(BOTH, "completion/complete", ref=template, argument=argument) == (
        "b",
        "file:///{path}/log",
        {"ref": {"type": "ref/resource", "uri": "file:///{path}/log"}, "argument": argument},
    )


def test_a_name_that_leads_nowhere_is_refused_and_named() -> None:
    for method, params, told in (
        ("tools/call", {"name": "c__x"}, "Unknown tool: c__x"),
        ("tools/call", {"name": "greet"}, "Unknown tool: greet"),
        ("prompts/get", {"name": "a__x"}, "Unknown prompt: a__x"),
        ("resources/read", {"uri": "gone://x"}, "Resource not found: gone://x"),
    ):
        with pytest.raises(BadInput) as refused:
            found(BOTH, method, **params)
        assert refused.value.message == told
        assert refused.value.rpc_code == jsonrpc.INVALID_PARAMS


@pytest.mark.parametrize("value", [None, 5, [], {}, True])
def test_a_name_that_is_no_text_is_refused_with_its_field(value: object) -> None:
    for method, field in (
        ("tools/call", "params.name"),
        ("prompts/get", "params.name"),
        ("resources/read", "params.uri"),
    ):
        with pytest.raises(BadInput, match=field):
            found(BOTH, method, **{field.partition(".")[2]: value})
    with pytest.raises(BadInput, match=r"params\.uri"):
        found(BOTH, "completion/complete", ref=value)


def test_a_method_that_we_do_not_know_goes_to_the_only_server_or_nowhere() -> None:
    assert found(ONLY_A, "x-own/method", any=1) == ("a", "", {"any": 1})
    with pytest.raises(RPCError, match="Method not found: x-own/method") as refused:
        found(BOTH, "x-own/method")

    assert refused.value.code == jsonrpc.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    "capabilities",
    [
        {"skills": {}},
        {"extensions": {"com.example/skills": {}}},
        {"experimental": {"skills": {"on": True}}},
    ],
)
def test_a_method_that_we_do_not_know_goes_to_the_one_server_that_has_its_family(
    capabilities: JSONObject,
) -> None:
    able = catalogue(tools=["x"], said=facts(capabilities))
    plain = server("plain", catalogue(tools=["x"]))
    view = unified(plain, server("able", able))

    assert found(view, "skills/list", any=1) == ("able", "", {"any": 1})

    with pytest.raises(RPCError, match="endpoint of one"):
        found(unified(server("a", able), server("b", able)), "skills/list")


def test_a_server_that_never_said_what_it_offers_is_asked_itself() -> None:
    unknown = single(server("a", condition="failed"))

    assert found(unknown, "tools/call", name="any") == ("a", "any", {"name": "any"})
    assert found(unknown, "resources/read", uri="any:x") == ("a", "any:x", {"uri": "any:x"})
    with pytest.raises(BadInput, match="Unknown tool"):
        found(unified(server("a"), server("b")), "tools/call", name="any")


async def test_a_reporter_may_read_lists_and_use_nothing() -> None:
    reporter = principal(Role.REPORTER)
    listed = await answer(BOTH, "tools/list", reporter)

    assert [tool["name"] for tool in listed["tools"]] == ["a__x", "a__y"]
    for method, params in (
        ("tools/call", {"name": "a__x"}),
        ("prompts/get", {"name": "a__greet"}),
        ("resources/read", {"uri": "file:///r"}),
        ("completion/complete", {}),
        ("x-own/method", {}),
    ):
        with pytest.raises(Forbidden, match="The role reporter may read lists"):
            await answer(BOTH, method, reporter, **params)


async def test_a_reporter_does_not_learn_which_names_lead_somewhere() -> None:
    with pytest.raises(Forbidden):
        await answer(BOTH, "tools/call", principal(Role.REPORTER), name="no__such")


@pytest.mark.parametrize(
    "who",
    [
        principal(Role.DEVELOPER),
        principal(Role.OWNER),
        principal(Role.REPORTER, is_admin=True),
    ],
)
async def test_developers_owners_and_administrators_reach_the_server(who: Principal) -> None:
    """It cannot be reached here, and its failure shows that nothing before it refused."""
    with pytest.raises(UpstreamUnavailable):
        await answer(BOTH, "tools/call", who, name="a__x")


@pytest.mark.parametrize("role", EVERY_ROLE)
async def test_lists_come_from_memory_for_every_role(role: Role) -> None:
    """No server can be reached here."""
    first = await answer(BOTH, "tools/list", principal(role))
    second = await answer(BOTH, "tools/list", principal(role), cursor=first["nextCursor"])

    assert [tool["name"] for tool in second["tools"]] == ["b__x", "b__y"]
    assert "ttlMs" not in first


async def test_lists_of_the_modern_era_carry_hints_for_caches() -> None:
    view = unified(server("a", catalogue(tools=["x"], ttl_ms=70, is_private=True)))
    modern = replace(call(view, "tools/list", {}), era=Era.MODERN)

    assert await pipeline().answer(modern) == {
        "resultType": "complete",
        "ttlMs": 70,
        "cacheScope": "private",
        "tools": [{"name": "a__x"}],
        "_meta": {META_SERVER_INFO: view.facts.info},
    }


def test_a_cacheable_result_keeps_what_it_says_of_troubled_servers() -> None:
    view = unified(server("a", catalogue(said=facts()), condition="stale"))
    result = cacheable(view, {"tools": [], "_meta": dict(view.list_meta or {})})

    assert result["_meta"][STATUS_META] == {"a": {"status": "stale"}}
    assert (result["ttlMs"], result["cacheScope"]) == (0, "public")


async def test_the_trace_tells_which_server_a_call_was_for_and_how_long_it_took() -> None:
    asked: Call = call(BOTH, "tools/call", {"name": "b__x"})
    with pytest.raises(UpstreamUnavailable):
        await pipeline().answer(asked)

    assert asked.trace.server == "b"
    assert asked.trace.sent is not None
    assert asked.trace.answered is not None
    assert asked.trace.started <= asked.trace.sent <= asked.trace.answered


async def test_a_refused_call_was_never_sent() -> None:
    asked = call(BOTH, "tools/call", {"name": "b__x"}, principal(Role.REPORTER))
    with pytest.raises(Forbidden):
        await pipeline().answer(asked)

    assert (asked.trace.sent, asked.trace.answered, asked.trace.server) == (None, None, None)


async def test_mirrored_headers_must_match_the_arguments_before_a_server_hears_of_the_call() -> (
    None
):
    schema = {"type": "object", "properties": {"q": {"type": "string", "x-mcp-header": "Q"}}}
    view = unified(server("a", catalogue(tools=[{"name": "x", "inputSchema": schema}])))
    params = {"name": "a__x", "arguments": {"q": "one"}}
    asked = replace(call(view, "tools/call", params), era=Era.MODERN)
    right = replace(asked, headers={"mcp-param-q": "one"})

    for headers in ({}, {"mcp-param-q": "two"}):
        with pytest.raises(HeaderMismatch):
            await pipeline().answer(replace(asked, headers=headers))
    assert asked.trace.sent is None
    with pytest.raises(UpstreamUnavailable):
        await pipeline().answer(right)
    with pytest.raises(UpstreamUnavailable):
        await pipeline().answer(call(view, "tools/call", params))


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"name": "a__x"}, "a__x"),
        ({"uri": "file:///r"}, "file:///r"),
        ({"uri": "https://me:secret@host/r?key=secret#part"}, "https://host/r"),
        ({"ref": {"type": "ref/prompt", "name": "greet"}}, "greet"),
        ({"ref": {"uri": "t/{x}"}}, "t/{x}"),
        ({"name": 5}, None),
        ({"ref": "text"}, None),
        ({}, None),
    ],
)
def test_the_record_names_what_a_request_is_about_without_its_secrets(
    params: JSONObject, name: str | None
) -> None:
    assert target_name(params) == name
