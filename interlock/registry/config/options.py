"""The `interlock` key of a configuration: how tools are named, and who may come in."""

import re
from collections.abc import Mapping
from typing import Any

from interlock.protocol.json import as_object
from interlock.registry.config.imported import (
    ConfigFault,
    ConfigWarning,
    InterlockOptions,
    Naming,
)
from interlock.registry.config.values import MAX_NAME, kind

_TOOL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAMINGS: Mapping[str, Naming] = {"prefix": "prefix", "plain": "plain"}


def read_options(
    value: Any,
) -> tuple[InterlockOptions, list[ConfigFault], list[ConfigWarning]]:
    """Read the `interlock` object; what is wrong in it keeps its default and is a fault."""
    if value is None:
        return InterlockOptions(), [], []
    members = as_object(value)
    if members is None:
        fault = _fault(
            "interlock", f'must be an object such as {{"naming": "prefix"}}, not {kind(value)}.'
        )
        return InterlockOptions(), [fault], []
    faults: list[ConfigFault] = []
    options = InterlockOptions(
        naming=_naming(members.get("naming", "prefix"), faults),
        aliases=_aliases(members.get("aliases", {}), faults),
        open=_open(members.get("open", False), faults),
    )
    return options, faults, [_unknown(key) for key in members.keys() - _KNOWN]


def _naming(value: Any, faults: list[ConfigFault]) -> Naming:
    naming = _NAMINGS.get(value) if isinstance(value, str) else None
    if naming is None:
        faults.append(_fault("interlock.naming", 'must be "prefix" or "plain".'))
        return "prefix"
    return naming


def _aliases(value: Any, faults: list[ConfigFault]) -> dict[str, str]:
    members = as_object(value)
    if members is None:
        text = 'must be an object such as {"search": "github__search"}.'
        faults.append(_fault("interlock.aliases", text))
        return {}
    aliases: dict[str, str] = {}
    for alias, tool in members.items():
        place = f"interlock.aliases.{alias[:MAX_NAME]}"
        if not _TOOL.fullmatch(alias):
            text = "is not a tool name. Use at most 64 letters, digits, dots, hyphens and _."
            faults.append(_fault(place, text))
        elif not isinstance(tool, str) or not _names_a_tool(tool):
            faults.append(_fault(place, 'must name a tool as "server__tool".'))
        else:
            aliases[alias] = tool
    return aliases


def _open(value: Any, faults: list[ConfigFault]) -> bool:
    if not isinstance(value, bool):
        faults.append(_fault("interlock.open", "must be true or false."))
        return False
    return value


def _names_a_tool(tool: str) -> bool:
    server, separator, name = tool.partition("__")
    return bool(server and separator and name)


def _fault(place: str, text: str) -> ConfigFault:
    return ConfigFault(f"{place} {text}", field=place)


def _unknown(key: str) -> ConfigWarning:
    place = f"interlock.{key[:MAX_NAME]}"
    return ConfigWarning(f"{place} is not an option. Correct its name or remove it.", field=place)


_KNOWN = frozenset({"naming", "aliases", "open"})
