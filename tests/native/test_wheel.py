"""A wheel holds the modules on the path of a call compiled, where its builder asks for that."""

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPILED = [source.removesuffix(".py") for source in PROJECT["tool"]["interlock"]["compiled"]]
MINUTES = 10 * 60.0


def built(folder: Path, **environment: str) -> Path:
    """Return a wheel of the project as it is."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | {"CONSOLE_BUILD": "skip"} | environment,
        check=True,
        timeout=MINUTES,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_a_wheel_holds_compiled_modules_beside_their_sources_and_runs(tmp_path: Path) -> None:
    wheel = built(tmp_path, INTERLOCK_COMPILE="1")
    assert not wheel.name.endswith("-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        packed.extractall(tmp_path / "installed")
    assert COMPILED
    for module in COMPILED:
        assert {f"{module}.py", f"{module}{EXTENSION_SUFFIXES[0]}"} <= names

    done = subprocess.run(
        [sys.executable, "-m", "interlock", "version"],
        cwd=tmp_path / "installed",
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip().endswith(b"(compiled)")


def test_a_wheel_is_plain_python_where_nobody_asks(tmp_path: Path) -> None:
    wheel = built(tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert not any(name.endswith(tuple(EXTENSION_SUFFIXES)) for name in packed.namelist())
