import pytest

from interlock.errors import UpstreamFailed, UpstreamTimeout, UpstreamUnavailable
from interlock.policy.breaker import CircuitOpen
from interlock.policy.retry import Retries, is_repeatable_tool, is_safe, pause_before
from interlock.protocol.json import JSONObject
from interlock.upstreams.balancing import UpstreamBusy
from interlock.upstreams.port import ProtocolBroken
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.streamable_http import HTTPRefused

DROPPED = ConnectionFailed("x", sent=True)


def rich() -> Retries:
    """Return what a server has after many calls that went well."""
    retries = Retries(1)
    for _ in range(100):
        retries.earn()
    return retries


@pytest.mark.parametrize("hint", ["readOnlyHint", "idempotentHint"])
def test_a_tool_may_be_called_twice_only_if_it_says_so(hint: str) -> None:
    assert is_repeatable_tool({"annotations": {hint: True}})
    assert not is_repeatable_tool({"annotations": {hint: "true"}})
    assert not is_repeatable_tool({"annotations": {hint: False}})
    assert not is_repeatable_tool({})


@pytest.mark.parametrize(
    ("method", "params", "is_repeatable", "safe"),
    [
        ("resources/read", {}, False, True),
        ("prompts/get", {}, False, True),
        ("completion/complete", {}, False, True),
        ("tools/list", {}, False, True),
        ("tools/call", {}, True, True),
        ("tools/call", {}, False, False),
        ("tools/call", {"requestState": "s"}, True, False),
        ("tools/call", {"inputResponses": {}}, True, False),
        ("resources/subscribe", {}, True, False),
        ("something/else", {}, True, False),
    ],
)
def test_what_only_reads_is_safe_to_repeat(
    method: str, params: JSONObject, is_repeatable: bool, safe: bool
) -> None:
    assert is_safe(method, is_repeatable=is_repeatable, params=params) == safe


@pytest.mark.parametrize(
    "failure",
    [
        DROPPED,
        HTTPRefused("x", 500),
        HTTPRefused("x", 503),
        UpstreamUnavailable("It ended its stream."),
    ],
)
def test_a_passing_failure_is_tried_again_only_where_that_is_safe(failure: UpstreamFailed) -> None:
    assert rich().take(failure, is_safe=True)
    assert not rich().take(failure, is_safe=False)


@pytest.mark.parametrize(
    "failure",
    [
        HTTPRefused("x", 404),
        UpstreamTimeout("x"),
        CircuitOpen("x"),
        ProtocolBroken("x"),
        UpstreamBusy("x", retry_after=1),
    ],
)
def test_what_a_second_try_would_not_mend_is_not_tried(failure: UpstreamFailed) -> None:
    assert not rich().take(failure, is_safe=True)


def test_what_another_endpoint_may_take_is_tried_there_even_if_it_is_not_safe() -> None:
    busy = UpstreamBusy("x", retry_after=1, has_others=True)

    assert rich().take(busy, is_safe=False)


def test_what_never_reached_the_server_may_always_be_sent_again() -> None:
    retries = Retries(1)

    assert all(retries.take(ConnectionFailed("x", sent=False), is_safe=False) for _ in range(50))


def test_a_server_never_sees_more_than_six_requests_for_five_calls() -> None:
    retries, requests = Retries(1), 0
    for call in range(1, 1001):
        retries.earn()
        requests += 1 + retries.take(DROPPED, is_safe=True)
        assert requests <= 1.2 * call

    assert requests == 1200


def test_a_long_time_without_failures_saves_up_only_a_few_tries() -> None:
    retries = rich()

    assert [retries.take(DROPPED, is_safe=True) for _ in range(3)] == [True, True, False]


def test_pauses_double_up_to_a_limit_and_chance_shortens_them() -> None:
    assert [pause_before(number, lambda: 0.0) for number in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert pause_before(1, lambda: 1.0) == 0.05
    assert pause_before(5000, lambda: 0.0) == 2.0
