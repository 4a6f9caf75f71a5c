"""A tool that asks in the middle of a call is answered on the terminal, against a real gateway."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.program import RunningProgram, program

EVERYTHING = str(Path(__file__).parents[1] / "matrix" / "everything_server.py")
INTERLOCK = str(Path(sys.executable).with_name("interlock"))
SECONDS = 60.0
CHUNK = 4096

pytestmark = pytest.mark.asyncio(loop_scope="module")


def everything(era: str) -> dict[str, Any]:
    return {"command": sys.executable, "args": [EVERYTHING, "--stdio", "--era", era, "--name", era]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    servers = {era: everything(era) for era in ("legacy", "modern")}
    async with program({"mcpServers": servers}) as running:
        await running.up(*servers)
        yield running


def environment(gateway: RunningProgram) -> dict[str, str]:
    return {**os.environ, "INTERLOCK_URL": gateway.address, "INTERLOCK_KEY": gateway.key}


class Terminal:
    """A command on a terminal of its own: what it shows, and what is typed."""

    def __init__(self, gateway: RunningProgram, *arguments: str) -> None:
        self.shown = ""
        self._end, other = pty.openpty()
        self.process = subprocess.Popen(
            [INTERLOCK, *arguments],
            env=environment(gateway),
            stdin=other,
            stdout=subprocess.PIPE,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def until(self, text: str) -> None:
        """Wait until the terminal shows a text, and take all up to it."""
        while text not in self.shown:
            self.shown += os.read(self._end, CHUNK).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def enter(self, line: str) -> None:
        """Type a line."""
        os.write(self._end, line.encode() + b"\n")

    def result(self) -> dict[str, Any]:
        """Wait for the command's end; return what it printed that is no terminal's."""
        out, _ = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, out
        return json.loads(out.decode())

    def close(self) -> None:
        """Leave nothing behind."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._end)


async def spoken(
    gateway: RunningProgram, tool: str, *steps: tuple[str, str | None]
) -> dict[str, Any]:
    """Call a tool on a terminal; each step waits for a text and types a line, or leaves."""
    terminal = Terminal(gateway, "tools", "call", tool)

    def talk() -> dict[str, Any]:
        for text, line in steps:
            terminal.until(text)
            terminal.enter("\x04" if line is None else line)
        return terminal.result()

    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.to_thread(talk)
    finally:
        terminal.close()


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_form_is_filled_in_field_by_field(gateway: RunningProgram, era: str) -> None:
    told = await spoken(
        gateway,
        f"{era}__ask_midway",
        (f"{era}__ask_midway asks: What is your name?", "a"),
        ("Name (text): ", ""),
        ("This is needed.", "Ada"),
        ("Send this?", "n"),
        ("Name (text): ", "Ada Lovelace"),
        ("Send this?", "y"),
        ("How old are you?", "accept"),
        ("age (a whole number, may be left empty): ", "old"),
        ("Enter a whole number.", "36"),
        ("Send this?", ""),
    )

    assert told["answers"] == [
        {"action": "accept", "content": {"name": "Ada Lovelace"}},
        {"action": "accept", "content": {"age": 36}},
    ]


@pytest.mark.parametrize(
    ("steps", "action"),
    [
        ([("What is your name?", "d")], "decline"),
        ([("What is your name?", "what?"), ("[d]ecline", "cancel")], "cancel"),
        ([("What is your name?", None)], "cancel"),
        ([("What is your name?", "a"), ("Name (text): ", None)], "cancel"),
    ],
)
async def test_a_user_may_decline_and_cancel(
    gateway: RunningProgram, steps: list[tuple[str, str | None]], action: str
) -> None:
    told = await spoken(gateway, "legacy__ask_first", *steps)

    assert told["answer"] == {"action": action}


async def test_an_address_is_shown_whole_before_the_user_goes_there(
    gateway: RunningProgram,
) -> None:
    told = await spoken(
        gateway,
        "modern__ask_url",
        ("Please sign in.", "x"),
        ("https://modern.example/sign-in", "a"),
    )

    assert told["answer"] == {"action": "accept"}


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_without_a_terminal_everything_is_declined_and_that_is_said(
    gateway: RunningProgram, options: list[str]
) -> None:
    call = await asyncio.create_subprocess_exec(
        *(INTERLOCK, "tools", "call", "legacy__ask_first", *options),
        env=environment(gateway),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await call.communicate()

    printed = json.loads(out)
    told = printed["structuredContent"] if options else printed
    assert (call.returncode, told["answer"]) == (0, {"action": "decline"})
    assert "legacy__ask_first asks its user: What is your name?" in err.decode()
    assert "run the command on a terminal" in err.decode()
