"""Large answers, read in pieces: what is written of them is what `loads` and `dumps` make of them."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.protocol.json import MAX_DEPTH, dumps, loads
from interlock.protocol.large import read_in_pieces

TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"', "\\", '\\"', "\\\\", "a,b", "[", "}", '{"a":[1,', "\\u003a", "uri", ":", "\ud7ff", "😀"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | st.text("x\\😀", min_size=30, max_size=80),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXT, inner, max_size=6),
    max_leaves=60,
)
RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.lists(VALUES, max_size=9),
        "structuredContent": VALUES,
        "_meta": st.dictionaries(TEXT, VALUES, max_size=4),
        "more": VALUES,
    },
)
SIZES = {"size": 9, "long": 24}


def read(text: bytes, **sizes: int) -> Any:
    """Read to the end."""
    reading = read_in_pieces(text, **(sizes or SIZES))
    while True:
        try:
            next(reading)
        except StopIteration as over:
            return over.value


def enveloped(result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":7,"result":%b}' % result


def steps(text: bytes, **sizes: int) -> int:
    return sum(1 for _ in read_in_pieces(text, **(sizes or SIZES)))


@given(RESULTS, st.sampled_from([None, 1]), st.booleans(), st.integers(4, 60))
@settings(deadline=None, max_examples=200)
def test_an_answer_in_pieces_says_what_it_says_as_a_whole(
    result: dict[str, Any], indent: int | None, is_ascii: bool, size: int
) -> None:
    envelope = {"jsonrpc": "2.0", "id": 7, "result": result, "more": {"a": 1}}
    text = json.dumps(envelope, indent=indent, ensure_ascii=is_ascii).encode()

    written = dumps(read(text, size=size, long=3 * size))

    assert loads(text) == loads(written)
    assert list(loads(text)["result"]) == list(loads(written)["result"])


ALPHABET = st.sampled_from(
    [*'[]{},:" 1e', "\\", '"a"', '"a":', "[1,", "null", "{}", "[]", '"\\ud83d', "\ufffd"]
)


@given(st.lists(ALPHABET, max_size=30).map("".join), st.integers(1, 12))
@example('{"rows":[1,],"x":1', 3)
@example('{"rows":[,1]', 3)
@example('{"rows":[1,2}', 4)
@settings(deadline=None, max_examples=500)
def test_what_is_no_json_is_refused_wherever_it_is_cut(inside: str, size: int) -> None:
    text = enveloped(b'{"a":[%b]}' % inside.encode("utf-8", "surrogatepass"))
    try:
        expected = loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 -- as `loads` has it, of any kind
            read(text, size=size, long=9)
    else:
        assert expected == loads(dumps(read(text, size=size, long=9)))


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_every_broken_byte_is_found(at: int) -> None:
    rows = b",".join(b'{"k":"v%d","n":[%d,2.5]}' % (number, number) for number in range(20))
    text = enveloped(b'{"structuredContent":{"rows":[%b]}}' % rows)
    broken = text[:at] + b"\xff" + text[at + 1 :]

    with pytest.raises(ValueError):  # noqa: PT011 -- as `loads` has it, of any kind
        loads(broken)
    with pytest.raises(ValueError):  # noqa: PT011 -- as `loads` has it, of any kind
        read(broken)


def test_a_large_member_is_kept_as_json_and_small_ones_as_values() -> None:
    rows = b",".join([b"[1,2,3]"] * 200)
    head = b'"content":[{"type":"text","text":"see"}],"isError":false,"_meta":{"a":1}'
    text = enveloped(b'{%b,"structuredContent":{"rows":[%b]}}' % (head, rows))

    answer = read(text, size=100, long=1000)

    assert isinstance(answer["result"]["structuredContent"], orjson.Fragment)
    assert answer["result"]["content"] == [{"type": "text", "text": "see"}]
    assert answer["result"]["_meta"] == {"a": 1}
    assert text == dumps(answer)


def test_no_step_takes_much_more_than_a_piece() -> None:
    rows = b",".join([b'{"name":"a row","tags":["x","y"]}'] * 500)
    text = enveloped(b'{"content":[%b]}' % rows)

    assert len(text) // 100 <= steps(text, size=100, long=1000) <= len(text) // 50


def test_a_long_string_is_kept_as_it_was_written() -> None:
    long = json.dumps('He said "\\" and, [so on], \u00e9\n' * 40).encode()
    text = enveloped(b'{"content":[{"type":"text","text":%b},%b],"b":[%b]}' % (long, long, long))

    answer = read(text, size=50, long=100)

    assert text == dumps(answer)


def test_integers_beyond_64_bits_stay_exact_beside_what_is_written_already() -> None:
    rows = b",".join([b"123456789012345678901234567890"] * 50)
    text = enveloped(b'{"rows":[%b],"n":-99999999999999999999}' % rows)

    assert text == dumps(read(text, size=100, long=1000))


@pytest.mark.parametrize("depth", [MAX_DEPTH - 3, MAX_DEPTH - 2, MAX_DEPTH * 3])
def test_the_bound_of_depth_is_that_of_a_whole(depth: int) -> None:
    deep = b"[1," * depth + b"1" + b"]" * depth
    text = enveloped(b'{"a":[%b]}' % deep)
    # Envelope, result and member are levels, too.
    if depth + 3 > MAX_DEPTH:
        with pytest.raises(ValueError):  # noqa: PT011 -- as `loads` has it, of any kind
            read(text)
        with pytest.raises(ValueError):  # noqa: PT011 -- as `loads` has it, of any kind
            loads(text)
    else:
        assert loads(text) == loads(dumps(read(text)))


@pytest.mark.parametrize(
    "result",
    [
        b'{"a":[1,2,3,4,5,6],"a":[6,5,4,3,2,1]}',
        b'{"a":[1,2,3,4,5,6,{"b":1,"b":2},7,8,9]}',
        b'{"a":{"x":[1,2,3,4,5],"y":1,"x":[5,4,3,2,1]}}',
        rb'{"a":{"x\u003a":1,"x:":[5,4,3,2,1]},"b":[1,2,3]}',
        b'{"a":1,"b":2,"a":[1,2,3,4,5,6,7,8]}',
    ],
)
@pytest.mark.parametrize("size", range(3, 60, 4))
def test_of_repeated_keys_the_last_one_counts(result: bytes, size: int) -> None:
    text = enveloped(result)

    assert loads(text) == loads(dumps(read(text, size=size, long=1000)))


@pytest.mark.parametrize(
    ("result", "place"),
    [
        (b'{"content":[%b,{"type":"resource_link","uri":"a:b"}]}', "content"),
        (
            b'{"content":[%b,{"type":"resource","resource":{"text":"","\\u0075ri":"a:b"}}]}',
            "content",
        ),
        (b'{"messages":[%b,{"content":{"type":"resource_link","uri":"a:b"}}]}', "messages"),
        (b'{"_meta":{"rows":[%b]}}', "_meta"),
        (b'{"inputRequests":{"rows":[%b]}}', "inputRequests"),
    ],
)
def test_what_the_gateway_looks_into_is_a_value(result: bytes, place: str) -> None:
    text = enveloped(result % b",".join([b'{"type":"text","text":"a"}'] * 50))

    answer = read(text, size=100, long=1000)

    assert loads(text)["result"][place] == answer["result"][place]


@pytest.mark.parametrize(
    "text",
    [
        b'[{"jsonrpc":"2.0","id":1,"result":{"a":[1,2,3,4,5]}},{"jsonrpc":"2.0"}]',
        b'{"jsonrpc":"2.0","method":"x","params":{"a":[1,2,3,4,5,6,7]}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":[1,2,3,4,5,6]}}',
        b'{"jsonrpc":"2.0","id":1,"result":[[1,2,3],[1,2,3],[1,2,3]]}',
        b"[1,2,3,4,5,6,7,8,9,10]",
        b'"a, b, c, d, e, f, g, h, i, j"',
    ],
)
def test_what_is_no_result_is_read_as_a_whole(text: bytes) -> None:
    assert loads(text) == read(text)
