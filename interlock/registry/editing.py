"""Definitions made and changed by the fields of an API body."""

from collections.abc import Callable
from dataclasses import asdict, replace

from interlock.errors import BadInput, Conflict
from interlock.policy.access import switched_off_by
from interlock.protocol.json import JSONObject
from interlock.registry.config import definition_from_fields
from interlock.registry.views import merged_target
from interlock.upstreams.definition import ServerDefinition, StdioTarget

Edit = Callable[[ServerDefinition], ServerDefinition]

_REMOTE = ("url", "urls", "headers", "retries", "connections")
_SPELLINGS = (
    ("autoApprove", "auto_approve"),
    ("toolTimeouts", "tool_timeouts"),
    ("disabledTools", "disabled_tools"),
)


def read_definition(body: JSONObject) -> ServerDefinition:
    """Read a server from an API body. Raises BadInput naming the field."""
    fields = dict(body)
    name = fields.pop("name", None)
    if not isinstance(name, str):
        raise BadInput('"name" is missing; it must be the name of the server.')
    return definition_from_fields(name, fields)


def amended(changes: JSONObject) -> Edit:
    """Return the edit that changes some fields; a secret given as `***` stays as it is."""
    return lambda known: _over(known, {**fields_of(known), **changes})


def replaced(body: JSONObject) -> Edit:
    """Return the edit that gives another definition, in which `***` stands for known secrets."""
    return lambda known: _over(known, {"name": known.name, **body})


def switched(tool: str, *, enabled: bool) -> Edit:
    """Return the edit that switches one tool, by the server's own name, on or off.

    It raises Conflict where a pattern holds the tool off, for that means other tools as well.
    """

    def edit(known: ServerDefinition) -> ServerDefinition:
        if enabled:
            others = [each for each in known.disabled_tools if each != tool]
            pattern = switched_off_by(others, tool)
            if pattern is not None:
                raise Conflict(
                    f"The tool {tool!r} is switched off by the pattern {pattern!r} in "
                    f"disabled_tools of the server {known.name!r}; take the pattern out of it, or "
                    "write the names of the tools that it is to mean."
                )
            return replace(known, disabled_tools=tuple(others))
        if switched_off_by(known.disabled_tools, tool) is not None:
            return known
        if "*" in tool:
            raise BadInput(
                f"The name {tool!r} holds *, which means other tools as well; if you want that, "
                "write it into disabled_tools of the server."
            )
        return amended({"disabled_tools": [*known.disabled_tools, tool]})(known)

    return edit


def _over(known: ServerDefinition, fields: JSONObject) -> ServerDefinition:
    definition = read_definition(fields)
    return replace(definition, target=merged_target(known.target, definition.target))


def fields_of(definition: ServerDefinition) -> JSONObject:
    """Return a definition as the fields that it could be read from again."""
    target = definition.target
    fields: JSONObject = {
        "name": definition.name,
        "type": definition.transport,
        "timeout": definition.timeout,
        "tool_timeouts": dict(definition.tool_timeouts),
        "disabled_tools": list(definition.disabled_tools),
        "auto_approve": list(definition.auto_approve),
        "disabled": definition.disabled,
        "description": definition.description,
    }
    if isinstance(target, StdioTarget):
        values = {"command": target.command, "args": list(target.args), "env": dict(target.env)}
        return {**fields, **values, "cwd": target.cwd}
    return {
        **fields,
        "url": target.url,
        "urls": list(target.urls),
        "headers": dict(target.headers),
        "retries": definition.retries,
        "connections": asdict(definition.connections),
    }


def changes_in(body: JSONObject) -> JSONObject:
    """Return what a PATCH body changes: also what another way to reach the server makes void."""
    changed = dict(body)
    for written, name in _SPELLINGS:
        if written in changed:
            changed[name] = changed.pop(written)
    has_address = "url" in changed or "urls" in changed
    if "command" in changed or has_address:
        # Another way to reach the server is another transport, unless the caller says which.
        changed.setdefault("type", None)
        for name in ("command", "args", "env", "cwd", "url", "urls") if has_address else _REMOTE:
            changed.setdefault(name, None)
    return changed
