"""Which names a pattern means, and what limits leave of servers and tools."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.identity.limits import MAX_PATTERN, Access
from interlock.policy.access import matches, may_call, may_see, switched_off_by

FEW = st.text("ab*", max_size=8)


@dataclass(frozen=True, slots=True)
class Offer:
    name: str
    disabled_tools: tuple[str, ...] = ()


@given(FEW, st.text("ab", max_size=8))
def test_a_star_stands_for_any_characters_and_all_else_for_itself(pattern: str, name: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None

    assert matches(pattern, name) is expected


@pytest.mark.parametrize("pattern", ["a?", "[ab]", "a.", "A"])
def test_nothing_else_is_a_wildcard(pattern: str) -> None:
    assert not matches(pattern, "a")
    assert not matches(pattern, "ab")
    assert matches(pattern, pattern)


def test_no_pattern_takes_long() -> None:
    pattern = "*a" * (MAX_PATTERN // 2)

    # A matcher that tries every place would never come to an end.
    assert not matches(pattern, "a" * 10_000 + "b")


def test_without_limits_everything_is_seen() -> None:
    assert may_see(None, "any")
    assert may_call(None, Offer("any"), "tool")


def test_limits_that_name_nothing_show_nothing() -> None:
    assert not may_see(Access.of({}), "any")
    assert not may_call(Access.of({}), Offer("any"), "tool")


def test_a_tool_is_seen_where_any_pattern_of_its_server_names_it() -> None:
    access = Access.of({"github": ["get_*", "search"], "db-*": ["*"], "git*": ["list"], "bare": []})
    seen = {
        (server, tool)
        for server in ("github", "gitlab", "db-1", "db", "bare")
        for tool in ("get_issue", "search", "list", "delete")
        if may_call(access, Offer(server), tool)
    }

    assert seen == {
        ("github", "get_issue"),
        ("github", "search"),
        ("github", "list"),
        ("gitlab", "list"),
        ("db-1", "get_issue"),
        ("db-1", "search"),
        ("db-1", "list"),
        ("db-1", "delete"),
    }
    assert [each for each in ("github", "gitlab", "db", "bare") if may_see(access, each)] == [
        "github",
        "gitlab",
        "bare",
    ]


@pytest.mark.parametrize("access", [None, Access.of({"files": ["*"]})])
def test_a_tool_that_is_switched_off_exists_for_nobody(access: Access | None) -> None:
    files = Offer("files", ("delete", "write_*"))
    tools = ("read", "delete", "delete_all", "write_one", "rewrite_one")

    assert [tool for tool in tools if may_call(access, files, tool)] == [
        "read",
        "delete_all",
        "rewrite_one",
    ]


def test_the_pattern_that_switches_a_tool_off_is_told() -> None:
    assert switched_off_by(("a", "b*", "bc"), "bc") == "b*"
    assert switched_off_by(("a", "b*", "bc"), "cb") is None
