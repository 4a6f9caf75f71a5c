"""A whole configuration file, whoever's it is, read into definitions and remarks."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.registry.config.dialects import GEMINI_CLI, Found, Table, find_servers
from interlock.registry.config.fields import Remark
from interlock.registry.config.imported import ConfigFault, ConfigWarning, ImportedConfig
from interlock.registry.config.jsonc import JSONCObject, parse_jsonc, repeated_keys
from interlock.registry.config.known import FILE_FIELDS
from interlock.registry.config.options import read_options
from interlock.registry.config.server import read_server
from interlock.registry.config.values import MAX_NAME, kind
from interlock.registry.config.variables import Variables, workspace_of
from interlock.upstreams.definition import ServerDefinition


def read_config(
    text: str,
    *,
    environ: Mapping[str, str],
    inputs: Mapping[str, str] | None = None,
    source: str = "",
) -> ImportedConfig:
    """Read the servers of a client's configuration: JSON with comments, or Codex's TOML.

    `environ` and `inputs` say what `${NAME}` and `${input:id}` stand for; `source` is the path
    or name of the file, from which the client and `${workspaceFolder}` are told. A fault in one
    server leaves the others untouched. Raises BadInput where the file as a whole cannot be read.
    """
    if not text.strip("\ufeff \t\r\n"):
        raise BadInput('The configuration is empty. Write {"mcpServers": {}} at the least.')
    toml = _is_toml(text, source)
    document = _parse_toml(text) if toml else parse_jsonc(text.removeprefix("\ufeff"))
    found = find_servers(document, source=source, toml=toml)
    root = as_object(document) or {}
    options, faults, warnings = read_options(root.get("interlock"))
    known_inputs, unanswered = _inputs(found, inputs or {})
    variables = Variables(
        environ=environ,
        inputs=known_inputs,
        workspace=workspace_of(source),
        bare=found.dialect.bare_variables,
    )
    reader = _Reader(found, variables, faults=faults, warnings=[*warnings, *unanswered])
    reader.read_file(root)
    return ImportedConfig(
        dialect=found.dialect.name,
        servers=tuple(reader.servers.values()),
        faults=tuple(reader.faults),
        options=options,
        warnings=tuple(reader.warnings),
    )


@dataclass(slots=True)
class _Reader:
    """Gathers servers, faults and warnings while it walks through the tables of a file."""

    found: Found
    variables: Variables
    faults: list[ConfigFault]
    warnings: list[ConfigWarning]
    servers: dict[str, ServerDefinition] = field(default_factory=dict[str, ServerDefinition])

    def read_file(self, root: JSONObject) -> None:
        keys = root.repeated if isinstance(root, JSONCObject) else ()
        for key in (*keys, *repeated_keys(root.get("interlock"), "interlock.")):
            self.faults.append(
                ConfigFault(
                    f"{key} is written twice; only the first counts. Remove one.", field=key
                )
            )
        for table in self.found.tables:
            self._read_table(table)
        self._warn_of_filters(root)

    def _read_table(self, table: Table) -> None:
        for name, fields in table.servers.items():
            self._read_entry(name, fields, table.place)
        repeated = table.servers.repeated if isinstance(table.servers, JSONCObject) else ()
        for name in repeated:
            self._fault_of_duplicate(name, table.place)

    def _read_entry(self, name: str, value: Any, place: str) -> None:
        fields = as_object(value)
        if fields is None:
            text = f'must be an object such as {{"command": "…"}}, not {kind(value)}.'
            self._report(name, [Remark(None, text)], ())
            return
        repeated = [
            Remark(key, "is written twice. Remove one of them.") for key in repeated_keys(fields)
        ]
        if _is_shell(fields):
            text = "is disabled and has neither command nor url, so it was left out."
            self._report(name, repeated, [Remark(None, text)])
            return
        reading = read_server(name, fields, dialect=self.found.dialect, variables=self.variables)
        self._report(name, [*repeated, *reading.faults], reading.warnings)
        definition = reading.definition
        if definition is None or repeated:
            return
        if self.servers.setdefault(name, definition) != definition:
            self._fault_of_duplicate(name, place)

    def _fault_of_duplicate(self, name: str, place: str) -> None:
        where = f" {place}" if place else ""
        text = f"{where} has the name of an earlier server. Rename or remove it."
        self.faults.append(ConfigFault(f"Server {_quoted(name)}{text}", server=name))

    def _report(self, name: str, faults: Iterable[Remark], warnings: Iterable[Remark]) -> None:
        for place, text in faults:
            self.faults.append(ConfigFault(_sentence(name, place, text), name, place))
        for place, text in warnings:
            self.warnings.append(ConfigWarning(_sentence(name, place, text), name, place))

    def _warn_of_filters(self, root: JSONObject) -> None:
        if self.found.dialect is not GEMINI_CLI:
            return
        for key in ("allowed", "excluded"):
            if as_list((as_object(root.get("mcp")) or {}).get(key)):
                message = (
                    f"mcp.{key} is not carried over. Disable the servers that you do not want."
                )
                self.warnings.append(ConfigWarning(message, field=f"mcp.{key}"))


def _inputs(found: Found, answers: Mapping[str, str]) -> tuple[dict[str, str], list[ConfigWarning]]:
    known: dict[str, str] = {}
    unanswered: list[ConfigWarning] = []
    for declared in found.inputs:
        name, default = declared.get("id"), declared.get("default")
        if not isinstance(name, str):
            continue
        if isinstance(default, str):
            known[name] = default
        elif name not in answers:
            message = f"The input {_quoted(name)} has no value. Give one for it."
            unanswered.append(ConfigWarning(message, field=f"inputs.{name[:MAX_NAME]}"))
    return {**known, **answers}, unanswered


def _is_shell(fields: JSONObject) -> bool:
    """Tell whether an entry only marks a place: it is disabled and says nothing of a target."""
    meanings = {FILE_FIELDS.get(key) for key, value in fields.items() if value not in (None, "")}
    disabled = fields.get("disabled") is True or fields.get("enabled") is False
    return disabled and not meanings & {"command", "url"}


def _is_toml(text: str, source: str) -> bool:
    if source.lower().endswith((".toml", ".json", ".jsonc")):
        return source.lower().endswith(".toml")
    start = text.lstrip("\ufeff \t\r\n")
    # JSON may begin with a bracket, as a TOML table does, so a bracket alone decides nothing.
    return start[:1] not in {"{", '"', "/", ""} and (start[:1] != "[" or "=" in start)


def _parse_toml(text: str) -> JSONObject:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"The configuration is neither JSON nor valid TOML: {error}. Correct it there."
        ) from None
    except RecursionError:
        raise BadInput("The configuration is nested too deeply.") from None


def _sentence(server: str, place: str | None, text: str) -> str:
    return f"Server {_quoted(server)}{f', {place}' if place else ''} {text}"


def _quoted(name: str) -> str:
    return repr(name[:MAX_NAME])
