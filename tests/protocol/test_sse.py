"""Server-sent events: however the bytes are cut, the same events come out."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import TooLarge
from interlock.protocol.sse import KEEP_ALIVE, EventReader, ServerSentEvent, encode

LIMIT = 1000
LINES = (
    *(b"", b"", b"data: a", b"data:b", b"data", b"data: ", b": comment", b"event: ping"),
    *(b"id: 7", b"id", b"retry: 10", b"retry: x", b"other: 1", b"data:  two", b"\xef\xbb\xbf"),
)
LINE_ENDS = (b"\n", b"\r\n", b"\r")


def read(*chunks: bytes, limit: int = LIMIT) -> list[ServerSentEvent]:
    reader = EventReader(limit)
    return [event for chunk in chunks for event in reader.feed(chunk)]


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[index : index + 1] for index in range(len(stream))]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Return a stream of likely and unlikely lines, and the same bytes in chunks."""
    lines = st.sampled_from(LINES) | st.binary(max_size=8)
    pieces = draw(st.lists(st.tuples(lines, st.sampled_from(LINE_ENDS)), max_size=25))
    stream = b"".join(line + end for line, end in pieces)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    return stream, [stream[a:b] for a, b in pairwise(edges)]


@given(streams())
@settings(deadline=None, max_examples=500)
def test_any_chunking_gives_the_same_events(made: tuple[bytes, list[bytes]]) -> None:
    stream, chunks = made

    assert read(*chunks) == read(stream)
    assert read(*bytewise(stream)) == read(stream)


@pytest.mark.parametrize("end", LINE_ENDS)
def test_each_kind_of_line_end_ends_a_line(end: bytes) -> None:
    stream = end.join([b"event: greeting", b"data: hello", b"id: 1", b"retry: 250", b"", b""])
    expected = [ServerSentEvent(b"hello", "greeting", "1", 250)]

    assert read(stream) == expected
    assert read(*bytewise(stream)) == expected


def test_a_line_end_that_is_split_across_chunks_ends_one_line() -> None:
    assert read(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [ServerSentEvent(b"a\nb")]


def test_a_blank_line_after_a_split_line_end_is_not_lost() -> None:
    assert read(b"data: a\r", b"\n", b"\n") == [ServerSentEvent(b"a")]
    assert read(b"data: a\r", b"", b"\n", b"", b"\n") == [ServerSentEvent(b"a")]


def test_several_data_lines_are_one_event_with_line_breaks() -> None:
    assert read(b"data: a\ndata:\ndata: b\n\n") == [ServerSentEvent(b"a\n\nb")]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data:x", b"x"),
        (b"data: x", b"x"),
        (b"data:  x", b" x"),
        (b"data: x: y", b"x: y"),
        (b"data", b""),
        (b"data:", b""),
        (b'data: {"a":"\xc3\xa9"}', b'{"a":"\xc3\xa9"}'),
    ],
)
def test_one_space_after_the_colon_is_not_data(line: bytes, data: bytes) -> None:
    assert read(line + b"\n\n") == [ServerSentEvent(data)]


@pytest.mark.parametrize(
    "stream", [b"\n\n\n", b": hi\n\n", KEEP_ALIVE, b"event: x\n\n", b"a: b\n\n"]
)
def test_what_holds_neither_data_nor_position_is_no_event(stream: bytes) -> None:
    assert read(stream) == []


def test_an_event_without_data_still_says_where_the_stream_stands() -> None:
    assert read(b"id: 3\n\n", b"retry: 5\n\n") == [
        ServerSentEvent(id="3"),
        ServerSentEvent(retry=5),
    ]


def test_an_event_type_does_not_outlive_its_event() -> None:
    events = read(b"event: x\ndata: 1\n\ndata: 2\n\nevent: y\n\ndata: 3\n\n")

    assert [event.event for event in events] == ["x", "message", "message"]


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"1.5", b" 10 ", "٣".encode(), b"9" * 5000])
def test_a_delay_that_is_not_a_small_whole_number_is_ignored(value: bytes) -> None:
    assert read(b"retry: " + value + b"\ndata: a\n\n", limit=10_000) == [ServerSentEvent(b"a")]


def test_an_id_with_a_null_is_ignored() -> None:
    assert read(b"id: a\0b\ndata: a\n\n") == [ServerSentEvent(b"a")]


def test_a_byte_order_mark_at_the_beginning_alone_is_skipped() -> None:
    stream = b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n"

    assert read(stream) == [ServerSentEvent(b"a")]
    assert read(*bytewise(stream)) == [ServerSentEvent(b"a")]


def test_the_unfinished_last_event_is_dropped() -> None:
    assert read(b"data: a\n\ndata: b\n") == [ServerSentEvent(b"a")]


def test_an_event_of_the_limit_is_read_and_a_larger_one_refused() -> None:
    assert read(b"data: " + b"x" * LIMIT + b"\n\n") == [ServerSentEvent(b"x" * LIMIT)]
    with pytest.raises(TooLarge, match=f"{LIMIT} bytes"):
        read(b"data: " + b"x" * (LIMIT + 100) + b"\n\n")


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 50, b"data: x\n", b"data\n", b"x" * 50])
def test_an_event_without_end_is_refused_however_it_comes(endless: bytes) -> None:
    with pytest.raises(TooLarge):
        read(*[endless] * LIMIT * 2)


def test_a_stream_may_be_longer_than_its_events() -> None:
    assert read(*[b"data: x\n\n: comment\n"] * LIMIT) == [ServerSentEvent(b"x")] * LIMIT


def test_what_is_written_is_read_again() -> None:
    stream = encode(b'{"a":1}', event="message", event_id="s-1") + KEEP_ALIVE + encode(b"")

    assert read(stream) == [
        ServerSentEvent(b'{"a":1}', "message", "s-1"),
        ServerSentEvent(b""),
    ]
