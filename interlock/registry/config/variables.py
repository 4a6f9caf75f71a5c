"""The `${…}` references of configurations: environment variables, inputs, well-known folders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_BRACED = r"\$\{(?P<braced>[^}]*)\}"
_REFERENCE = re.compile(_BRACED)
_REFERENCE_OR_BARE = re.compile(_BRACED + r"|\$(?P<bare>[A-Za-z_]\w*)", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_EDITOR_FOLDERS = frozenset({".vscode", ".cursor", ".gemini", ".roo", ".windsurf"})


class UnknownReference(Exception):
    """A reference has no value; the message says which, and the cure."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Variables:
    """All that a reference can stand for.

    `workspace` is the folder that `${workspaceFolder}` means, None where there is none. With
    `bare`, `$NAME` is a reference too.
    """

    environ: Mapping[str, str] = field(repr=False)
    inputs: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    workspace: str | None = None
    bare: bool = False

    def expand(self, text: str) -> str:
        """Return `text` with every reference replaced; what is put in is not looked at again.

        A bare `$NAME` that is not set stays as it is: it may be a part of a password. Raises
        UnknownReference for the first `${…}` that has no value.
        """
        pattern = _REFERENCE_OR_BARE if self.bare else _REFERENCE
        return pattern.sub(self._value, text)

    def leaves(self, text: str) -> bool:
        """Tell whether `text` mentions a bare `$NAME` that is not set and so stays as it is."""
        found = _REFERENCE_OR_BARE.finditer(text) if self.bare else ()
        return any(match["bare"] and match["bare"] not in self.environ for match in found)

    def environment(self, name: str) -> str:
        """Return the environment variable `name`. Raises UnknownReference where it is not set."""
        if name not in self.environ:
            raise UnknownReference(f"the environment variable {name} is not set. Set it.")
        return self.environ[name]

    def _value(self, match: re.Match[str]) -> str:
        bare = match.groupdict().get("bare")
        if bare is not None:
            return self.environ.get(bare, match.group())
        reference = match["braced"]
        scheme, colon, name = reference.partition(":")
        if colon and scheme == "env":
            return self.environment(name)
        if colon and scheme == "input":
            return self._input(name)
        if reference in _FOLDERS:
            return self._folder(reference)
        return self._variable(reference)

    def _variable(self, reference: str) -> str:
        name, separator, default = reference.partition(":-")
        if not _NAME.fullmatch(name):
            raise UnknownReference(
                "it holds a ${…} that Interlock does not know. Write ${NAME}, ${NAME:-default}, "
                "${env:NAME} or ${input:id}, or the value itself."
            )
        if "${" in default:
            raise UnknownReference(
                f"the default of ${{{name}}} holds a reference itself. Write a plain default."
            )
        if separator:
            return self.environ.get(name) or default
        if name not in self.environ:
            raise UnknownReference(
                f"the environment variable {name} is not set. Set it, or write a default as "
                f"${{{name}:-default}}."
            )
        return self.environ[name]

    def _input(self, name: str) -> str:
        if name not in self.inputs:
            raise UnknownReference(f"the input {name!r} has no value. Give one for it.")
        return self.inputs[name]

    def _folder(self, name: str) -> str:
        if name in {"/", "pathSeparator"}:
            return "/"
        if name == "userHome":
            home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
            if not home:
                raise UnknownReference("${userHome} is not known: HOME is not set. Set it.")
            return home
        if self.workspace is None:
            raise UnknownReference(f"${{{name}}} has no meaning here. Write the folder itself.")
        if name == "workspaceFolderBasename":
            return PurePosixPath(self.workspace).name
        return self.workspace


_FOLDERS = frozenset(
    {"/", "pathSeparator", "userHome", "workspaceFolder", "workspaceFolderBasename"}
)


def workspace_of(source: str) -> str | None:
    """Return the project folder that the configuration at `source` belongs to, None if unknown.

    Editors keep it one folder down, as in `project/.vscode/mcp.json`; a bare file name says nothing.
    """
    path = PurePosixPath(source.replace("\\", "/"))
    if "/" not in source.replace("\\", "/"):
        return None
    folder = path.parent
    return str(folder.parent if folder.name in _EDITOR_FOLDERS else folder)
