"""The OpenTelemetry collector that numbers and spans are told to, where one is set."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from interlock import __version__
from interlock.errors import BadInput
from interlock.settings import TelemetrySettings
from interlock.telemetry.families import Family
from interlock.telemetry.spans import Spans


class Collector(Spans, Protocol):
    """Tells of spans as they end, and of numbers now and then."""

    async def tell_numbers(self, families: Callable[[], Sequence[Family]]) -> None:
        """Tell numbers until cancelled, and once more at the end."""
        ...

    async def close(self) -> None:
        """Tell what waits, for a few seconds."""
        ...


def open_collector(settings: TelemetrySettings, process: int) -> Collector | None:
    """Return the collector of a process of the gateway; None where none is set. Raises BadInput."""
    if settings.otlp_endpoint is None:
        return None
    try:
        # The SDK is large and optional, so that it is loaded where it is wanted only.
        found = import_module("interlock.telemetry.otlp")
    except ModuleNotFoundError as missing:
        raise BadInput(
            f"INTERLOCK_TELEMETRY__OTLP_ENDPOINT needs the package {missing.name}, which is not "
            "installed; install interlock-mcp[otel], or remove the setting."
        ) from None
    return found.OTLP(settings, version=__version__, process=process)
