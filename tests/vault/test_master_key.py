"""Where the master key comes from, and when it is refused."""

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from interlock.errors import BadInput
from interlock.vault.master_key import MasterKeyUnusable, load_master_key

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def test_the_setting_wins_and_no_file_is_made(tmp_path: Path) -> None:
    assert load_master_key(SecretStr(TEXT), tmp_path) == KEY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(KEY[1:]).decode(), TEXT * 2])
def test_a_wrong_setting_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="INTERLOCK_MASTER_KEY must be 32 bytes in base64") as caught:
        load_master_key(SecretStr(text), tmp_path)

    assert text == "" or text not in caught.value.message


def test_the_first_start_makes_a_file_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"

    key = load_master_key(None, folder)

    assert (folder / "master.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert base64.b64decode((folder / "master.key").read_text()) == key


def test_later_starts_read_the_same_key(tmp_path: Path) -> None:
    assert load_master_key(None, tmp_path) == load_master_key(None, tmp_path)


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    assert load_master_key(None, tmp_path / "a") != load_master_key(None, tmp_path / "b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_open_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    load_master_key(None, tmp_path)
    path = tmp_path / "master.key"
    path.chmod(mode)

    with pytest.raises(MasterKeyUnusable) as caught:
        load_master_key(None, tmp_path)

    assert f"chmod 600 {path}" in caught.value.message
    path.chmod(0o600)
    load_master_key(None, tmp_path)


@pytest.mark.parametrize("content", ["", "short", TEXT[:-4], "\xff" * 44])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(MasterKeyUnusable, match="is damaged"):
        load_master_key(None, tmp_path)

    assert path.read_text() == content


def test_a_missing_file_is_not_made_where_that_is_forbidden(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyUnusable, match="restore that file from a backup"):
        load_master_key(None, tmp_path, create=False)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir()

    with pytest.raises(MasterKeyUnusable, match="cannot be used"):
        load_master_key(None, tmp_path)
