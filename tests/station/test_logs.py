"""The log keeps the newest lines, bounded, and never shows a secret."""

import tracemalloc
from datetime import UTC, datetime

import pytest

from interlock.settings import LogLevel
from interlock.station.logs import MAX_LINE_BYTES, LogWriter, Mask, ServerLog

MIB = 1024 * 1024


def texts(log: ServerLog, last: int = 1000) -> list[str]:
    return [line.text for line in log.lines(last)]


def writer(log: ServerLog, *secrets: str) -> LogWriter:
    return log.writer(Mask(secrets))


def test_lines_come_oldest_first_with_their_time() -> None:
    log = ServerLog(10)
    before = datetime.now(UTC)

    writer(log).feed(b"one\ntwo\n")

    assert texts(log) == ["one", "two"]
    assert all(before <= line.time <= datetime.now(UTC) for line in log.lines(2))


@pytest.mark.parametrize(("last", "expected"), [(0, []), (1, ["c"]), (2, ["b", "c"]), (-1, [])])
def test_only_the_newest_lines_are_shown_when_asked_for_few(last: int, expected: list[str]) -> None:
    log = ServerLog(10)
    writer(log).feed(b"a\nb\nc\n")

    assert texts(log, last) == expected


def test_a_full_log_forgets_its_oldest_lines() -> None:
    log = ServerLog(3)
    written = writer(log)

    written.feed(b"a\nb\nc\nd\ne\n")
    written.feed(b"f\n")

    assert texts(log) == ["d", "e", "f"]


def test_a_line_may_come_in_pieces() -> None:
    log = ServerLog(10)
    written = writer(log)

    written.feed(b"hel")
    written.feed(b"lo\nwor")

    assert texts(log) == ["hello"]
    written.finish()
    assert texts(log) == ["hello", "wor"]


def test_a_long_line_is_cut_and_the_next_one_is_whole() -> None:
    log = ServerLog(10)
    written = writer(log)

    for _ in range(10):
        written.feed(b"x" * 3000)
    written.feed(b"\nnext\n" + b"y" * 30_000 + b"\nlast\n")

    assert texts(log) == ["x" * MAX_LINE_BYTES, "next", "y" * MAX_LINE_BYTES, "last"]


def test_secrets_are_hidden() -> None:
    log = ServerLog(10)

    writer(log, "hunter22", "hunter22-long").feed(b"hunter22 and hunter22-long!\n")

    assert texts(log) == ["*** and ***!"]


def test_short_values_stay_visible() -> None:
    log = ServerLog(10)

    writer(log, "debug", "1", "").feed(b"level debug 1\n")

    assert texts(log) == ["level debug 1"]


def test_each_line_of_a_secret_of_many_lines_is_hidden() -> None:
    log = ServerLog(10)

    writer(log, "-----BEGIN KEY-----\nc2VjcmV0\n").feed(b"-----BEGIN KEY-----\nc2VjcmV0\n")

    assert texts(log) == ["***", "***"]


def test_a_secret_at_the_cut_of_a_long_line_is_hidden() -> None:
    log = ServerLog(10)
    start = b"x" * (MAX_LINE_BYTES - 8)

    writer(log, "hunter22hunter22").feed(start + b"hunter22hunter22\n")

    assert texts(log) == [start.decode()]


def test_control_codes_are_removed_before_secrets_are_sought() -> None:
    log = ServerLog(10)

    writer(log, "hunter22").feed(b"\x1b[31mhun\x1b[0mter\x0022\tdone\x07\r\n")

    assert texts(log) == ["***\tdone"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    log = ServerLog(10)

    writer(log).feed(b"a\xff\xfeb\n")

    assert texts(log) == ["a\ufffd\ufffdb"]


def test_a_log_outlives_a_restart_and_keeps_hiding_the_old_secret() -> None:
    log = ServerLog(10)

    writer(log, "old-secret").feed(b"old-secret\n")
    writer(log, "new-secret").feed(b"new-secret\n")

    assert texts(log) == ["***", "***"]


def test_the_newest_line_is_that_of_the_same_run() -> None:
    log = ServerLog(10)
    first, second = writer(log, "hunter22"), writer(log)

    first.feed(b"with hunter22\n\n")
    first.note("Interlock says something.")

    assert first.newest() == "with ***"
    assert second.newest() is None


def test_a_flood_costs_little_memory() -> None:
    log = ServerLog(1000)
    written, chunk = writer(log), (b"e" * 99 + b"\n") * 600
    tracemalloc.start()
    try:
        for _ in range(500):
            written.feed(chunk)
        for _ in range(500):
            written.feed(b"f" * 60_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * MIB
    assert len(log.lines(5000)) == 1000


def test_a_flood_is_told_line_by_line_in_order_without_blank_lines() -> None:
    log = ServerLog(1000)
    written = writer(log, "hunter22")
    written.feed(b"begin")
    written.feed(b"ning\n" + b"\n\n".join(b"line %d hunter22" % n for n in range(50)) + b"\n\nen")
    written.feed(b"d\n")

    expected = ["beginning", *(f"line {n} ***" for n in range(50)), "end"]
    assert texts(log) == expected
    assert texts(log, 3) == expected[-3:]
    assert written.newest() == "end"


def test_a_flood_leaves_no_more_lines_than_the_log_keeps() -> None:
    log = ServerLog(10)
    written = writer(log)
    for block in range(5):
        written.feed(b"".join(b"%d-%d\n" % (block, n) for n in range(7)))

    assert texts(log) == ["3-4", "3-5", "3-6", *(f"4-{n}" for n in range(7))]


def test_a_long_line_in_a_flood_is_cut() -> None:
    log = ServerLog(1000)
    writer(log).feed(b"a\n" * 100 + b"x" * (MAX_LINE_BYTES + 5) + b"\n" + b"b\n" * 100)

    assert [len(text) for text in texts(log)] == [1] * 100 + [MAX_LINE_BYTES] + [1] * 100


def test_a_note_of_our_own_is_one_bounded_line() -> None:
    log = ServerLog(10)
    writer(log).note("one\ntwo" + "x" * MIB)

    (text,) = texts(log)
    assert text.startswith("one two")
    assert len(text) == MAX_LINE_BYTES


LEVELS = (
    b"DEBUG: loading",
    b"[info] up",
    b"2026 WARN slow",
    b"Fatal error",
    b"Traceback",
    b"  at x",
)


@pytest.mark.parametrize(
    ("level", "first"), [(None, 0), ("debug", 0), ("info", 1), ("warning", 2), ("error", 3)]
)
def test_lines_that_name_a_lower_level_are_not_kept(level: LogLevel | None, first: int) -> None:
    log = ServerLog(100)
    log.keep_from(level)

    writer(log).feed(b"\n".join((*LEVELS, b"")))

    assert texts(log) == [each.decode() for each in LEVELS[first:]]


def test_what_ended_a_server_is_known_even_where_it_is_not_kept() -> None:
    log = ServerLog(100)
    log.keep_from("error")
    writing = writer(log)

    writing.feed(b"info: bye\n")

    assert texts(log) == []
    assert writing.newest() == "info: bye"


def test_notes_are_held_to_the_level_too() -> None:
    log = ServerLog(100)
    log.keep_from("warning")
    writing = writer(log)

    for level in ("debug", "notice", "warning", "emergency"):
        writing.note(f"[{level}] said")

    assert texts(log) == ["[warning] said", "[emergency] said"]


def test_a_level_is_sought_at_the_beginning_of_a_line_only() -> None:
    log = ServerLog(100)
    log.keep_from("error")
    line = "x" * 200 + " debug"

    writer(log).feed(f"{line}\n".encode())

    assert texts(log) == [line]
