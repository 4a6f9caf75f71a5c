"""Who traces a call: the W3C context that came along, and the spans that are told to a collector.

Sources: W3C Trace Context; the Model Context Protocol, SEP-414; OpenTelemetry's semantic
conventions for MCP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from interlock.telemetry.request_ids import trace_id_of

MAX_TRACESTATE: Final = 512  # characters that W3C wants carried at least

Attributes: TypeAlias = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span that a call belongs under, as the headers `traceparent` and `tracestate` say it."""

    trace_id: str
    traceparent: str
    tracestate: str = ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that pass it on, which are the members of `_meta` too."""
        state = [("tracestate", self.tracestate)] if self.tracestate else []
        return [("traceparent", self.traceparent), *state]


def context_of(carrier: Mapping[str, object]) -> TraceContext | None:
    """Return the context in headers or in a request's `_meta`; None where there is no valid one."""
    parent = carrier.get("traceparent")
    if not isinstance(parent, str):
        return None
    trace_id = trace_id_of(parent)
    if trace_id is None:
        return None
    state = carrier.get("tracestate")
    is_kept = isinstance(state, str) and len(state) <= MAX_TRACESTATE and _is_plain(state)
    return TraceContext(trace_id, parent, str(state) if is_kept else "")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


class Span(Protocol):
    """One span, from its beginning to its end; moments are nanoseconds since 1970."""

    context: TraceContext

    def child(self, at: int) -> "Span":
        """Begin the span of what is asked of a server for this one."""
        ...

    def end(self, at: int, name: str, attributes: Attributes, error: str | None) -> None:
        """End it; `error` is the kind of failure where it failed."""
        ...


class Spans(Protocol):
    """Where spans are told."""

    def begin(self, parent: TraceContext | None, at: int) -> Span:
        """Begin the span of a call that came in, under that of its client."""
        ...
