import hashlib
import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interlock.gateway.naming import (
    MAX_NAME,
    is_legal,
    marked_uri,
    prefixed,
    slug,
    split_mark,
)

LEGAL = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Pieces that a naming by plain joining would mix up.
PIECES = st.sampled_from(
    ["a", "b", "_", "__", "-", ".", "/", " ", "é", "日", "\0", "\n", "_0123abcd", "x" * 31]
)
ADVERSARIAL = st.lists(PIECES, max_size=8).map("".join)
NAMES = st.one_of(ADVERSARIAL, st.text(max_size=80), st.text("ab_", max_size=6))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@settings(deadline=None)
@given(NAMES, NAMES)
def test_every_name_is_legal_for_every_client(server: str, name: str) -> None:
    assert LEGAL.fullmatch(prefixed(server, name)) is not None
    assert is_legal(prefixed(server, name))


@settings(deadline=None)
@given(NAMES, NAMES, NAMES, NAMES)
def test_different_pairs_never_have_the_same_name(
    server: str, name: str, other_server: str, other_name: str
) -> None:
    assume((server, name) != (other_server, other_name))

    assert prefixed(server, name) != prefixed(other_server, other_name)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_servers_with_different_names_have_different_slugs(server: str, other: str) -> None:
    assume(server != other)

    assert slug(server) != slug(other)


@settings(deadline=None)
@given(NAMES)
def test_a_slug_ends_without_doubt_where_the_separator_begins(server: str) -> None:
    prefix = slug(server)

    assert "__" not in prefix
    assert not prefix.endswith("_")
    assert len(prefix) <= MAX_NAME // 2


@settings(deadline=None)
@given(NAMES, NAMES)
def test_what_is_exposed_cannot_be_chosen_by_a_tool_of_another_server(
    server: str, name: str
) -> None:
    """A server that names a tool like another one's full name still gets its own prefix."""
    taken = prefixed(server, name)

    assert prefixed("evil", taken) != taken


@settings(deadline=None)
@given(NAMES, NAMES)
def test_a_server_cannot_take_the_name_that_another_ones_long_name_was_cut_to(
    server: str, name: str
) -> None:
    full = prefixed(server, name)
    head, _, tail = full.partition("__")
    assume((head, tail) != (server, name))

    assert prefixed(head, tail) != full


def test_simple_names_stay_readable() -> None:
    assert prefixed("time", "get_current_time") == "time__get_current_time"
    assert prefixed("my-server", "Do-It") == "my-server__Do-It"


def test_a_name_is_the_same_in_every_version_of_the_program() -> None:
    """Names are part of people's prompts and configurations, so these may never change."""
    assert prefixed("a", "b__c") == "a__b__c"
    assert prefixed("a__b", "c") == f"a_b_{digest('a__b')}__c"
    assert prefixed("a_", "b") == f"a_{digest('a_')}__b"
    assert prefixed("a", "b.c") == "a__b_c_" + digest("a\0b.c")
    assert prefixed("日本", "x") == f"server_{digest('日本')}__x"


def test_a_name_that_only_looks_digested_gets_a_digest_too() -> None:
    cut = prefixed("a", "x" * 80)
    lookalike = cut.removeprefix("a__")

    assert prefixed("a", lookalike) != cut
    assert prefixed("a", "x_0123abcd") == "a__x_0123abcd_" + digest("a\0x_0123abcd")


def test_a_server_whose_name_only_looks_digested_gets_a_digest_too() -> None:
    lookalike = slug("a b")

    assert lookalike == f"a_b_{digest('a b')}"
    assert slug(lookalike) != lookalike


def test_a_name_of_just_64_characters_is_left_whole() -> None:
    fits = "x" * (MAX_NAME - len("a__"))

    assert prefixed("a", fits) == f"a__{fits}"
    assert prefixed("a", fits + "x") == f"a__{'x' * 52}_{digest('a' + chr(0) + fits + 'x')}"


def test_a_legal_name_has_1_to_64_letters_digits_underscores_and_hyphens() -> None:
    assert is_legal("a")
    assert is_legal("A-b_9" * 12)
    assert not is_legal("")
    assert not is_legal("x" * 65)
    assert not is_legal("a.b")
    assert not is_legal("a\n")
    assert not is_legal("é")


@settings(deadline=None)
@given(NAMES, st.text(max_size=40))
def test_a_marked_uri_gives_back_the_uri_and_the_servers_slug(server: str, uri: str) -> None:
    assert split_mark(marked_uri(server, uri)) == (uri, slug(server))


def test_a_uri_without_a_mark_is_nobodys() -> None:
    assert split_mark("file:///a#part") == ("file:///a#part", None)
    assert split_mark("") == ("", None)


def test_a_mark_leaves_the_scheme_as_it_was() -> None:
    assert marked_uri("shop", "ui://panel") == "ui://panel#~shop"
