import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.gateway.aggregation import STATUS_META
from interlock.gateway.lists import LIST_KINDS, list_page
from interlock.gateway.table import View
from interlock.protocol.json import JSONObject
from tests.gateway.offers import catalogue, names, server, single, unified

NAMES = st.lists(st.text(min_size=1, max_size=8), max_size=30, unique=True)


def offering(*tools: str) -> View:
    return single(server("a", catalogue(tools=tools)))


def page(view: View, cursor: object = None, *, size: int = 2) -> tuple[list[str], str | None]:
    """Return the names of one page and the cursor of the next."""
    params: JSONObject = {} if cursor is None else {"cursor": cursor}
    result = list_page(view, "tools/list", params, size)
    return [tool["name"] for tool in result["tools"]], result.get("nextCursor")


@settings(deadline=None)
@given(NAMES, st.integers(1, 40))
def test_paging_brings_every_item_once_and_in_order(tools: list[str], size: int) -> None:
    view = offering(*tools)
    seen, cursor = page(view, size=size)
    while cursor is not None:
        more, cursor = page(view, cursor, size=size)
        assert more
        seen += more

    assert tools == seen


def test_the_last_page_has_no_cursor_even_where_it_is_full() -> None:
    first, cursor = page(offering("a", "b", "c", "d"))

    assert first == ["a", "b"]
    assert page(offering("a", "b", "c", "d"), cursor) == (["c", "d"], None)


@settings(deadline=None)
@given(NAMES, NAMES, st.integers(1, 5))
def test_a_cursor_survives_changes_before_it(
    before: list[str], after: list[str], size: int
) -> None:
    listed = [f"-{name}" for name in before[:size]]
    listed += [f"-filler{number}" for number in range(size - len(listed))]
    rest = [f"+{name}" for name in after] + ["+last"]
    _, cursor = page(offering(*listed, *rest), size=size)
    shrunk = offering(listed[-1], *rest)
    grown = offering("=new", "=newer", *listed, *rest)

    assert cursor is not None
    assert page(shrunk, cursor, size=100)[0] == rest
    assert page(grown, cursor, size=100)[0] == rest


def test_a_cursor_may_change_the_size_of_pages_on_the_way() -> None:
    view = offering("a", "b", "c", "d", "e")
    _, cursor = page(view, size=1)

    assert page(view, cursor, size=3)[0] == ["b", "c", "d"]


def test_a_name_with_colons_and_letters_of_any_script_makes_a_good_cursor() -> None:
    view = offering("a:b:c", "도구", "z")
    _, first = page(view, size=1)
    _, second = page(view, first, size=1)

    assert page(view, first, size=1)[0] == ["도구"]
    assert page(view, second, size=1) == (["z"], None)


def test_a_cursor_whose_item_has_gone_is_refused_with_the_cure() -> None:
    _, cursor = page(offering("a", "b", "c"))

    with pytest.raises(BadInput, match="out of date; start again without it"):
        page(offering("a", "c"), cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "abc",
        "é",
        5,
        -1,
        True,
        [],
        {},
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"x:a").decode(),
        base64.urlsafe_b64encode(b"9" * 5000 + b":a").decode(),
        base64.urlsafe_b64encode(b"1").decode(),
        base64.urlsafe_b64encode(b"-1:zzz").decode(),
    ],
)
def test_a_foreign_cursor_is_refused(cursor: object) -> None:
    with pytest.raises(BadInput, match='"cursor" is'):
        page(offering("a", "b", "c"), cursor)


@settings(deadline=None)
@given(st.text())
def test_no_text_is_a_cursor_unless_we_made_it(text: str) -> None:
    with pytest.raises(BadInput, match="start again without it"):
        page(offering("tool-one", "tool-two", "tool-three"), text)


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("tools/list", "name"),
        ("prompts/list", "name"),
        ("resources/list", "uri"),
        ("resources/templates/list", "uriTemplate"),
    ],
)
def test_each_kind_of_list_has_pages(method: str, key: str) -> None:
    three = ("a", "b", "c")
    offered = catalogue(tools=three, prompts=three, resources=three, templates=three)
    view, kind = single(server("s", offered)), LIST_KINDS[method]
    first = list_page(view, method, {}, 2)
    second = list_page(view, method, {"cursor": first["nextCursor"]}, 2)

    assert [item[key] for item in first[kind]] == ["a", "b"]
    assert [item[key] for item in second[kind]] == ["c"]


def test_every_page_says_which_servers_are_not_well() -> None:
    offered = catalogue(tools=["x", "y", "z"])
    view = unified(server("a", offered, condition="stale"))
    status = {STATUS_META: {"a": {"status": "stale"}}}
    first = list_page(view, "tools/list", {}, 2)

    assert len(names(view)) == 3
    assert first["_meta"] == status
    assert list_page(view, "tools/list", {"cursor": first["nextCursor"]}, 2)["_meta"] == status
    assert "_meta" not in list_page(replace(view, list_meta=None), "tools/list", {}, 2)
