"""A server that writes what is no answer: at most the call fails, and the log is not flooded."""

import asyncio
import re
import time

import pytest

from tests.faults.stage import MIB, Stage

KINDS = (
    *("noise", "utf8", "half", "wrong id", "odd id", "true id", "no id", "null", "null id"),
    *("number", "deep", "deep notification", "batch", "surrogate"),
)
FLOOD = 20_000
OF_GARBAGE = re.compile(r"upstream\.(?:not_a_message|unknown_id)")
FAILS_WITHIN = 10.0  # seconds; the deadline of a call is a minute


async def test_garbage_before_an_answer_hurts_neither_the_answer_nor_calls_beside_it(
    on: Stage,
) -> None:
    pid = (await on.call("bad", "pid")).text
    for kind in KINDS:
        beside = asyncio.create_task(on.call("bad", "echo", text=kind))
        answer = await on.call("bad", "garbage", kind=kind)

        assert answer.message.get("result"), f"{kind}: {answer.message}"
        assert answer.text == "after the garbage"
        assert (await beside).text == kind
    # It is the same process, in the same session.
    assert (await on.call("bad", "pid")).text == pid


@pytest.mark.parametrize("kind", ["deep", "utf8", "half"])
async def test_an_answer_that_cannot_be_read_fails_its_call_at_once_and_no_other(
    on: Stage, kind: str
) -> None:
    other = asyncio.create_task(on.call("bad", "slow", seconds=0))
    answer = await on.call("bad", "bad_answer", kind=kind)

    assert "bad" in answer.error
    assert "cannot be read" in answer.error
    assert answer.seconds < FAILS_WITHIN
    assert (await other).text == "late"
    assert (await on.call("bad", "echo", text="alive")).text == "alive"


async def test_a_second_answer_to_a_call_is_dropped(on: Stage) -> None:
    assert (await on.call("bad", "twice")).text == "first"
    assert (await on.call("bad", "echo", text="next")).text == "next"


async def test_a_flood_of_garbage_is_logged_once_a_second(on: Stage) -> None:
    began, so_far = time.monotonic(), len(OF_GARBAGE.findall(on.program.output))
    for kind in ("noise", "wrong id"):
        before = len(OF_GARBAGE.findall(on.program.output))
        # What was logged just before stands for the first that comes within a second of it.
        while len(OF_GARBAGE.findall(on.program.output)) == before:
            answer = await on.call("bad", "garbage", kind=kind, times=FLOOD)
            assert answer.text == "after the garbage"
    seconds = time.monotonic() - began
    # The next line tells how many were left out.
    lines = len(OF_GARBAGE.findall(on.program.output)) - so_far
    on.tell(lines=lines, seconds=seconds)

    assert 2 <= lines <= 2 * (seconds + 1)


async def test_requests_without_end_from_a_server_that_reads_no_answers_hold_little_memory(
    on: Stage,
) -> None:
    before = on.forget_peak()
    answer = await on.call("bad", "ask", times=FLOOD)
    peak = on.peak()
    on.tell(seconds=answer.seconds, grown_mib=(peak - before) / MIB)

    assert answer.text == "after the flood"
    assert peak - before < 16 * MIB
    assert (await on.call("bad", "echo", text="alive")).text == "alive"
