"""Makes a copy of the project whose modules on the path of a call are compiled, with mypyc.

    python native/compiled.py FOLDER

The sources are the same, and so is what they do; which modules these are is written in
pyproject.toml. What was compiled is kept until a source changes.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPILER = ("mypy==2.4.1", "setuptools>=80")
SWITCH = "INTERLOCK_COMPILE"
PACKAGE = "interlock"

_ADVICE = (
    "The modules could not be compiled. This takes a C compiler and the headers of Python: with Debian's Python "
    "apt-get install gcc python3-dev."
)
_MARK = ".sources"
_LINKED = (".venv", "console")
_LEFT_OUT = shutil.ignore_patterns("__pycache__")


def modules() -> list[str]:
    """Return the files that are compiled, as paths from the root of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return list(project["tool"]["interlock"]["compiled"])


def package() -> Path:
    """Return the folder that holds the package, compiled from the sources as they are now.

    Raises RuntimeError where that fails; what the compiler said is on standard error.
    """
    folder, digest = ROOT / ".cache" / "compiled.package", _digest()
    mark = folder / _MARK
    if not mark.is_file() or mark.read_text() != digest:
        sys.stderr.write(f"Compiling {len(modules())} modules; this takes a minute or two\n")
        _compile_into(folder)
        mark.write_text(digest)
    return folder


def _compile_into(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=_LEFT_OUT)
    # In a process of its own: setuptools takes its orders from the arguments and the folder.
    command = [sys.executable, str(Path(__file__).resolve()), "--here", *modules()]
    done = subprocess.run(command, cwd=folder, check=False)  # noqa: S603 -- this file
    if done.returncode:
        raise RuntimeError(_ADVICE)
    shutil.rmtree(folder / "build")


def mirror(folder: Path) -> None:
    """Make `folder` a copy of the project as it is now, with compiled modules."""
    made = package()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder, ignore=_LEFT_OUT)
    for path in ROOT.iterdir():
        if path.name in _LINKED:
            (folder / path.name).symlink_to(path)
        elif path.name != PACKAGE and not path.name.startswith("."):
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, folder / path.name)


def _digest() -> str:
    """Return a hash of all that the compiled modules are made of."""
    digest = hashlib.sha256(f"{sys.version} {COMPILER} {modules()}".encode())
    for path in [Path(__file__), *sorted((ROOT / PACKAGE).rglob("*.py"))]:
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _compile_here(sources: list[str]) -> None:
    from mypyc.build import mypycify  # noqa: PLC0415 -- only this process has a compiler
    from setuptools import setup  # noqa: PLC0415

    # What is only imported is not looked into: that is pyright's task.
    options = ["--follow-imports=silent", "--ignore-missing-imports", "--no-incremental"]
    options += sources
    made: Any = mypycify(options, opt_level="3", debug_level="0", group_name=PACKAGE)
    orders = ["--quiet", "build_ext", "--inplace"]
    setup(name=PACKAGE, packages=[], ext_modules=made, script_args=orders)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        _compile_here(sys.argv[2:])
    elif len(sys.argv) == 2:  # noqa: PLR2004 -- the program and the folder
        try:
            mirror(Path(sys.argv[1]).absolute())
        except RuntimeError as error:
            sys.exit(str(error))
    else:
        sys.exit(__doc__)
