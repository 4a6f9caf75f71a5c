"""Lines come out whole, whatever the chunks, and no line makes memory grow beyond the limit."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from interlock.station.framing import LineSplitter, Oversized

MIB = 1024 * 1024


def split(data: bytes, *, chunk: int, limit: int = 100) -> list[bytes | Oversized]:
    splitter = LineSplitter(limit)
    lines: list[bytes | Oversized] = []
    for start in range(0, len(data), chunk):
        lines += splitter.feed(data[start : start + chunk])
    return lines + splitter.finish()


def test_lines_come_without_their_ends() -> None:
    assert LineSplitter(10).feed(b"one\ntwo\r\nthree\n") == [b"one", b"two", b"three"]


def test_blank_lines_are_left_out() -> None:
    assert LineSplitter(10).feed(b"\n\r\n  \t\na\n\n") == [b"a"]


def test_an_incomplete_line_waits_for_its_newline() -> None:
    splitter = LineSplitter(10)

    assert splitter.feed(b"on") == []
    assert splitter.feed(b"e") == []
    assert splitter.feed(b"\ntw") == [b"one"]


def test_what_stands_after_the_last_newline_comes_at_the_end() -> None:
    splitter = LineSplitter(10)

    assert splitter.feed(b"one\ntwo") == [b"one"]
    assert splitter.finish() == [b"two"]
    assert splitter.finish() == []


def test_a_carriage_return_and_its_newline_may_come_apart() -> None:
    splitter = LineSplitter(10)

    assert splitter.feed(b"one\r") == []
    assert splitter.feed(b"\ntwo\r\n") == [b"one", b"two"]


def test_a_carriage_return_inside_a_line_stays() -> None:
    assert LineSplitter(10).feed(b"a\rb\n") == [b"a\rb"]


@given(st.integers(1, 12))
def test_a_line_of_exactly_the_limit_passes(chunk: int) -> None:
    assert split(b"1234567890\r\nnext\n", chunk=chunk, limit=10) == [b"1234567890", b"next"]


@given(st.integers(1, 16))
def test_a_line_over_the_limit_is_dropped_and_the_next_one_passes(chunk: int) -> None:
    dropped = Oversized(11, b"12345678901", b"12345678901")

    assert split(b"12345678901\nnext\n", chunk=chunk, limit=10) == [dropped, b"next"]


@given(st.integers(1, 12))
def test_an_unfinished_line_over_the_limit_is_dropped_at_the_end(chunk: int) -> None:
    dropped = Oversized(12, b"123456789012", b"123456789012")

    assert split(b"123456789012", chunk=chunk, limit=10) == [dropped]


def test_a_dropped_line_keeps_its_first_and_last_kibibyte() -> None:
    line = b"h" * 1024 + b"m" * 100_000 + b"t" * 1024

    assert split(line + b"\n", chunk=700, limit=5000) == [
        Oversized(len(line), b"h" * 1024, b"t" * 1024)
    ]


def test_the_edges_of_a_dropped_line_stay_out_of_its_repr() -> None:
    assert repr(Oversized(9, b"secret", b"secret")) == "Oversized(size=9)"


@given(
    st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"x"))),
    st.integers(1, 30),
)
def test_chunks_do_not_matter(lines: list[bytes], chunk: int) -> None:
    data = b"".join(line + b"\n" for line in lines)

    assert split(data, chunk=chunk) == split(data, chunk=len(data) or 1)


@given(st.lists(st.text('abc{}" ', min_size=1).map(str.encode)))
def test_every_line_that_is_not_blank_arrives(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)

    assert split(data, chunk=7) == [line for line in lines if line.strip()]


def test_memory_is_bounded_by_the_limit() -> None:
    splitter, chunk = LineSplitter(4 * MIB), b"x" * (64 * 1024)
    tracemalloc.start()
    try:
        for _ in range(64 * 16):
            splitter.feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 12 * MIB
    assert splitter.feed(b"\nnext\n")[1] == b"next"
