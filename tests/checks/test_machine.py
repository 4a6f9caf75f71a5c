"""What is found of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from interlock.checks.finding import Code, Kind, Level
from interlock.checks.machine import check_data_dir, check_python


def test_an_old_python_is_an_error() -> None:
    assert check_python((3, 10)).level is Level.ERROR
    assert check_python((3, 11)).level is Level.OK


def test_files_that_others_can_open_are_named_with_the_command_that_closes_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    for name in ("master.key", "cli.json"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o640)

    found = {each.code: each for each in check_data_dir(folder)}

    assert found[Code.DATA_DIR].level is Level.WARNING
    assert found[Code.MASTER_KEY].level is Level.ERROR
    assert found[Code.MASTER_KEY].cure == f"Close it with: chmod 600 {folder / 'master.key'}"
    assert found[Code.CREDENTIALS].level is Level.ERROR


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Give up the superuser's rights for one test, for the superuser may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(0, 0, 0)


@pytest.mark.usefixtures("ordinary_user")
def test_a_folder_that_cannot_be_written_is_an_error() -> None:
    with TemporaryDirectory() as place:
        folder = Path(place) / "data"
        folder.mkdir(mode=0o500)

        assert [each.level for each in check_data_dir(folder)] == [Level.ERROR]
        assert [each.level for each in check_data_dir(folder / "below")] == [Level.ERROR]


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("x")

    assert [each.level for each in check_data_dir(path)] == [Level.ERROR]


def test_a_folder_that_is_not_there_yet_is_fine_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    (before,) = check_data_dir(folder)
    (lost,) = check_data_dir(folder, in_use=True)

    assert (before.level, before.kind) == (Level.OK, Kind.FOLDER_TO_COME)
    assert (lost.level, lost.kind) == (Level.ERROR, Kind.FOLDER_GONE)


def test_the_facts_hold_the_command_that_closes_a_file(tmp_path: Path) -> None:
    key = tmp_path / "master.key"
    key.write_text("x")
    key.chmod(0o644)

    found = {each.code: each for each in check_data_dir(tmp_path)}[Code.MASTER_KEY]

    assert found.kind is Kind.OPEN
    assert found.facts == {"path": str(key), "mode": "0644", "command": f"chmod 600 {key}"}
