"""JSON in and out: hostile bodies are refused in words, and what servers answer is not changed."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import BadMessage
from interlock.protocol.json import (
    MAX_DEPTH,
    HostileJSON,
    as_list,
    as_object,
    dumps,
    loads,
    loads_strict,
)

# Text as UTF-8 can carry it: hypothesis leaves out surrogates when it encodes.
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def values(integers: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | integers | FLOATS | TEXT,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
        max_leaves=30,
    )


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + b"1" + closing * depth


NESTINGS = [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]


@given(values(st.integers()))
@settings(deadline=None)
def test_what_a_server_answers_survives_reading_and_writing(value: Any) -> None:
    text = json.dumps(value).encode()

    assert value == loads(text)
    assert value == loads(dumps(value))


@given(values(st.integers(-(1 << 63), (1 << 64) - 1)))
@settings(deadline=None)
def test_what_a_caller_sends_is_read_like_any_parser_reads_it(value: Any) -> None:
    assert value == loads_strict(json.dumps(value).encode())
    assert value == loads_strict(dumps(value))


@given(st.integers(min_value=1 << 64) | st.integers(max_value=-(1 << 63) - 1))
@settings(deadline=None)
def test_integers_beyond_64_bits_survive_from_servers_and_are_refused_from_callers(
    number: int,
) -> None:
    text = dumps({"n": number})

    assert b'{"n":%d}' % number == text
    assert {"n": number} == loads(text)
    with pytest.raises(HostileJSON, match="64 bits"):
        loads_strict(text)


def test_integers_of_64_bits_are_accepted_to_the_last() -> None:
    text = b"[-9223372036854775808,18446744073709551615]"

    assert loads_strict(text) == [-(1 << 63), (1 << 64) - 1]


@given(
    st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
)
@settings(deadline=None)
def test_no_bytes_raise_anything_but_the_documented_errors(text: bytes) -> None:
    for read, error in ((loads, ValueError), (loads_strict, HostileJSON)):
        try:
            value = read(text)
        except error:
            continue
        dumps(value)


@pytest.mark.parametrize(("opening", "closing"), NESTINGS)
def test_nesting_is_accepted_at_the_limit_and_refused_beyond_it(
    opening: bytes, closing: bytes
) -> None:
    levels = opening.count(b"[") + opening.count(b"{")
    deepest = nested(MAX_DEPTH // levels, opening, closing)

    assert deepest == dumps(loads_strict(deepest))
    assert deepest == dumps(loads(deepest))
    for wrapped in (b"[%s]" % deepest, b'{"a":%s}' % deepest):
        with pytest.raises(HostileJSON, match=f"deeper than {MAX_DEPTH}"):
            loads_strict(wrapped)
        with pytest.raises(ValueError, match=f"deeper than {MAX_DEPTH}"):
            loads(wrapped)


@pytest.mark.parametrize("digits", [b"1", b"1" * 25])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"":'])
def test_nesting_without_end_is_refused_and_does_not_break_the_parser(
    opening: bytes, digits: bytes
) -> None:
    bottomless = opening * 100_000 + digits

    with pytest.raises(HostileJSON):
        loads_strict(bottomless)
    with pytest.raises(ValueError, match=r"deep|depth"):
        loads(bottomless)


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    value = {"code": "[{" * MAX_DEPTH * 2, 'quoted "[': ['\\"{'] * MAX_DEPTH * 2}
    text = json.dumps(value).encode()

    assert value == loads_strict(text)
    assert value == loads(text)


@pytest.mark.parametrize(
    "tricky",
    [
        *('"', "\\", '\\"', '"[', '["', '\\"[', "\\\\[", '","', '":"{', "[\\", "]}", '"]"', "\\n["),
        *('a\\"[b', '{"a":["', '\\\\"{', "\n[\t{"),
    ],
)
def test_nesting_is_measured_alike_whatever_stands_in_strings(tricky: str) -> None:
    value: Any = [tricky * 3, {tricky: tricky}] * MAX_DEPTH
    for _ in range(MAX_DEPTH - 2):
        value = {tricky: value, "x": tricky}

    assert value == loads(json.dumps(value).encode())
    with pytest.raises(ValueError, match=f"deeper than {MAX_DEPTH}"):
        loads(json.dumps([value]).encode())


def test_many_brackets_beside_each_other_do_not_count_as_nesting() -> None:
    value = [[], {}] * MAX_DEPTH * 2

    assert value == loads_strict(json.dumps(value).encode())


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"a":2}}]',
        b'{"x":[[{"a":null,"b":0,"a":null}]]}',
    ],
)
def test_a_repeated_key_is_refused_at_any_depth(text: bytes) -> None:
    with pytest.raises(HostileJSON, match="same key twice"):
        loads_strict(text)


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b'{"a":-Infinity}', b"[1e999]", b"-1e999"])
@pytest.mark.parametrize("beside", [b"", b",12345678901234567890123"])
def test_numbers_that_json_does_not_know_are_refused(text: bytes, beside: bytes) -> None:
    text = b"[%s%s]" % (text, beside)

    with pytest.raises(HostileJSON):
        loads_strict(text)
    with pytest.raises(ValueError, match=r"."):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b'"\xff"',
        b'"\xc3\x28"',
        b'"\xed\xa0\x80"',
        b"\xff\xfe[\x00]\x00",
        b"\xef\xbb\xbf[]",
        b"[1]\x00",
    ],
)
@pytest.mark.parametrize("beside", [b"", b" 12345678901234567890123 "])
def test_what_is_not_plain_utf8_json_is_refused(text: bytes, beside: bytes) -> None:
    with pytest.raises(HostileJSON):
        loads_strict(text + beside)
    with pytest.raises(ValueError, match=r"."):
        loads(text + beside)


@pytest.mark.parametrize(
    "escape", [rb"\ud800", rb"\udfff", rb"\uDC00\uD800", rb"a\uD83Db", rb"\ud83d\\ude00"]
)
@pytest.mark.parametrize(
    "form", [b'"%s"', b'{"%s":1}', b'[{"a":["%s"]}]', b'["%s",12345678901234567890123]']
)
def test_half_of_a_surrogate_pair_is_refused(form: bytes, escape: bytes) -> None:
    text = form % escape

    with pytest.raises(HostileJSON):
        loads_strict(text)
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_whole_surrogate_pairs_and_escaped_backslashes_are_read() -> None:
    text = rb'["\ud83d\ude00","\\ud800"]'

    assert loads_strict(text) == ["\U0001f600", r"\ud800"]
    assert loads(text) == ["\U0001f600", r"\ud800"]


@pytest.mark.parametrize("text", [b"1" * 5000, b"[-" + b"9" * 5000 + b"]"])
def test_numbers_of_thousands_of_digits_are_refused_and_not_computed(text: bytes) -> None:
    with pytest.raises(HostileJSON, match="64 bits"):
        loads_strict(text)
    with pytest.raises(ValueError, match=r"limit"):
        loads(text)


def test_a_string_that_never_ends_costs_no_more_than_its_length() -> None:
    # A quadratic reader would need hours for this.
    text = b"[" * (MAX_DEPTH + 1) + b'"' + b'\\"' * 1_000_000

    with pytest.raises(HostileJSON):
        loads_strict(text)


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{", b"[1,]", b"{'a':1}", b"1 2", b"nul", b"01", b'"\n"']
)
def test_what_is_not_json_is_refused_with_the_parse_error_of_json_rpc(text: bytes) -> None:
    with pytest.raises(HostileJSON) as refused:
        loads_strict(text)

    assert (refused.value.rpc_code, refused.value.reason) == (-32700, "bad_json")
    assert isinstance(refused.value, BadMessage)
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_a_refusal_does_not_repeat_the_body() -> None:
    with pytest.raises(HostileJSON) as refused:
        loads_strict(b'{"password": hunter2}')

    assert "hunter2" not in refused.value.message


def test_objects_and_lists_are_narrowed_and_all_else_is_none() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    assert as_list([1]) == [1]
    assert [as_object(value) for value in ([], "{}", None)] == [None] * 3
    assert [as_list(value) for value in ({}, "[]", None)] == [None] * 3
