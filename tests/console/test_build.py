"""The console is built once for its sources, stays small, and lies in the wheel."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.console.building import CONSOLE, ROOT, builder, built

ENTRY_BUDGET = 200_000  # bytes, by gzip
ROUTE_BUDGET = 150_000  # bytes more, by gzip
PAGES = 10
UNBOUND = "src/features/playground/PlaygroundPage.tsx"


@pytest.fixture(name="manifest", scope="module")
def manifest_of_the_build() -> dict[str, Any]:
    """Return what the build says of its files."""
    return json.loads((built() / ".vite" / "manifest.json").read_text())


def size(files: set[str]) -> int:
    """Return how many bytes some files are as they are sent."""
    return sum(len(gzip.compress((built() / name).read_bytes(), 9)) for name in files)


def needed(manifest: dict[str, Any], name: str, seen: set[str] | None = None) -> set[str]:
    """Return the scripts and styles that a chunk needs before it runs."""
    seen = set() if seen is None else seen
    if name in seen:
        return set()
    seen.add(name)
    chunk = manifest[name]
    files = {chunk["file"], *chunk.get("css", ())}
    return files.union(*(needed(manifest, each, seen) for each in chunk.get("imports", ())))


def test_the_entry_is_small(manifest: dict[str, Any]) -> None:
    words = next(name for name in manifest if name.endswith("languages/ko.ts"))
    entry = needed(manifest, "index.html") | needed(manifest, words)
    assert size(entry) < ENTRY_BUDGET


def test_each_page_adds_little(manifest: dict[str, Any]) -> None:
    entry = needed(manifest, "index.html")
    pages = [name for name in manifest if name.endswith("Page.tsx") and "/features/" in f"/{name}"]
    assert len(pages) >= PAGES
    sizes = {page: size(needed(manifest, page) - entry) for page in pages}
    assert UNBOUND in sizes
    assert {page: own for page, own in sizes.items() if own >= ROUTE_BUDGET} == {}


def test_unchanged_sources_build_nothing() -> None:
    built()
    assert builder().build() is False


def test_a_change_of_a_source_is_noticed_and_a_change_elsewhere_is_not(tmp_path: Path) -> None:
    copy = tmp_path / "console"
    ignored = shutil.ignore_patterns("node_modules", "dist*", "__pycache__")
    shutil.copytree(CONSOLE, copy, ignore=ignored)

    def digest() -> str:
        command = [sys.executable, "-c", "import build; print(build.digest_of_sources())"]
        return subprocess.run(command, cwd=copy, check=True, capture_output=True).stdout.decode()

    before = digest()
    (copy / "README.md").write_text("other words")
    assert digest() == before
    (copy / "public" / "theme.js").write_text("// other sources")
    assert digest() != before


def test_the_wheel_carries_the_console_as_it_was_built(tmp_path: Path) -> None:
    built()
    environment = {**os.environ, "PYTHONPATH": str(CONSOLE)}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert "interlock/console/index.html" in names
    shipped = {f"interlock/console/{each.relative_to(built())}" for each in built().rglob("*.br")}
    assert shipped
    assert shipped <= names
    assert not any("node_modules" in name or name.startswith("console/") for name in names)
