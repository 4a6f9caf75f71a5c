"""Why a process did not start or did not stay, in sentences for the person who configured it."""

import errno
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from interlock.errors import UpstreamUnavailable
from interlock.upstreams.definition import StdioTarget

_INSTALL = {
    "npx": "install Node.js",
    "node": "install Node.js",
    "npm": "install Node.js",
    "uvx": "install uv",
    "uv": "install uv",
    "docker": "install Docker",
    "deno": "install Deno",
    "bunx": "install Bun",
    "bun": "install Bun",
}


class StartFailed(UpstreamUnavailable):
    """The process could not be started; the message says why and what helps."""

    reason = "start_failed"


class ProcessEnded(UpstreamUnavailable):
    """The process is over; the message says how it ended."""

    reason = "process_ended"


def start_failed(
    name: str, target: StdioTarget, env: Mapping[str, str], fault: OSError | ValueError
) -> StartFailed:
    """Return the error for server `name`, whose process the system refused to start."""
    return StartFailed(f"Server `{name}` could not start: {_cause(target, env, fault)}")


def process_ended(name: str, returncode: int, last_line: str | None) -> ProcessEnded:
    """Return the error for server `name`, whose process ended by itself."""
    how = f"with exit code {returncode}" if returncode >= 0 else f"by signal {_signal(returncode)}"
    return ProcessEnded(f"Server `{name}` ended {how}.{_last_words(last_line)}")


def stream_broken(name: str, stream: str, last_line: str | None) -> ProcessEnded:
    """Return the error for server `name`, which closed `stream` but went on running."""
    return ProcessEnded(
        f"Server `{name}` closed its {stream} while it was running, so it was stopped."
        + _last_words(last_line)
    )


def _cause(target: StdioTarget, env: Mapping[str, str], fault: OSError | ValueError) -> str:
    if isinstance(fault, ValueError):
        return "its command, arguments or environment hold a NUL or an impossible name; remove it."
    return _missing(target, env) or _refused(target.command, fault)


def _missing(target: StdioTarget, env: Mapping[str, str]) -> str | None:
    command, cwd = target.command, target.cwd
    if cwd is not None and not Path(cwd).is_dir():
        return f"its working directory `{cwd}` does not exist; create or correct it."
    if "/" in command:
        if Path(cwd or ".", command).exists():
            return None
        return f"`{command}` does not exist; correct the path of the command."
    if shutil.which(command, mode=os.F_OK, path=env.get("PATH", os.defpath)):
        return None
    cure = _INSTALL.get(command, "install it")
    return f"`{command}` was not found on PATH; {cure} or give the full path."


def _refused(command: str, fault: OSError) -> str:
    if isinstance(fault, FileNotFoundError):
        return (
            f"the interpreter in the first line of `{command}` does not exist; correct that line."
        )
    if isinstance(fault, PermissionError):
        return (
            f"`{command}` is not an executable file; run `chmod +x` on it or name its interpreter."
        )
    if fault.errno == errno.ENOEXEC:
        return f"`{command}` is not a program; name its interpreter as the command."
    return f"the system refused to run `{command}` ({os.strerror(fault.errno or 0)})."


def _signal(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return str(-returncode)


def _last_words(line: str | None) -> str:
    return f" Its last line on stderr was: {line}" if line else ""
