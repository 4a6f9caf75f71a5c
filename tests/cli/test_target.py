"""Where commands find their gateway and key, and where the key never goes."""

import json
from pathlib import Path

import pytest

from interlock.cli.target import Target, find_target
from interlock.errors import BadInput

LOCAL = "http://127.0.0.1:20100"


def leave(folder: Path, *, url: str = LOCAL, key: str = "ilk_left", mode: int = 0o600) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "cli.json"
    path.write_text(json.dumps({"url": url, "key": key}))
    path.chmod(mode)
    return path


def test_without_anything_the_default_address_is_asked_without_a_key() -> None:
    assert find_target() == Target(LOCAL, "default", None, None)


def test_the_file_of_a_gateway_on_this_machine_names_address_and_key(tmp_path: Path) -> None:
    leave(tmp_path / ".interlock", url="http://127.0.0.1:4000")

    assert find_target() == Target("http://127.0.0.1:4000", "default", "ilk_left", None)


def test_flags_go_before_the_environment_and_it_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / ".interlock")
    monkeypatch.setenv("INTERLOCK_URL", "http://env:1/")
    monkeypatch.setenv("INTERLOCK_KEY", "ilk_env")
    monkeypatch.setenv("INTERLOCK_PROJECT", "env")

    from_environment = find_target()
    from_flags = find_target(url="https://flag/x/", key="ilk_flag", project="flag")

    assert from_environment == Target("http://env:1", "env", "ilk_env", None)
    assert from_flags == Target("https://flag/x", "flag", "ilk_flag", "ilk_flag")


def test_the_left_key_goes_only_to_the_address_that_was_left_with_it(tmp_path: Path) -> None:
    leave(tmp_path / ".interlock")

    assert find_target(url="http://elsewhere:20100").key is None
    assert find_target(url="http://127.0.0.1:20101").key is None
    assert find_target(url="http://localhost:20100/mcp/default").key == "ilk_left"


@pytest.mark.parametrize("source", ["flag", "environment", "file"])
def test_the_data_directory_can_be_named(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / "data")
    if source == "environment":
        monkeypatch.setenv("INTERLOCK_DATA_DIR", str(tmp_path / "data"))
    if source == "file":
        (tmp_path / ".env").write_text("INTERLOCK_DATA_DIR=data\n")

    found = find_target(data=tmp_path / "data" if source == "flag" else None)

    assert found.key == "ilk_left"


def test_a_file_that_others_can_open_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = leave(tmp_path / ".interlock", mode=0o644)

    with pytest.raises(BadInput, match="chmod 600") as raised:
        find_target()

    assert str(path.relative_to(tmp_path)) in raised.value.message
    assert "ilk_left" not in raised.value.message


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    leave(tmp_path / ".interlock").write_text("{")

    with pytest.raises(BadInput, match="damaged"):
        find_target()


@pytest.mark.parametrize("url", ["localhost:20100", "ftp://x", "http://", "http://x:99999", "x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="http://"):
        find_target(url=url)


def test_secrets_are_neither_taken_from_addresses_nor_shown() -> None:
    with pytest.raises(BadInput, match="INTERLOCK_KEY") as raised:
        find_target(url="http://me:hush@host")
    with pytest.raises(BadInput) as bad_key:
        find_target(key="ilk_a\nb")

    assert "hush" not in raised.value.message
    assert "ilk_a" not in bad_key.value.message
    assert "ilk_flag" not in repr(find_target(key="ilk_flag"))
