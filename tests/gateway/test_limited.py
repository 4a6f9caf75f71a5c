"""What is left of a view for a caller who sees some servers and tools only."""

import pytest

from interlock.errors import BadInput, NotFound
from interlock.gateway.aggregation import STATUS_META, Project, find_resource, project_entry
from interlock.gateway.limited import MAX_KEPT, limited
from interlock.gateway.pipeline import cacheable, find_target
from interlock.gateway.table import ServerEntry, View
from interlock.identity.limits import Access
from tests.gateway.offers import PROJECT, call, catalogue, facts, leads, names, server, tools_of


def seen_by(
    access: Access | None,
    *servers: ServerEntry,
    project: Project = PROJECT,
    only: str | None = None,
) -> View:
    """Return what the endpoint of all servers shows, or that of the `only` one."""
    entry = project_entry(project, servers)
    return limited(entry, entry.view(only), access)


def offering(name: str, *tools: str, **more: list[str]) -> ServerEntry:
    said = facts({"tools": {}, f"own-{name}": {}}, f"Use {name}.")
    return server(name, catalogue(tools=tools, said=said, **more))


def test_without_limits_a_view_is_shown_as_it_is() -> None:
    entry = project_entry(PROJECT, [tools_of("a", "x")])

    assert limited(entry, entry.unified, None) is entry.unified


def test_servers_that_are_not_named_do_not_exist() -> None:
    one = offering("a", "x", prompts=["p"], resources=["u:1"], templates=["u:{id}"])
    other = offering("b", "x", prompts=["p"], resources=["u:1"], templates=["u:{id}"])

    view = seen_by(Access.of({"b": ["*"]}), one, other)

    expected = seen_by(None, other)
    assert view.lists == expected.lists
    assert [each.name for each in view.servers] == ["b"]
    assert view.facts == expected.facts
    assert "own-a" not in view.facts.capabilities
    assert view.facts.instructions == "## b\nUse b."
    assert set(view.tools) == {"b__x"}


def test_tools_that_are_not_named_do_not_exist_but_all_else_of_their_server_does() -> None:
    whole = offering("a", "get_1", "get_2", "put", prompts=["p"], resources=["u:1"])

    view = seen_by(Access.of({"a": ["get_*"]}), whole)

    assert names(view) == ["a__get_1", "a__get_2"]
    assert "a__put" not in view.tools
    assert [each["name"] for each in view.lists["prompts"]] == ["a__p"]
    assert [each["uri"] for each in view.lists["resources"]] == ["u:1"]


def test_names_do_not_tell_of_hidden_servers() -> None:
    plain = Project("p1", "shop", naming="plain")
    servers = tools_of("a", "x"), tools_of("b", "x")

    assert names(seen_by(None, *servers, project=plain)) == ["x", "b__x"]
    assert names(seen_by(Access.of({"b": ["x"]}), *servers, project=plain)) == ["x"]


def test_an_alias_leads_to_what_is_seen_only() -> None:
    aliased = Project("p1", "shop", aliases={"find": "a__x", "store": "a__y"})

    view = seen_by(Access.of({"a": ["x"]}), tools_of("a", "x", "y"), project=aliased)

    assert names(view) == ["find"]
    assert leads(view, "find") == ("a", "x")
    assert "store" not in view.tools


def test_neither_marks_nor_the_last_choice_lead_to_hidden_resources() -> None:
    one, other = (offering(name, resources=["u:1"]) for name in ("a", "b"))
    servers = one, other, server("c", catalogue(said=facts({"resources": {}})))

    assert find_resource(seen_by(None, *servers), "u:1#~b") is not None
    view = seen_by(Access.of({"a": []}), *servers)

    assert find_resource(view, "u:1#~b") is None
    assert find_resource(view, "u:9") is None


def test_hidden_servers_that_fail_are_not_named() -> None:
    servers = [
        server("a", None, condition="failed", reason="It broke."),
        server("b", None, condition="starting"),
    ]

    assert seen_by(Access.of({"b": ["*"]}), *servers).list_meta == {
        STATUS_META: {"b": {"status": "starting"}}
    }


def test_a_limited_list_is_nobody_else_s() -> None:
    whole = tools_of("a", "x")

    scopes = [
        cacheable(seen_by(access, whole), {})["cacheScope"]
        for access in (None, Access.of({"a": ["*"]}))
    ]
    assert scopes == ["public", "private"]


def test_the_endpoint_of_a_hidden_server_looks_missing() -> None:
    entry = project_entry(PROJECT, [tools_of("a", "x")])
    access = Access.of({"b": ["*"]})

    with pytest.raises(NotFound) as hidden:
        limited(entry, entry.view("a"), access)
    with pytest.raises(NotFound) as missing:
        entry.view("c")

    assert hidden.value.message.replace("'a'", "'c'") == missing.value.message


def test_the_endpoint_of_one_server_keeps_its_own_names() -> None:
    assert names(seen_by(Access.of({"a": ["x"]}), tools_of("a", "x", "y"), only="a")) == ["x"]


def test_whoever_sees_nothing_has_an_endpoint_all_the_same() -> None:
    view = seen_by(Access.of({}), tools_of("a", "x"))

    assert (names(view), view.servers) == ([], ())


def test_a_server_of_which_nothing_is_known_yet_is_asked_for_tools_that_may_be_seen_only() -> None:
    view = seen_by(Access.of({"a": ["get_*"]}), server("a"), only="a")

    target, _ = find_target(call(view, "tools/call", {"name": "get_1"}))
    assert target.name == "get_1"
    with pytest.raises(BadInput, match="Unknown tool: put"):
        find_target(call(view, "tools/call", {"name": "put"}))
    target, _ = find_target(call(view, "prompts/get", {"name": "put"}))
    assert target.name == "put"


def test_a_limited_view_is_made_once_for_equal_limits() -> None:
    entry = project_entry(PROJECT, [tools_of("a", "x")])
    made = [limited(entry, entry.unified, Access.of({"a": ["*"]})) for _ in range(2)]

    assert made[0] is made[1]
    assert limited(entry, entry.unified, Access.of({"a": ["x"]})) is not made[0]


def test_the_views_that_are_kept_are_bounded() -> None:
    entry = project_entry(PROJECT, [tools_of("a", "x")])

    for number in range(MAX_KEPT + 10):
        limited(entry, entry.unified, Access.of({"a": [str(number)]}))

    assert 0 < len(entry.unified.limited) <= MAX_KEPT


def test_clients_that_can_be_asked_something_are_shown_their_own_part() -> None:
    entry = project_entry(
        PROJECT,
        [
            server(
                "a",
                catalogue(tools=["x"]),
                variants={"askable": catalogue(tools=["x", "ask", "put"])},
            )
        ],
    )

    view = limited(entry, entry.view(None, "askable"), Access.of({"a": ["x", "ask"]}))

    assert names(view) == ["a__x", "a__ask"]
