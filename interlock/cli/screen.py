"""What commands print: tables and sentences for people, one JSON document for programs."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from interlock.cli.visible import visible
from interlock.errors import BadInput

_WIDE = 4000  # columns of a line that no terminal breaks


class Tell:
    """Shows what long work does, where that is shown at all."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def __call__(self, news: str) -> None:
        """Say what it does now."""
        if self._status is not None:
            self._status.update(Text(visible(news)))

    @contextmanager
    def paused(self) -> Generator[None]:
        """Leave the screen to others while the block runs."""
        if self._status is None:
            yield
            return
        self._status.stop()
        try:
            yield
        finally:
            self._status.start()


class Screen:
    """Prints to stdout what was asked for, and to stderr what happens meanwhile."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def document(self, value: Any) -> None:
        """Print the one JSON document; nothing where people read."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence for people; nothing where a program reads."""
        if not self.as_json:
            self._out.print(Text(visible(text), style=style), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Print a sentence for people to stderr."""
        if not self.as_json:
            self._err.print(Text(visible(text), style=style), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a sentence to stderr, also where a program reads stdout."""
        self._err.print(Text(visible(text), style="yellow"), soft_wrap=True)

    @property
    def is_dialogue(self) -> bool:
        """Whether somebody is at a terminal, to be asked."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def prompt(self, question: str) -> str | None:
        """Ask for a line; None where nobody will enter one any more."""
        sys.stderr.write(visible(question))
        sys.stderr.flush()
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows for people; a value of None is shown as a dash."""
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        with self._out.capture() as printed:
            self._out.print(table)
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in printed.get().splitlines()))

    def ask(self, question: str) -> None:
        """Ask before something is changed; goes on only after a yes. Raises BadInput, Abort."""
        if self.as_json:
            raise BadInput("With --json nobody is asked; add --yes to go on.")
        if (self.prompt(f"{question} [y/N] ") or "").strip().lower() not in {"y", "yes"}:
            raise typer.Abort

    @contextmanager
    def working(self, text: str) -> Generator[Tell]:
        """Show that long work is under way, on a terminal only; yields how to say what it does."""
        if self.as_json or not self._err.is_terminal:
            yield Tell(None)
            return
        with self._err.status(Text(visible(text))) as status:
            yield Tell(status)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _cell(value: object) -> Text:
    if value is None or value == "":
        return Text("-", style="dim")
    return Text(visible(str(value)), style=_STYLES.get(str(value), ""))


_STYLES = {
    "ok": "green",
    "starting": "cyan",
    "stale": "yellow",
    "warning": "yellow",
    "failed": "red",
    "error": "red",
    "disabled": "dim",
}
