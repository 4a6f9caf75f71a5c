"""Tools that are switched off are in no view, however it is made."""

import pytest

from interlock.errors import BadInput
from interlock.gateway.aggregation import Project, overlaid, project_entry
from interlock.gateway.changes import changed_lists
from interlock.gateway.limited import limited
from interlock.gateway.pipeline import find_target
from interlock.identity.limits import Access
from tests.gateway.offers import PROJECT, call, catalogue, names, server, single, unified

OFFERED = catalogue(tools=["read", "write_1", "write_2"], prompts=["write_1"], resources=["u:1"])
OFF = ("write_*",)


def test_they_are_in_neither_list_and_their_names_lead_nowhere() -> None:
    entry = server("a", OFFERED, disabled_tools=OFF)

    assert names(unified(entry)) == ["a__read"]
    assert names(single(entry)) == ["read"]
    for view, name in ((unified(entry), "a__write_1"), (single(entry), "write_1")):
        with pytest.raises(BadInput, match=f"Unknown tool: {name}"):
            find_target(call(view, "tools/call", {"name": name}))


def test_all_else_of_their_server_stays() -> None:
    view = unified(server("a", OFFERED, disabled_tools=("*",)))

    assert names(view) == []
    assert [each["name"] for each in view.lists["prompts"]] == ["a__write_1"]
    assert [each["uri"] for each in view.lists["resources"]] == ["u:1"]


def test_their_plain_names_and_aliases_are_free() -> None:
    plain = Project("p1", "shop", naming="plain", aliases={"save": "a__write_2"})
    first = server("a", OFFERED, disabled_tools=OFF)
    second = server("b", catalogue(tools=["read", "write_1", "save"]))

    assert names(unified(first, second, project=plain)) == ["read", "b__read", "write_1", "b__save"]


def test_a_key_that_may_call_them_does_not_see_them_either() -> None:
    entry = project_entry(PROJECT, [server("a", OFFERED, disabled_tools=OFF)])
    access = Access.of({"a": ["read", "write_1"]})

    assert names(limited(entry, entry.unified, access)) == ["a__read"]
    assert names(limited(entry, entry.view("a"), access)) == ["read"]


def test_they_are_not_in_what_some_clients_are_offered_beside_the_rest() -> None:
    askable = catalogue(tools=["read", "write_1", "ask"])
    entry = project_entry(
        PROJECT, [server("a", OFFERED, disabled_tools=OFF, variants={"askable": askable})]
    )
    view = entry.view(None, "askable")
    own = overlaid(entry, view, {"id-a": catalogue(tools=["write_3", "mine"])})

    assert names(view) == ["a__read", "a__ask"]
    assert names(own) == ["a__mine"]
    assert names(limited(entry, own, Access.of({"a": ["*"]}))) == ["a__mine"]


def test_a_server_of_which_nothing_is_known_yet_is_not_asked_for_them() -> None:
    view = single(server("a", disabled_tools=OFF))

    assert find_target(call(view, "tools/call", {"name": "read"}))[0].name == "read"
    with pytest.raises(BadInput, match="Unknown tool: write_1"):
        find_target(call(view, "tools/call", {"name": "write_1"}))


def test_switching_a_tool_is_a_change_of_the_list_of_tools_alone() -> None:
    on, off = server("a", OFFERED), server("a", OFFERED, disabled_tools=("read",))

    assert changed_lists(unified(on), unified(off)) == {"tools"}
    assert changed_lists(single(off), single(on)) == {"tools"}
    assert not changed_lists(unified(on), unified(server("a", OFFERED, disabled_tools=("none",))))
