"""Runs other programs for the tests and leaves none of them behind."""

import errno
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
# Above our own default port, and below those that the system gives to whoever asks for any.
PORTS = range(21000, 30000)

Ready = str | re.Pattern[str] | Callable[[], object]


def free_port() -> int:
    """Find a port that nothing listens on, and that no other run of tests is given meanwhile.

    It is this process's until the process ends.
    """
    return next(port for port in random.sample(PORTS, len(PORTS)) if _is_ours(port))


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended, and all that it wrote."""

    status: int
    output: str


@dataclass(slots=True)
class Running:
    """A program that runs in the background, and what it has written so far."""

    argv: Sequence[str]
    process: subprocess.Popen[str]
    ready: re.Match[str] | None = None
    _written: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The program's process id, which is its group's id as well."""
        return self.process.pid

    @property
    def output(self) -> str:
        """All that the program wrote to stdout and stderr."""
        with self._news:
            return "".join(self._written)

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float) -> re.Match[str]:
        """Wait until the output contains `pattern`, and return where."""
        found: list[re.Match[str]] = []

        def seen() -> bool:
            match = re.search(pattern, self.output)
            found.extend([match] if match else [])
            return match is not None

        self.wait_until(seen, timeout)
        return found[-1]

    def wait_until(self, condition: Callable[[], object], timeout: float) -> None:
        """Wait until `condition` holds, or fail with what the program wrote."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.process.poll() is not None:
                # What it wrote last may still be on its way to the reader.
                self._drain()
                if condition():
                    return
                raise RuntimeError(self._story(f"ended with status {self.process.returncode}"))
            if time.monotonic() > deadline:
                raise TimeoutError(self._story(f"was not ready within {timeout:.0f} seconds"))
            with self._news:
                self._news.wait(POLL_SECONDS)

    def listen(self) -> None:
        """Collect what the program writes, until it closes its output."""
        self._reader = threading.Thread(target=self._read, name=f"output of {self.pid}")
        self._reader.daemon = True
        self._reader.start()

    def stop(self) -> None:
        """End the program and everything that it started."""
        _signal_group(self.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        _signal_group(self.pid, signal.SIGKILL)
        self.process.wait()
        self._drain()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self._written.append(line)
                self._news.notify_all()

    def _drain(self) -> None:
        if self._reader is not None:
            self._reader.join(STOP_SECONDS)

    def _story(self, event: str) -> str:
        return f"{' '.join(self.argv)} {event}; it wrote:\n{self.output}"


@contextmanager
def running(
    argv: Sequence[str],
    *,
    ready: Ready | None = None,
    timeout: float = READY_SECONDS,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Running]:
    """Run a program for as long as the block runs.

    The block begins once the program is `ready`: a pattern must show in what it writes to stdout
    or stderr (its match is `Running.ready`), or a function must return something true.
    """
    program = Running(argv, _start(argv, env, cwd))
    program.listen()
    try:
        if isinstance(ready, str | re.Pattern):
            program.ready = program.wait_for(ready, timeout)
        elif ready is not None:
            program.wait_until(ready, timeout)
        yield program
    finally:
        program.stop()


def finished(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run a program to its end, and whatever it started with it."""
    program = Running(argv, _start(argv, env, cwd))
    program.listen()
    try:
        program.wait_until(lambda: program.process.poll() is not None, timeout)
    finally:
        program.stop()
    return Finished(program.process.returncode, program.output)


def _start(
    argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_ours(port: int) -> bool:
    """Claim a port by a name that the system lets one process have at a time."""
    with socket.socket(socket.AF_UNIX) as claim, socket.socket() as probe:
        try:
            claim.bind(f"\0interlock-tests-{port}")
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        # Nobody closes the name: it is given up with the process.
        claim.detach()
        return True
