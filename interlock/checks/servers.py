"""Checks of a gateway's readiness and of its servers, as its API shows them."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from interlock.checks.finding import Code, Finding, Kind, error, fine, warning
from interlock.protocol.json import JSONObject, as_list

_NODE, _UV = "https://nodejs.org", "https://docs.astral.sh/uv/"
_CURES = {
    "npx": (f"Install Node.js from {_NODE}, which brings npx.", _NODE),
    "npm": (f"Install Node.js from {_NODE}, which brings npm.", _NODE),
    "node": (f"Install Node.js from {_NODE}.", _NODE),
    "uvx": (f"Install uv, which brings uvx: {_UV}.", _UV),
    "uv": (f"Install uv: {_UV}.", _UV),
    "docker": ("Install Docker, or a program of that name that does the same.", ""),
}


def check_readiness(missing: Mapping[str, str], url: str) -> Finding:
    """Tell whether the gateway at `url` takes calls; `missing` is what keeps it from them."""
    if not missing:
        message = f"The gateway at {url} takes calls."
        return fine(Code.GATEWAY, message, Kind.READY, url=url)
    why = ", ".join(f"{name}: {reason}" for name, reason in missing.items())
    return error(
        Code.GATEWAY,
        f"The gateway at {url} is not ready: {why}.",
        "Wait if it just started; otherwise its log says what is wrong.",
        Kind.NOT_READY,
        url=url,
        why=why,
    )


def check_server(server: JSONObject, project: str) -> Finding:
    """Tell how a server of a project is."""
    name, status = str(server.get("name")), str(server.get("status"))
    why = str(server.get("reason") or server.get("last_error") or "")
    message = f"Server {name} is {status}{f': {why}' if why else ''}".rstrip(".") + "."
    cure = f"See `interlock servers logs {name}` and `interlock servers test {name}`."
    facts = {"server": name, "project": project, "status": status, "why": why}
    match status:
        case "failed":
            return error(Code.SERVER, message, cure, Kind.SERVER, **facts)
        case "stale":
            return warning(Code.SERVER, message, cure, Kind.SERVER, **facts)
        case _:
            return fine(Code.SERVER, message, Kind.SERVER, **facts)


def check_commands(servers: Iterable[JSONObject]) -> Iterator[Finding]:
    """Tell which programs are missing that hosted servers are started with."""
    needed: dict[str, list[str]] = {}
    for server in servers:
        command = server.get("command")
        # A server with a PATH of its own finds its command where we cannot look.
        has_own_path = "PATH" in (as_list(server.get("env_names")) or ())
        if isinstance(command, str) and not server.get("disabled") and not has_own_path:
            needed.setdefault(_place(command, server.get("cwd")), []).append(str(server["name"]))
    for command, names in needed.items():
        if shutil.which(command) is not None:
            yield fine(
                Code.COMMAND, f"{command} is installed.", Kind.COMMAND_FOUND, command=command
            )
            continue
        users = ", ".join(names)
        cure, source = _CURES.get(
            PurePath(command).name, (f"Install {command}, or correct the command.", "")
        )
        yield error(
            Code.COMMAND,
            f"{command} is not found here, and {users} is started with it.",
            cure,
            Kind.COMMAND_MISSING,
            command=command,
            servers=users,
            source=source,
        )


def _place(command: str, folder: object) -> str:
    """Return where a command is looked for: one with a slash, from the folder of its server."""
    if isinstance(folder, str) and os.sep in command:
        return os.path.join(folder, command)  # noqa: PTH118 -- it keeps a leading ./ as it is
    return command
