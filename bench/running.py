"""Processes of the bench: each on one core, their processor time and memory, and whether they answer."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 120.0
STOP_SECONDS = 60.0


@contextmanager
def process(
    command: list[str], cores: int | str, folder: Path | None = None, /, **environment: str
) -> Iterator[int]:
    """Run a command on these cores while the block runs; its process id is the block's."""
    running = subprocess.Popen(  # noqa: S603 -- our own commands
        ["taskset", "-c", str(cores), *command],  # noqa: S607 -- of util-linux, wherever it lies
        env={**os.environ, **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def family(pid: int) -> list[int]:
    """Return a process and all that it started, and they started."""
    found = [pid]
    for each in found:
        found += _children(each)
    return found


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def spent(pids: list[int]) -> float:
    """Return the processor seconds that these processes have used, all threads together."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(thread.read_text().split()[0])
    return total / 1e9


def pin(pids: list[int], core: int) -> None:
    """Let all threads of some processes run on one core only."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has of its own."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds. Raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("A contender did not start.")
        time.sleep(0.2)


def answers(port: int, path: str = "/healthz") -> bool:
    """Tell whether somebody answers at a port, whatever it says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def listens(path: Path) -> bool:
    """Tell whether somebody takes connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def up(port: int, key: str) -> set[str]:
    """Return the names of the servers of project `default` that a gateway says are well."""
    address = f"http://127.0.0.1:{port}/api/v1/projects/default/health"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 -- of loopback
            health = json.load(answer)
    except OSError:
        return set()
    return {each["name"] for each in health["servers"] if each["status"] == "ok"}
