"""Whose span a server is told, and what a call's spans say."""

from typing import Any

import pytest

from interlock.errors import Forbidden, RPCError, UpstreamTimeout
from interlock.gateway.call import Trace
from interlock.gateway.ledger import Ledger
from interlock.gateway.tracing import begin, carry
from interlock.identity.principal import Principal, Role
from interlock.protocol.versions import Era
from interlock.telemetry.spans import Attributes, TraceContext

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = TraceContext(TRACE, f"00-{TRACE}-b7ad6b7169203331-01", "a=1")


class Told:
    """A span that keeps how it ended; a collector of such spans."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.context = TraceContext(TRACE, f"00-{TRACE}-{number:016x}-01")
        self.begun: list[tuple[TraceContext | None, int]] = []
        self.spans: list[Told] = []
        self.ended: tuple[str, dict[str, Any], str | None] | None = None

    def begin(self, parent: TraceContext | None, at: int) -> "Told":
        self.begun.append((parent, at))
        return self.child(at)

    def child(self, at: int) -> "Told":
        self.spans.append(Told(self.number * 10 + len(self.spans) + 1))
        return self.spans[-1]

    def end(self, at: int, name: str, attributes: Attributes, error: str | None) -> None:
        assert self.ended is None
        self.ended = (name, dict(attributes), error)


def fresh(**facts: Any) -> Trace:
    trace = Trace(request_id="r-1", transport="streamable-http")
    for name, value in facts.items():
        setattr(trace, name, value)
    return trace


def called(**facts: Any) -> Trace:
    return fresh(method="tools/call", found=("shop", "time", "now"), era=Era.MODERN, **facts)


def ended(trace: Trace) -> Told:
    """Close a call, and return its span."""
    spans = Told()
    Ledger(lambda _: None, spans=spans).close(trace)
    (span,) = spans.spans
    return span


def test_without_spans_of_ours_a_server_is_told_its_clients() -> None:
    params = {"name": "x", "_meta": {"progressToken": 1}}

    sent = carry(fresh(context=CLIENT), params)

    assert sent == {
        "name": "x",
        "_meta": {"progressToken": 1, "traceparent": CLIENT.traceparent, "tracestate": "a=1"},
    }
    assert params == {"name": "x", "_meta": {"progressToken": 1}}


def test_a_request_that_is_traced_by_nobody_is_sent_as_it_is() -> None:
    params: dict[str, Any] = {"name": "x"}
    trace = fresh()

    assert carry(trace, params) is params
    assert trace.outward is None


def test_a_request_that_says_it_already_is_sent_as_it_is() -> None:
    params = {"_meta": {"traceparent": CLIENT.traceparent, "tracestate": "a=1", "baggage": "b=2"}}

    assert carry(fresh(context=CLIENT), params) is params


def test_a_server_is_told_our_span_below_that_of_its_client() -> None:
    spans, trace = Told(), called(context=CLIENT, sent=1.0)
    begin(spans, trace)

    params = {"_meta": {"traceparent": CLIENT.traceparent, "tracestate": "a=1", "baggage": "b=2"}}
    sent = carry(trace, params)

    assert [parent for parent, _ in spans.begun] == [CLIENT]
    inner = spans.spans[0].spans[0]
    assert sent == {"_meta": {"baggage": "b=2", "traceparent": inner.context.traceparent}}
    assert trace.outward == inner.context


def test_a_call_is_begun_once_and_recorded_under_its_trace() -> None:
    spans, trace, found = Told(), called(), []
    ledger = Ledger(found.append, spans=spans)

    ledger.begin(trace)
    ledger.begin(trace)
    ledger.close(trace)

    assert len(spans.begun) == 1
    assert [record.trace_id for record in found] == [TRACE]


def test_a_span_says_what_was_called_by_whom_and_how_it_ended() -> None:
    caller = Principal("key", "k-1", "Build", "p-1", Role.DEVELOPER)

    assert ended(called(principal=caller, client_name="Editor")).ended == (
        "tools/call now",
        {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "now",
            "interlock.project": "shop",
            "interlock.server": "time",
            "interlock.tool": "now",
            "interlock.era": "modern",
            "interlock.outcome": "ok",
            "interlock.request_id": "r-1",
            "interlock.transport": "streamable-http",
            "interlock.principal": "key:k-1",
            "interlock.client": "Editor",
            "http.response.status_code": 200,
            "network.protocol.name": "http",
            "network.transport": "tcp",
        },
        None,
    )


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (Forbidden("No."), "forbidden", "-31403"),
        (UpstreamTimeout("Late."), "upstream_timeout", "-31504"),
        (RPCError(-32000, "Theirs"), "-32000", "-32000"),
    ],
)
def test_a_failure_is_named_by_its_reason_or_the_servers_code(
    fault: Forbidden | UpstreamTimeout | RPCError, error: str, code: str
) -> None:
    trace = called()
    trace.fail(fault)

    assert (told := ended(trace).ended) is not None
    assert (told[2], told[1]["rpc.response.status_code"]) == (error, code)


def test_a_tools_own_failure_is_one_of_both_spans() -> None:
    spans, trace = Told(), called(sent=1.0, answered=2.0, tool_error=True)
    begin(spans, trace)
    carry(trace, {})

    Ledger(lambda _: None, spans=spans).close(trace)

    outer = spans.spans[0]
    assert [each.ended[2] for each in (outer, outer.spans[0]) if each.ended] == ["tool_error"] * 2


def test_a_call_that_its_server_never_got_has_no_span_below_its_own() -> None:
    spans, trace = Told(), called(sent=1.0)
    begin(spans, trace)
    carry(trace, {})
    trace.sent = None

    Ledger(lambda _: None, spans=spans).close(trace)

    (outer,) = spans.spans
    assert outer.ended is not None
    assert [each.ended for each in outer.spans] == [None]


def test_a_made_up_method_names_no_span() -> None:
    told = ended(fresh(method="made/up" * 100)).ended

    assert told is not None
    assert told[0] == "other"
    assert len(told[1]["mcp.method.name"]) == 256


def test_a_prompt_and_a_resource_are_attributes_and_no_part_of_the_name() -> None:
    prompt = ended(fresh(method="prompts/get", target="greet")).ended
    resource = ended(fresh(method="resources/read", target="file:///r")).ended

    assert prompt is not None
    assert resource is not None
    assert (prompt[0], prompt[1]["gen_ai.prompt.name"]) == ("prompts/get", "greet")
    assert (resource[0], resource[1]["mcp.resource.uri"]) == ("resources/read", "file:///r")
