from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.gateway.aggregation import (
    STATUS_META,
    Project,
    find_resource,
    merge_capabilities,
    overlaid,
    project_entry,
)
from interlock.gateway.naming import prefixed
from interlock.gateway.table import ServerEntry, View
from interlock.protocol.headers import HeaderParam
from interlock.protocol.json import JSONObject
from tests.gateway.offers import (
    PROJECT,
    catalogue,
    facts,
    leads,
    names,
    server,
    single,
    tools_of,
    unified,
)

PLAIN = Project("p1", "shop", naming="plain")

ITEM_NAMES = st.lists(st.sampled_from(["a", "b", "x", "a__x", "b__x", "x.y"]), max_size=5)


def behind(view: View, uri: str) -> tuple[str, str] | None:
    """Return the server and the server's own URI that a client's URI leads to."""
    target = find_resource(view, uri)
    return None if target is None else (target.server.name, target.name)


def uris(view: View) -> list[str]:
    return [resource["uri"] for resource in view.lists["resources"]]


def ui_tool(name: str, uri: str) -> JSONObject:
    return {
        "name": name,
        "_meta": {"ui": {"resourceUri": uri, "more": 1}, "ui/resourceUri": uri, "kept": True},
    }


def test_tools_are_listed_in_the_order_of_their_servers_under_prefixed_names() -> None:
    view = unified(tools_of("b", "two", "one"), tools_of("a", "two"))

    assert names(view) == ["b__two", "b__one", "a__two"]
    assert leads(view, "a__two") == ("a", "two")


def test_the_endpoint_of_one_server_shows_its_own_names_and_takes_the_prefixed_ones_too() -> None:
    view = single(tools_of("a", "x", "a__x"))

    assert names(view) == ["x", "a__x"]
    assert leads(view, "x") == ("a", "x")
    assert leads(view, "a__x") == ("a", "a__x")
    assert leads(view, prefixed("a", "a__x")) == ("a", "a__x")


def test_what_a_tool_says_of_itself_is_passed_on_whole() -> None:
    tool = {"name": "x", "title": "X", "annotations": {"readOnlyHint": True}, "unknown": [1, None]}

    assert unified(tools_of("a", tool)).lists["tools"] == ({**tool, "name": "a__x"},)
    assert single(tools_of("a", tool)).lists["tools"] == (tool,)


def test_an_item_without_a_name_is_not_offered() -> None:
    view = unified(tools_of("a", {"title": "nameless"}, {"name": 7}, "x"))

    assert names(view) == ["a__x"]


def test_a_tool_that_a_server_lists_twice_is_offered_once() -> None:
    assert names(unified(tools_of("a", {"name": "x", "title": "first"}, "x"))) == ["a__x"]
    assert names(single(tools_of("a", "x", "x"))) == ["x"]


def test_plain_naming_keeps_names_that_nobody_else_has() -> None:
    view = unified(tools_of("a", "x", "y"), tools_of("b", "y", "z"), project=PLAIN)

    assert names(view) == ["x", "y", "b__y", "z"]
    assert leads(view, "y") == ("a", "y")
    assert leads(view, "b__y") == ("b", "y")


def test_plain_naming_prefixes_what_no_client_would_accept() -> None:
    view = unified(tools_of("a", "x.y", ""), project=PLAIN)

    assert names(view) == [prefixed("a", "x.y"), prefixed("a", "")]


def test_prefixed_names_go_on_working_under_plain_naming() -> None:
    view = unified(tools_of("a", "x"), project=PLAIN)

    assert leads(view, "a__x") == ("a", "x")


def test_a_plain_name_never_takes_the_prefixed_name_of_another_servers_tool() -> None:
    view = unified(tools_of("evil", "a__x"), tools_of("a", "x"), project=PLAIN)

    assert leads(view, "a__x") == ("a", "x")
    assert leads(view, "evil__a__x") == ("evil", "a__x")


def test_an_alias_names_one_tool_in_the_unified_view_only() -> None:
    aliased = replace(PROJECT, aliases={"look": "a__x"})
    entry = project_entry(aliased, [tools_of("a", "x", "y")])

    assert names(entry.unified) == ["look", "a__y"]
    assert leads(entry.unified, "look") == ("a", "x")
    assert leads(entry.unified, "a__x") == ("a", "x")
    assert names(entry.single["a"]) == ["x", "y"]


def test_an_alias_is_kept_from_a_tool_that_has_it_as_its_plain_name() -> None:
    aliased = replace(PLAIN, aliases={"look": "b__x"})
    view = unified(tools_of("a", "look"), tools_of("b", "x"), project=aliased)

    assert leads(view, "look") == ("b", "x")
    assert leads(view, "a__look") == ("a", "look")
    assert names(view) == ["a__look", "look"]


def test_an_alias_cannot_hide_another_tools_prefixed_name() -> None:
    aliased = replace(PROJECT, aliases={"a__x": "b__x"})
    view = unified(tools_of("b", "x"), tools_of("a", "x"), project=aliased)

    assert names(view) == ["b__x", "a__x"]
    assert leads(view, "a__x") == ("a", "x")
    assert leads(view, "b__x") == ("b", "x")


def test_prompts_are_named_like_tools_but_have_no_aliases() -> None:
    offered = [server(name, catalogue(prompts=["greet"])) for name in ("a", "b")]
    aliased = replace(PROJECT, aliases={"hello": "a__greet"})
    prefixing, plain = unified(*offered, project=aliased), unified(*offered, project=PLAIN)

    assert [prompt["name"] for prompt in prefixing.lists["prompts"]] == ["a__greet", "b__greet"]
    assert [prompt["name"] for prompt in plain.lists["prompts"]] == ["greet", "b__greet"]
    assert plain.prompts["greet"].server.name == "a"


@settings(deadline=None)
@given(ITEM_NAMES, ITEM_NAMES, st.sampled_from(["prefix", "plain"]))
def test_every_tool_is_listed_once_and_leads_to_itself(
    of_a: list[str], of_b: list[str], naming: str
) -> None:
    project = PLAIN if naming == "plain" else PROJECT
    view = unified(tools_of("a", *of_a), tools_of("b", *of_b), project=project)
    offered = [("a", name) for name in dict.fromkeys(of_a)]
    offered += [("b", name) for name in dict.fromkeys(of_b)]

    assert offered == [leads(view, name) for name in names(view)]
    assert len(set(names(view))) == len(names(view))
    assert offered == [leads(view, prefixed(*pair)) for pair in offered]


def test_the_same_servers_make_the_same_view() -> None:
    def build() -> View:
        a = server("a", catalogue(tools=["x"], resources=["r"], templates=["t/{n}"]))
        b = server("b", catalogue(tools=["x"], resources=["r"], templates=["t/{n}"]))
        return unified(a, b, project=PLAIN)

    assert build().lists == build().lists
    assert build().facts == build().facts


def test_a_resource_that_two_servers_list_is_marked_at_the_second() -> None:
    view = unified(
        server("a", catalogue(resources=["file:///r"])),
        server("b", catalogue(resources=["file:///r"])),
    )

    assert uris(view) == ["file:///r", "file:///r#~b"]
    assert behind(view, "file:///r") == ("a", "file:///r")
    assert behind(view, "file:///r#~b") == ("b", "file:///r")


def test_a_mark_reaches_what_its_server_does_not_list() -> None:
    view = unified(server("a", catalogue()), server("b", catalogue()))

    assert behind(view, "file:///r#~b") == ("b", "file:///r")
    assert behind(view, "file:///r#~c") is None


def test_a_server_cannot_list_a_resource_under_the_mark_of_another() -> None:
    """Else whoever comes first could put its own page in the place of another server's app."""
    evil = server("evil", catalogue(resources=["ui://app", "ui://app#~b"]))
    b = server("b", catalogue(tools=[ui_tool("x", "ui://app")], resources=["ui://app"]))
    view = unified(evil, b)
    shown = view.lists["tools"][0]["_meta"]["ui"]["resourceUri"]

    assert behind(view, shown) == ("b", "ui://app")
    assert [behind(view, uri) for uri in uris(view)] == [
        ("evil", "ui://app"),
        ("evil", "ui://app#~b"),
        ("b", "ui://app"),
    ]


@settings(deadline=None)
@given(
    *[st.lists(st.sampled_from(["u", "u#~a", "u#~b", "u#~b#~a", "u#~c", "t/1"]), max_size=4)] * 2,
    st.sampled_from(["u", "u#~a", "u#~b", "u#~b#~a", "u#~c", "t/1", "t/2"]),
)
def test_every_resource_is_listed_once_and_leads_to_itself(
    of_a: list[str], of_b: list[str], shown: str
) -> None:
    of_a, of_b = list(dict.fromkeys(of_a)), list(dict.fromkeys(of_b))
    a = server("a", catalogue(resources=of_a, templates=["t/{n}"]))
    b = server("b", catalogue(tools=[ui_tool("x", shown)], resources=of_b))
    view = unified(a, b)

    assert len(set(uris(view))) == len(uris(view))
    offered = [("a", uri) for uri in of_a] + [("b", uri) for uri in of_b]
    assert offered == [behind(view, uri) for uri in uris(view)]
    ui = view.lists["tools"][0]["_meta"]["ui"]["resourceUri"]
    assert behind(view, ui) == ("b", shown)


def test_a_uri_of_a_template_leads_to_the_server_that_has_the_template() -> None:
    view = unified(
        server("a", catalogue(templates=["a://{name}/log"])),
        server("b", catalogue(templates=["b://{+path}"])),
    )

    assert behind(view, "a://x/log") == ("a", "a://x/log")
    assert behind(view, "b://x/y/z") == ("b", "b://x/y/z")
    assert behind(view, "a://x/y/log") is None
    assert behind(view, "c://x") is None


def test_a_template_that_two_servers_have_is_marked_at_the_second() -> None:
    offered = [server(name, catalogue(templates=["t://{x}"])) for name in ("a", "b")]
    view = unified(*offered)
    listed = [each["uriTemplate"] for each in view.lists["resourceTemplates"]]

    assert listed == ["t://{x}", "t://{x}#~b"]
    assert behind(view, "t://1") == ("a", "t://1")
    assert behind(view, "t://1#~b") == ("b", "t://1")


def test_a_listed_resource_wins_over_a_template_that_could_make_it() -> None:
    view = unified(
        server("a", catalogue(templates=["t://{x}"])), server("b", catalogue(resources=["t://1"]))
    )

    assert behind(view, "t://1") == ("b", "t://1")
    assert behind(view, "t://2") == ("a", "t://2")


def test_matching_a_hostile_template_takes_no_time_to_speak_of() -> None:
    """With a pattern that tries every split, this would not end before the next ice age."""
    view = unified(
        server("a", catalogue(templates=["{a}{b}{c}" * 10 + "{+x}a" * 30 + "!"])),
        server("b", catalogue()),
    )

    assert behind(view, "a" * 5000) is None


def test_a_resource_that_nobody_lists_leads_to_the_only_server_with_resources() -> None:
    deaf = server("a", catalogue(said=facts({"tools": {}})))
    view = unified(deaf, server("b", catalogue()))

    assert behind(view, "any://thing") == ("b", "any://thing")


def test_a_tool_points_to_its_ui_under_the_uri_that_clients_can_read() -> None:
    a = server("a", catalogue(tools=[ui_tool("x", "ui://app")], resources=["ui://app"]))
    b = server("b", catalogue(tools=[ui_tool("x", "ui://app")], resources=["ui://app"]))
    view = unified(a, b)
    first, second = (tool["_meta"] for tool in view.lists["tools"])

    assert first == ui_tool("x", "ui://app")["_meta"]
    assert second == ui_tool("x", "ui://app#~b")["_meta"]
    assert single(b).lists["tools"] == (ui_tool("x", "ui://app"),)


def mirroring(name: str, **more: bool) -> ServerEntry:
    schema = {"type": "object", "properties": {"p": {"type": "string", "x-mcp-header": "P"}}}
    broken = {"type": "object", "properties": {"p": {"type": "array", "x-mcp-header": "P"}}}
    tools: list[str | JSONObject] = [
        {"name": "good", "inputSchema": schema},
        {"name": "bad", "inputSchema": broken},
    ]
    return server(name, catalogue(tools=tools), **more)


def test_a_tool_whose_header_annotation_is_invalid_is_not_offered_where_headers_matter() -> None:
    view = unified(mirroring("a", mirrors_headers=True), mirroring("b"))

    assert names(view) == ["a__good", "b__good", "b__bad"]
    assert view.tools["a__good"].mirrored == (HeaderParam("mcp-param-p", ("p",)),)
    assert view.tools["b__bad"].mirrored == ()


def test_capabilities_are_those_of_any_server_and_lists_always_announce_changes() -> None:
    merged = merge_capabilities(
        [{"resources": {"subscribe": True}, "logging": {}}, {"prompts": {"listChanged": False}}]
    )

    assert merged == {
        "tools": {"listChanged": True},
        "resources": {"subscribe": True, "listChanged": True},
        "logging": {},
        "prompts": {"listChanged": True},
    }


def test_merging_capabilities_leaves_what_servers_said_untouched() -> None:
    said: list[JSONObject] = [{"tools": {"listChanged": False}}, {"tools": {"more": 1}}]

    assert merge_capabilities(said) == {"tools": {"listChanged": True, "more": 1}}
    assert said == [{"tools": {"listChanged": False}}, {"tools": {"more": 1}}]


def test_one_server_speaks_for_itself_and_many_are_introduced_by_the_gateway() -> None:
    a = server("a", catalogue(said=facts(instructions="Ask a.")))
    b = server("b", catalogue(said=facts(instructions="Ask b.")))
    both = unified(a, b).facts

    assert single(a).facts.info == {"name": "own", "version": "7"}
    assert single(a).facts.instructions == "Ask a."
    assert both.info["title"] == "Interlock: shop"
    assert both.instructions == "## a\nAsk a.\n\n## b\nAsk b."


def test_servers_that_are_not_well_are_named_in_the_lists_and_keep_their_tools() -> None:
    view = unified(
        tools_of("well", "x"),
        server("old", catalogue(tools=["y"]), condition="stale", reason="It ended."),
        server("new", condition="starting"),
    )

    assert names(view) == ["well__x", "old__y"]
    assert view.list_meta == {
        STATUS_META: {
            "old": {"status": "stale", "reason": "It ended."},
            "new": {"status": "starting"},
        }
    }


def test_lists_say_nothing_of_servers_that_are_all_well() -> None:
    assert unified(tools_of("a", "x")).list_meta is None


def test_the_endpoint_of_one_server_says_nothing_of_the_others() -> None:
    entry = project_entry(PROJECT, [tools_of("a", "x"), server("b", condition="failed")])

    assert entry.single["a"].list_meta is None
    assert entry.single["b"].list_meta == {STATUS_META: {"b": {"status": "failed"}}}


def test_a_view_may_be_kept_as_short_and_as_private_as_the_strictest_of_its_servers() -> None:
    a = server("a", catalogue(ttl_ms=5000))
    b = server("b", catalogue(ttl_ms=300, is_private=True))
    failed = server("c", condition="failed")

    assert (unified(a, b).ttl_ms, unified(a, b).is_private) == (300, True)
    assert (unified(a).ttl_ms, unified(a).is_private) == (5000, False)
    assert unified(a, failed).ttl_ms == 0
    assert unified().ttl_ms == 0


def test_lists_that_only_some_clients_are_shown_are_for_no_shared_cache() -> None:
    a = server("a", catalogue(tools=["x"]), variants={"mark": catalogue(tools=["x", "ask"])})
    entry = project_entry(PROJECT, [a])

    for place in (None, "a"):
        assert not entry.view(place).is_private
        assert entry.view(place, "mark").is_private


def test_own_catalogues_stand_in_the_place_of_what_all_are_shown() -> None:
    a, b = tools_of("a", "x"), tools_of("b", "x")
    entry = project_entry(PROJECT, [a, b])
    own = {a.id: catalogue(tools=["x", "more"])}

    assert names(overlaid(entry, entry.view(None), own)) == ["a__x", "a__more", "b__x"]
    assert names(overlaid(entry, entry.view("a"), own)) == ["x", "more"]
    assert names(overlaid(entry, entry.view("b"), own)) == ["x"]


def test_a_project_without_servers_has_an_empty_view() -> None:
    view = unified()

    assert view.lists == {"tools": (), "prompts": (), "resources": (), "resourceTemplates": ()}
    assert view.facts.capabilities == {"tools": {"listChanged": True}}


def test_clients_that_can_be_asked_see_what_servers_offer_only_to_them() -> None:
    a = server("a", catalogue(tools=["x"]), variants={"mark": catalogue(tools=["x", "ask"])})
    entry = project_entry(PROJECT, [a, tools_of("b", "y")])

    assert names(entry.view(None)) == ["a__x", "b__y"]
    assert names(entry.view(None, "mark")) == ["a__x", "a__ask", "b__y"]
    assert names(entry.view("a", "mark")) == ["x", "ask"]
    assert names(entry.view("b", "mark")) == ["y"]
    assert names(entry.view(None, "other")) == ["a__x", "b__y"]


@pytest.mark.parametrize("naming", [PROJECT, PLAIN])
def test_a_name_that_was_seen_once_leads_to_the_same_tool_whatever_joins(naming: Project) -> None:
    alone = unified(tools_of("m", "x"), project=naming)
    joined = unified(
        tools_of("m", "x"), tools_of("a", "x", "m__x"), tools_of("z", "x"), project=naming
    )

    assert [leads(joined, name) for name in names(alone)] == [("m", "x")]
