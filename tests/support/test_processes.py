"""The helper that runs programs waits for them, reports their failures and ends their children."""

import os
import sys
import time

import pytest

from tests.support.processes import finished, running

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_block_begins_when_the_program_is_ready_and_leaves_no_child_behind() -> None:
    with running([sys.executable, "-c", FAMILY], ready=r"child (\d+)\n") as program:
        assert program.ready is not None
        child = int(program.ready[1])
        assert is_alive(child)

    # An orphan is reaped by init, which is not instantaneous.
    deadline = time.monotonic() + 30
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)
    assert program.process.returncode is not None


def test_a_program_that_ends_too_early_is_reported_with_what_it_wrote() -> None:
    script = "import sys; sys.exit('no such luck')"
    with (
        pytest.raises(RuntimeError, match=r"ended with status 1(.|\n)*no such luck"),
        running([sys.executable, "-c", script], ready="ready"),
    ):
        pass


def test_a_program_that_never_ends_is_ended() -> None:
    script = "import time; print('still here', flush=True); time.sleep(600)"
    with pytest.raises(TimeoutError, match="still here"):
        finished([sys.executable, "-c", script], timeout=3)


def test_a_finished_program_is_reported_whole() -> None:
    script = "import sys; print('out', flush=True); sys.exit(3)"

    run = finished([sys.executable, "-c", script], timeout=60)

    assert (run.status, run.output) == (3, "out\n")
