"""Which tools of a server are switched off, and which a client may call without asking."""

from typing import Final

from interlock.protocol.json import as_object
from interlock.registry.config import values
from interlock.registry.config.fields import Fields
from interlock.registry.config.values import WrongValue

MAX_DISABLED: Final = 1000


def disabled_tools(fields: Fields) -> tuple[str, ...]:
    """Return the names and patterns of the tools that are switched off, each once."""
    found = _names(fields, "disabled_tools")
    if len(found) > MAX_DISABLED:
        written = fields.written("disabled_tools")
        fields.fault(written, f"names more than {MAX_DISABLED} tools. Use * in their names.")
    return found


def auto_approve(fields: Fields) -> tuple[str, ...]:
    """Return the tools that a client may call without asking its user, each once."""
    approved = list(_names(fields, "auto_approve"))
    # Codex keeps a table of rules per tool; other clients have a list of allowed tools there.
    rules = as_object(fields.raw("tools"))
    if rules is None and fields.raw("tools") not in (None, ["*"]):
        fields.warn("tools", "is not carried over: name the tools to leave out in disabledTools.")
    for tool, rule in (rules or {}).items():
        if (as_object(rule) or {}).get("approval_mode") == "approve":
            approved.append(tool)
    return tuple(dict.fromkeys(approved))


def _names(fields: Fields, meaning: str) -> tuple[str, ...]:
    found: list[str] = []
    for index, tool in enumerate(fields.read(meaning, values.texts, [])):
        try:
            found.append(values.text(tool))
        except WrongValue as wrong:
            fields.fault(f"{fields.written(meaning)}[{index}]", wrong.message)
    return tuple(dict.fromkeys(found))
