"""Tests are shared among processes, but for those that measure: they run last, and by themselves."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.processes import finished, running

ROOT = Path(__file__).parents[2]
SECONDS = 120.0
PAUSE = 1.5  # seconds that a test gives the others to do what they must not

SETTINGS = """
[pytest]
addopts = -p xdist -p no:cacheprovider --numprocesses=auto --no-loadscope-reorder
alone = measured
    test_c.py
"""
CONFTEST = """
import os, pathlib, pytest
pytest_plugins = ["tests.support.sharing"]
NOTES = pathlib.Path(__file__).with_name("notes")

@pytest.fixture(autouse=True)
def noted(request):
    where = os.environ.get("PYTEST_XDIST_WORKER", "here")
    with NOTES.open("a") as notes:
        print("begun", request.path.name, where, file=notes, flush=True)
        yield
        print("ended", request.path.name, where, file=notes)
"""
TESTS = """
import pytest
@pytest.mark.parametrize("number", range(4))
def test_it(number): pass
"""
SLOW = f"""
import pathlib, time
def test_it():
    time.sleep({PAUSE})
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Write a suite of our settings: two files to share, and two in which something is measured."""
    (tmp_path / "measured").mkdir()
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("test_a.py", "test_c.py", "measured/test_b.py"):
        (tmp_path / name).write_text(TESTS)
    (tmp_path / "test_slow.py").write_text(SLOW)
    return tmp_path


def run(suite: Path, *arguments: str) -> list[tuple[str, ...]]:
    """Run tests, all of which must pass; return what they noted, in the order of time."""
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *arguments]
    done = finished(command, timeout=SECONDS, env=environment, cwd=suite)
    assert done.status == 0, done.output
    assert re.search(r"=+ \d+ passed in ", done.output.splitlines()[-1]), done.output
    return [tuple(line.split()) for line in (suite / "notes").read_text().splitlines()]


def test_what_measures_begins_when_all_others_have_ended_and_is_in_one_process(suite: Path) -> None:
    notes = run(suite, "-n", "2")

    assert {file for _, file, _ in notes[:10]} == {"test_a.py", "test_slow.py"}
    assert {where for _, _, where in notes[:10]} == {"gw0", "gw1"}
    assert {file for _, file, _ in notes[10:]} == {"test_b.py", "test_c.py"}
    assert len({where for _, _, where in notes[10:]}) == 1
    assert len(notes) == 2 * (4 + 1 + 4 + 4)


def test_where_there_is_less_to_share_than_processes_what_measures_is_alone_too(
    suite: Path,
) -> None:
    notes = run(suite, "-n", "4")

    assert {file for _, file, _ in notes[10:]} == {"test_b.py", "test_c.py"}
    assert len({where for _, _, where in notes[10:]}) == 1


def test_folders_are_shared_without_being_asked(suite: Path) -> None:
    assert "here" not in {where for _, _, where in run(suite, ".")}


@pytest.mark.parametrize(
    "arguments",
    [("test_a.py",), ("test_a.py::test_it", "test_c.py"), ("measured",), ("-n", "0"), ("-s",)],
    ids=" ".join,
)
def test_single_files_and_what_measures_are_shared_with_nobody(
    suite: Path, arguments: tuple[str, ...]
) -> None:
    assert {where for _, _, where in run(suite, *arguments)} == {"here"}


def test_no_two_runs_are_given_the_same_port() -> None:
    code = (
        "import time; from tests.support.processes import free_port\n"
        "print(*(free_port() for _ in range(200)), 'given', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code]
    with (
        running(command, ready=r"(.+) given\n", cwd=ROOT) as one,
        running(command, ready=r"(.+) given\n", cwd=ROOT) as two,
    ):
        given = [port for run in (one, two) if run.ready for port in run.ready[1].split()]

    assert len(set(given)) == len(given) == 400


def test_everything_that_runs_alone_exists(pytestconfig: pytest.Config) -> None:
    places: list[str] = pytestconfig.getini("alone")

    assert [place for place in places if not (ROOT / place).exists()] == []
