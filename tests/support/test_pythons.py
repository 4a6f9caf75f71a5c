"""The helper that makes environments makes them whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pythons
from tests.support.pythons import python_with


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "cache"
    monkeypatch.setattr(pythons, "_CACHE", folder)
    yield folder
    python_with.cache_clear()


def test_an_install_that_fails_leaves_nothing_that_could_be_taken_for_one(
    cache: Path, tmp_path: Path
) -> None:
    lock = tmp_path / "broken.txt"
    lock.write_text(f"{tmp_path}/missing-1.0.tar.gz --hash=sha256:{'0' * 64}\n", encoding="utf-8")

    with pytest.raises(RuntimeError, match=r"missing-1\.0"):
        python_with(lock)

    assert [each.suffix for each in cache.iterdir()] == [".lock"]
