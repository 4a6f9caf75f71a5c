"""Hosted processes speak line by line, fail in plain words, and leave nothing behind."""

import asyncio
import json
import os
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.errors import UpstreamUnavailable
from interlock.station.failures import ProcessEnded, StartFailed, process_ended
from interlock.station.logs import ServerLog
from interlock.station.process import ProcessLimits
from interlock.upstreams.definition import StdioTarget
from tests.station.inbox import LIMITS, Inbox, child, start
from tests.station.lifeline import Lifeline

MIB = 1024 * 1024
REAL_LIMITS = ProcessLimits(max_line=32 * MIB, stop_timeout=3.0)


async def test_messages_go_both_ways_in_order() -> None:
    inbox = Inbox()
    process = await start(child("echo"), inbox)

    for number in range(100):
        await process.send(b'{"n":%d}' % number)

    assert [await inbox.message() for _ in range(100)] == [{"n": n} for n in range(100)]
    await process.close()


async def test_a_message_of_several_lines_is_sent_as_one() -> None:
    inbox = Inbox()
    process = await start(child("echo"), inbox)

    await process.send(b'{\n  "a": 1,\r\n  "b": 2\n}')

    assert await inbox.line() == b'{   "a": 1,    "b": 2 }'
    await process.close()


async def test_a_large_message_makes_the_round_trip() -> None:
    inbox = Inbox()
    process = await start(child("echo"), inbox, limits=REAL_LIMITS)
    message = json.dumps({"text": "é" * 4 * MIB}).encode()

    await process.send(message)

    assert await inbox.line() == message
    await process.close()


async def test_many_senders_do_not_mix_their_messages() -> None:
    inbox = Inbox()
    process = await start(child("echo"), inbox)
    messages = [bytes([65 + n]) * 200_000 for n in range(20)]

    await asyncio.gather(*(process.send(message) for message in messages))

    assert [await inbox.line() for _ in messages] == messages
    await process.close()


async def test_the_last_line_needs_no_newline_and_blank_ones_are_left_out() -> None:
    inbox = Inbox()
    process = await start(child("unfinished"), inbox)

    await inbox.end()

    assert [await inbox.line() for _ in range(3)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert inbox.messages.empty()
    await process.close()


@pytest.mark.parametrize("order", ["jsonrpc,id,result", "jsonrpc,result,id"])
async def test_an_answer_over_the_limit_fails_its_call_and_the_session_lives(order: str) -> None:
    inbox = Inbox()
    process = await start(child("big", str(40 * MIB), order), inbox, limits=REAL_LIMITS)

    await process.send(b'{"id":7,"method":"big"}')
    answer = await inbox.message()
    await process.send(b'{"id":8,"method":"small"}')

    assert answer["id"] == 7
    assert answer["error"]["code"] == -31413
    assert "at most 33554432 are read" in answer["error"]["message"]
    assert (await inbox.message())["result"] == {"text": "x"}
    await process.close()


async def test_an_answer_over_the_limit_whose_call_is_unknown_is_reported() -> None:
    inbox = Inbox()
    process = await start(child("big", str(2 * MIB), "jsonrpc,result"), inbox)

    await process.send(b'{"id":7,"method":"big"}')

    assert (await inbox.failure()).reason == "answer_too_large"
    assert inbox.messages.empty()
    await process.close()


async def test_a_dropped_message_is_noted_in_the_log() -> None:
    inbox, log = Inbox(), ServerLog(10)
    process = await start(child("big", str(2 * MIB), "jsonrpc,id,result"), inbox, log=log)

    await process.send(b'{"id":7,"method":"big"}')
    await inbox.line()

    (line,) = log.lines(10)
    assert line.text.startswith("Interlock dropped a message of 2097")
    await process.close()


async def test_a_flood_on_stderr_neither_blocks_the_server_nor_fills_memory() -> None:
    inbox, log = Inbox(), ServerLog(1000)
    tracemalloc.start()
    try:
        process = await start(child("noisy", "200"), inbox, log=log)
        await process.send(b"done")
        assert await inbox.line() == b"done"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 24 * MIB
    assert len(log.lines(5000)) == 1000
    await process.close()


async def test_sending_waits_for_a_server_that_does_not_read_but_not_forever() -> None:
    inbox = Inbox()
    limits = ProcessLimits(max_line=MIB, stop_timeout=0.5, send_timeout=0.5)
    process = await start(child("deaf"), inbox, limits=limits)
    assert await inbox.line() == b"ready"
    await process.send(b"x" * MIB)

    with pytest.raises(UpstreamUnavailable) as caught:
        await process.send(b"y")

    assert caught.value.message == (
        "Server `demo` did not read its input for 0.5 s; restart it if it hangs."
    )
    await process.close()


async def test_a_sender_that_waits_is_told_when_the_process_is_closed() -> None:
    inbox = Inbox()
    process = await start(child("deaf"), inbox)
    await inbox.line()
    await process.send(b"x" * MIB)
    waiting = asyncio.create_task(process.send(b"y"))
    await asyncio.sleep(0)

    await process.close()

    with pytest.raises(ProcessEnded):
        await waiting


async def test_nothing_can_be_sent_after_the_end() -> None:
    inbox = Inbox()
    process = await start(child("failing", "0"), inbox)
    await inbox.end()

    with pytest.raises(ProcessEnded, match="Server `demo` is no longer running"):
        await process.send(b"{}")


async def test_the_end_names_exit_code_and_last_line_without_secrets() -> None:
    inbox = Inbox()
    await start(child("failing", "3", env={"SECRET": "hunter22"}), inbox)

    reason = await inbox.end()

    assert isinstance(reason, ProcessEnded)
    assert reason.message == (
        "Server `demo` ended with exit code 3. Its last line on stderr was: cannot log in with ***"
    )


async def test_the_end_names_the_signal() -> None:
    inbox = Inbox()
    await start(child("suicidal"), inbox)

    assert (await inbox.end()).message == "Server `demo` ended by signal SIGKILL."


def test_a_signal_without_a_name_is_given_by_number() -> None:
    assert process_ended("demo", -99, None).message == "Server `demo` ended by signal 99."


async def test_a_server_that_closes_its_output_is_stopped() -> None:
    inbox = Inbox()
    await start(child("mute"), inbox)

    assert (await inbox.end()).message == (
        "Server `demo` closed its standard output while it was running, so it was stopped."
    )


async def test_closing_is_reported_once_and_may_be_repeated() -> None:
    inbox = Inbox()
    process = await start(child("echo"), inbox)

    await asyncio.gather(process.close(), process.close())
    await process.close()

    assert [reason.message for reason in inbox.ends] == ["Server `demo` was stopped."]


async def test_closing_kills_what_ignores_everything_but_a_kill(tmp_path: Path) -> None:
    async with Lifeline(tmp_path) as lifeline:
        process = await start(child("stubborn", lifeline.path), Inbox())
        assert process.pid in await lifeline.held_by(2)

        await process.close()

        await lifeline.broken()


async def test_what_a_dead_server_left_behind_is_killed(tmp_path: Path) -> None:
    inbox = Inbox()
    async with Lifeline(tmp_path) as lifeline:
        process = await start(child("forsaking", lifeline.path), inbox)
        await lifeline.held_by(1)

        os.kill(process.pid, 9)

        await lifeline.broken()
    assert (await inbox.end()).message == "Server `demo` ended by signal SIGKILL."


async def test_a_polite_server_leaves_no_child_behind(tmp_path: Path) -> None:
    async with Lifeline(tmp_path) as lifeline:
        process = await start(child("forsaking", lifeline.path), Inbox())
        await lifeline.held_by(1)

        await process.close()

        await lifeline.broken()


async def test_a_close_that_is_given_up_still_kills(tmp_path: Path) -> None:
    async with Lifeline(tmp_path) as lifeline:
        process = await start(child("stubborn", lifeline.path), Inbox())
        await lifeline.held_by(2)
        closing = asyncio.create_task(process.close())
        await asyncio.sleep(0)

        closing.cancel()

        await lifeline.broken()
        await process.close()


async def test_a_start_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    async with Lifeline(tmp_path) as lifeline:
        starting = asyncio.create_task(start(child("stubborn", lifeline.path), Inbox()))
        await asyncio.sleep(0)

        starting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await starting
        await lifeline.broken()


async def test_the_server_runs_in_its_own_session_folder_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_MASTER_KEY", "ours")
    inbox, target = Inbox(), child("environment", env={"KEY": "theirs"})
    target = replace(target, cwd=str(tmp_path))
    process = await start(target, inbox)

    seen = await inbox.message()

    assert os.getsid(process.pid) == process.pid
    assert seen["cwd"] == str(tmp_path)
    assert seen["env"]["KEY"] == "theirs"
    assert seen["env"]["PATH"] == os.environ["PATH"]
    assert "INTERLOCK_MASTER_KEY" not in seen["env"]
    await process.close()


async def refusal(target: StdioTarget) -> str:
    """Start what cannot start, and return what the error says after naming the server."""
    inbox = Inbox()
    with pytest.raises(StartFailed) as caught:
        await start(target, inbox, limits=LIMITS)
    assert inbox.ends == []
    assert isinstance(caught.value, UpstreamUnavailable)
    return caught.value.message.removeprefix("Server `demo` could not start: ")


async def test_a_command_that_is_not_on_the_path_is_named_with_its_cure(tmp_path: Path) -> None:
    assert await refusal(StdioTarget("npx", env={"PATH": str(tmp_path)})) == (
        "`npx` was not found on PATH; install Node.js or give the full path."
    )
    assert await refusal(StdioTarget("no-such-command-1")) == (
        "`no-such-command-1` was not found on PATH; install it or give the full path."
    )


async def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "server")

    assert await refusal(StdioTarget(missing)) == (
        f"`{missing}` does not exist; correct the path of the command."
    )


async def test_a_working_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")

    assert await refusal(StdioTarget(sys.executable, cwd=missing)) == (
        f"its working directory `{missing}` does not exist; create or correct it."
    )


async def test_a_file_that_is_not_executable_is_named(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text("#!/bin/sh\n")

    assert await refusal(StdioTarget(str(script))) == (
        f"`{script}` is not an executable file; run `chmod +x` on it or name its interpreter."
    )


async def test_a_file_on_the_path_that_is_not_executable_is_named(tmp_path: Path) -> None:
    (tmp_path / "server").write_text("#!/bin/sh\n")

    assert await refusal(StdioTarget("server", env={"PATH": str(tmp_path)})) == (
        "`server` is not an executable file; run `chmod +x` on it or name its interpreter."
    )


async def test_arguments_that_are_too_long_are_refused() -> None:
    assert await refusal(StdioTarget("cat", ("x" * 8 * MIB,))) == (
        "the system refused to run `cat` (Argument list too long)."
    )


async def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    assert await refusal(StdioTarget(str(script))) == (
        f"the interpreter in the first line of `{script}` does not exist; correct that line."
    )


async def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text("print('no first line')\n")
    script.chmod(0o755)

    assert await refusal(StdioTarget(str(script))) == (
        f"`{script}` is not a program; name its interpreter as the command."
    )


async def test_an_impossible_argument_is_refused_without_repeating_it() -> None:
    said = await refusal(StdioTarget("cat", env={"KEY": "secret\0value"}))

    assert said == (
        "its command, arguments or environment hold a NUL or an impossible name; remove it."
    )
