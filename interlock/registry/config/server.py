"""One server, from a client's file or from our API, made into a definition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from interlock.errors import BadInput
from interlock.protocol.json import as_list, as_object
from interlock.registry.config import limits, tools, values
from interlock.registry.config.dialects import GENERIC, Dialect
from interlock.registry.config.fields import Fields, Remark
from interlock.registry.config.known import API_FIELDS, TRANSPORTS
from interlock.registry.config.values import WrongValue
from interlock.registry.config.variables import Variables
from interlock.upstreams.definition import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
    TransportName,
)

LONG_TIMEOUT = 3600.0  # seconds; above it the unit was probably mistaken
_MISPLACED = "does not belong to this type of server, so it was left out. Remove it."


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one server; `definition` is None where there are faults."""

    definition: ServerDefinition | None
    faults: tuple[Remark, ...]
    warnings: tuple[Remark, ...]


def definition_from_fields(
    name: str, fields: Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> ServerDefinition:
    """Make a definition from the fields of an API body, in snake_case or camelCase.

    A null counts as absent. `${…}` stays as it is unless `environ` says what it stands for.
    Raises BadInput with one line per fault, each naming its field.
    """
    variables = None if environ is None else Variables(environ)
    faults = [
        Remark(key[: values.MAX_NAME], "is not a field of a server. Correct its name or remove it.")
        for key in fields
        if key not in API_FIELDS
    ]
    known = {key: value for key, value in fields.items() if key in API_FIELDS}
    reading = read_server(name, known, dialect=GENERIC, variables=variables)
    faults += reading.faults
    faults += [remark for remark in reading.warnings if remark.text == _MISPLACED]
    if faults or reading.definition is None:
        raise BadInput("\n".join(f"{place or 'The server'} {text}" for place, text in faults))
    return reading.definition


def read_server(
    name: str, fields: Mapping[str, Any], *, dialect: Dialect, variables: Variables | None
) -> Reading:
    """Read one server as `dialect` means it; every fault and every loss is reported."""
    given = Fields(variables)
    given.sort(fields)
    definition = _definition(name, given, dialect)
    return Reading(None if given.faults else definition, tuple(given.faults), tuple(given.warnings))


def _definition(name: str, fields: Fields, dialect: Dialect) -> ServerDefinition | None:
    try:
        values.server_name(name)
    except WrongValue as wrong:
        fields.fault("name", wrong.message)
    target = _target(fields, dialect)
    timeout = _timeout(fields, dialect)
    tool_timeouts = limits.tool_timeouts(fields)
    retries = fields.read("retries", values.few, DEFAULT_RETRIES)
    connections = limits.connections(fields)
    disabled_tools = tools.disabled_tools(fields)
    auto_approve = tools.auto_approve(fields)
    disabled = fields.read("disabled", values.flag, default=False)
    enabled = fields.read("enabled", values.flag, default=True)
    description = fields.read("description", values.item, "")
    if target is None:
        return None
    return ServerDefinition(
        name=name,
        target=target,
        timeout=timeout,
        auto_approve=auto_approve,
        disabled=disabled or not enabled,
        description=description,
        tool_timeouts=tool_timeouts,
        retries=retries,
        connections=connections,
        disabled_tools=disabled_tools,
    )


def _target(fields: Fields, dialect: Dialect) -> StdioTarget | HTTPTarget | None:
    transport = _transport(fields, dialect)
    if transport is None:
        return None
    if transport == "stdio":
        _misplaced(fields, "headers", "bearer_token_env_var", "env_http_headers")
        _misplaced(fields, "retries", "connections")
        return StdioTarget(
            command=fields.text("command"),
            args=fields.texts("args"),
            env=_env(fields),
            cwd=fields.text("cwd") or None,
        )
    _misplaced(fields, "args", "env", "env_vars", "cwd")
    url, *more = _urls(fields)
    return HTTPTarget(
        url=url,
        headers=_headers(fields),
        legacy_sse=transport == "sse",
        more_urls=tuple(more),
    )


def _urls(fields: Fields) -> tuple[str, ...]:
    """Return all addresses, each once; a `url` that is given goes before `urls`."""
    first = (fields.text("url", values.url),) if "url" in fields else ()
    return tuple(dict.fromkeys((*first, *fields.texts("urls", values.url)))) or ("",)


def _transport(fields: Fields, dialect: Dialect) -> TransportName | None:
    command, url = "command" in fields, "url" in fields or bool(fields.raw("urls"))
    if command and url:
        fields.fault(
            fields.written("url" if "url" in fields else "urls"),
            "and command are both given. Keep command for a process that Interlock starts, or "
            "the address of a remote server.",
        )
        return None
    if not command and not url:
        fields.fault(None, "has neither command nor url. Give one of them.")
        return None
    if "type" in fields:
        return _typed(fields, command=command)
    return "stdio" if command else _untyped(fields, dialect)


def _typed(fields: Fields, *, command: bool) -> TransportName | None:
    said = fields.read("type", values.text, "")
    if not said:
        return None
    written = fields.written("type")
    transport = TRANSPORTS.get(said.lower().replace("_", "-"))
    if transport is None:
        fields.fault(written, "is not a transport. Write stdio, streamable-http or sse.")
        return None
    if command != (transport == "stdio"):
        need = "command" if transport == "stdio" else "url"
        fields.fault(written, f"is {transport}, which needs {need}. Give it, or change {written}.")
        return None
    return transport


def _untyped(fields: Fields, dialect: Dialect) -> TransportName:
    written = fields.written("url")
    if written == "httpUrl":
        return "streamable-http"
    first = fields.raw("url") or next(iter(as_list(fields.raw("urls")) or ()), None)
    if _path_ends_in_sse(first):
        return "sse"
    if dialect.doubtful_url:
        fields.warn(
            written,
            "has no type: it was taken for Streamable HTTP, where Cline would speak SSE. "
            "Write the type.",
        )
    return dialect.untyped_url


def _env(fields: Fields) -> dict[str, str]:
    env = fields.text_map("env", check_name=values.env_name, check_value=values.sendable)
    environ: Mapping[str, str] = fields.variables.environ if fields.variables else {}
    for index, entry in enumerate(fields.read("env_vars", values.texts, [])):
        place = f"{fields.written('env_vars')}[{index}]"
        name = (as_object(entry) or {}).get("name", entry)
        if not isinstance(name, str):
            fields.fault(place, "must be the name of an environment variable.")
        elif name in environ:
            env.setdefault(name, environ[name])
        else:
            fields.warn(place, f"names {name}, which is not set. Set it.")
    return env


def _headers(fields: Fields) -> dict[str, str]:
    headers = fields.text_map(
        "headers", check_name=values.header_name, check_value=values.header_value
    )
    named = {
        f"{fields.written('env_http_headers')}.{header}": (header, "", variable)
        for header, variable in fields.read("env_http_headers", values.text_map, {}).items()
    }
    if "bearer_token_env_var" in fields:
        place = fields.written("bearer_token_env_var")
        named[place] = ("Authorization", "Bearer ", fields.raw("bearer_token_env_var"))
    for place, (header, prefix, variable) in named.items():
        value = fields.environment(place, variable)
        if value is None:
            continue
        try:
            values.header_name(header)
            headers[header] = prefix + values.header_value(value)
        except WrongValue as wrong:
            fields.fault(place, wrong.message)
    return headers


def _timeout(fields: Fields, dialect: Dialect) -> float:
    if "tool_timeout_sec" in fields:
        return fields.read("tool_timeout_sec", values.positive, DEFAULT_TIMEOUT)
    if "timeout" not in fields:
        return DEFAULT_TIMEOUT
    written = fields.written("timeout")
    amount = fields.read("timeout", values.positive, 0.0)
    if not dialect.milliseconds:
        if amount > LONG_TIMEOUT:
            fields.warn(written, "is over an hour: it is in seconds, not milliseconds. Check it.")
        return amount
    if amount >= dialect.shortest:
        return amount / 1000
    if amount:
        fields.warn(
            written,
            f"was taken for seconds: {dialect.name} counts milliseconds and ignores fewer than "
            f"{dialect.shortest:g}. Write milliseconds.",
        )
    return amount


def _misplaced(fields: Fields, *meanings: str) -> None:
    for meaning in meanings:
        if fields.raw(meaning):
            fields.warn(fields.written(meaning), _MISPLACED)


def _path_ends_in_sse(url: Any) -> bool:
    try:
        return isinstance(url, str) and urlsplit(url).path.rstrip("/").endswith("/sse")
    except ValueError:
        return False
