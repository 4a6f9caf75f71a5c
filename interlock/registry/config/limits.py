"""How long calls of a server may take, and how many connections it may have."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from interlock.registry.config import values
from interlock.registry.config.fields import Fields
from interlock.registry.config.values import WrongValue
from interlock.upstreams.definition import ConnectionLimits

_CONNECTIONS: Mapping[str, tuple[str, Callable[[Any], float]]] = MappingProxyType(
    {
        "max": ("max", values.many),
        "connectTimeout": ("connect_timeout", values.positive),
        "connect_timeout": ("connect_timeout", values.positive),
        "idleTimeout": ("idle_timeout", values.positive),
        "idle_timeout": ("idle_timeout", values.positive),
    }
)


def tool_timeouts(fields: Fields) -> dict[str, float]:
    """Return the seconds of single tools, whatever unit the client of the file has."""
    found: dict[str, float] = {}
    for tool, value in fields.read("tool_timeouts", values.number_map, {}).items():
        try:
            found[tool] = values.positive(value)
        except WrongValue as wrong:
            place = f"{fields.written('tool_timeouts')}.{tool[: values.MAX_NAME]}"
            fields.fault(place, wrong.message)
    return found


def connections(fields: Fields) -> ConnectionLimits:
    """Return the bounds of the connections; what is not given keeps its default."""
    found: dict[str, Any] = {}
    for name, value in fields.read("connections", values.number_map, {}).items():
        place = f"connections.{name[: values.MAX_NAME]}"
        meaning, check = _CONNECTIONS.get(name, (None, None))
        if meaning is None or check is None:
            fields.fault(place, "is not known. Write max, connectTimeout or idleTimeout.")
        elif value is not None:
            try:
                found[meaning] = check(value)
            except WrongValue as wrong:
                fields.fault(place, wrong.message)
    return ConnectionLimits(**found)
