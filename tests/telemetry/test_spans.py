"""Which trace contexts count, and how they are passed on."""

import pytest

from interlock.telemetry.spans import MAX_TRACESTATE, TraceContext, context_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_a_context_is_passed_on_as_it_came() -> None:
    carrier = {"traceparent": PARENT, "tracestate": "a=1,b=2", "other": 1}

    found = context_of(carrier)

    assert found == TraceContext(TRACE, PARENT, "a=1,b=2")
    assert found is not None
    assert found.headers == [("traceparent", PARENT), ("tracestate", "a=1,b=2")]
    assert TraceContext(TRACE, PARENT).headers == [("traceparent", PARENT)]


@pytest.mark.parametrize(
    "carrier",
    [
        {},
        {"tracestate": "a=1"},
        {"traceparent": 7},
        {"traceparent": "nonsense"},
        {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"},
    ],
)
def test_what_is_no_context_is_none(carrier: dict[str, object]) -> None:
    assert context_of(carrier) is None


@pytest.mark.parametrize(
    "state", [1, None, "x" * (MAX_TRACESTATE + 1), "a=1\r\nevil: yes", "a=\N{SNOWMAN}"]
)
def test_a_state_that_no_header_can_carry_is_left_out(state: object) -> None:
    assert context_of({"traceparent": PARENT, "tracestate": state}) == TraceContext(TRACE, PARENT)
