import pytest

from interlock.errors import (
    BadInput,
    RPCError,
    TooMany,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from interlock.policy.breaker import (
    Circuit,
    CircuitLimits,
    CircuitOpen,
    CircuitState,
    Verdict,
    verdict_of,
)
from interlock.upstreams.balancing import UpstreamBusy
from interlock.upstreams.port import ProtocolBroken, SessionExpired
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.streamable_http import HTTPRefused
from tests.policy.clock import Clock

GOOD_AND_BAD: tuple[Verdict, ...] = ("well", "ill")
LIMITS = CircuitLimits(
    failures=3, volume=10, window=10, stuck=2, silence=2, first_open=2, longest_open=5
)
CLOSED = CircuitState("closed")


class Desk:
    """A circuit under a clock, and how often it called for a look."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.alarms = 0
        self.circuit = Circuit("docs", alarm=self._count, clock=self.clock, limits=LIMITS)

    def _count(self) -> None:
        self.alarms += 1

    def call(self, *verdicts: Verdict) -> None:
        for verdict in verdicts:
            self.circuit.end(verdict, was_trying=self.circuit.admit())

    def opened(self) -> "Desk":
        self.call("ill", "ill", "ill")
        assert self.circuit.state == CircuitState("open", 2)
        return self


def test_failures_in_a_row_open_the_circuit() -> None:
    desk = Desk()
    desk.call("ill", "ill")
    assert desk.circuit.state == CLOSED

    desk.call("ill")

    with pytest.raises(CircuitOpen) as refusal:
        desk.circuit.admit()
    assert refusal.value.message == "docs failed too often; it is tried again in 2.0 s."
    assert refusal.value.data == {"retry_after_ms": 2000}
    assert (refusal.value.reason, refusal.value.status) == ("circuit_open", 503)


@pytest.mark.parametrize("between", ["well", "unknown"])
def test_only_a_call_that_went_well_ends_a_row_of_failures(between: Verdict) -> None:
    desk = Desk()
    desk.call("ill", "ill", between, "ill")

    assert desk.circuit.is_open == (between == "unknown")


def test_half_of_many_calls_failing_opens_the_circuit() -> None:
    desk = Desk()
    desk.call(*GOOD_AND_BAD * 4, "well")
    assert desk.circuit.state == CLOSED

    desk.call("ill")

    assert desk.circuit.is_open


def test_failures_of_long_ago_do_not_count_towards_half() -> None:
    desk = Desk()
    desk.call(*GOOD_AND_BAD * 4, "well")
    desk.clock.pass_(11)

    desk.call("ill")

    assert desk.circuit.state == CLOSED


def test_after_its_time_one_call_is_let_through_and_closes_it() -> None:
    desk = Desk().opened()
    desk.clock.pass_(2)
    assert desk.circuit.state == CircuitState("half_open")

    was_trying = desk.circuit.admit()
    with pytest.raises(CircuitOpen):
        desk.circuit.admit()
    desk.circuit.end("well", was_trying=was_trying)

    assert was_trying
    assert desk.circuit.state == CLOSED
    assert desk.circuit.admit() is False


def test_each_try_that_fails_opens_it_for_longer_up_to_a_limit() -> None:
    desk = Desk().opened()
    opened: list[float | None] = []
    for _ in range(3):
        desk.clock.pass_(desk.circuit.state.retry_in or 0)
        desk.call("ill")
        opened.append(desk.circuit.state.retry_in)

    assert opened == [4, 5, 5]


def test_a_circuit_that_closed_opens_for_the_first_time_again() -> None:
    desk = Desk().opened()
    desk.clock.pass_(2)
    desk.call("ill")
    desk.clock.pass_(4)
    desk.call("well")

    assert desk.opened().circuit.state.retry_in == 2


def test_a_try_that_says_nothing_lets_another_try() -> None:
    desk = Desk().opened()
    desk.clock.pass_(2)
    desk.call("unknown")

    assert desk.circuit.state == CircuitState("half_open")
    assert desk.circuit.admit() is True


def test_a_call_from_before_that_goes_well_closes_it_and_one_that_fails_changes_nothing() -> None:
    desk = Desk()
    early, late = desk.circuit.admit(), desk.circuit.admit()
    desk.opened()
    desk.clock.pass_(1)

    desk.circuit.end("ill", was_trying=early)
    assert desk.circuit.state == CircuitState("open", 1)
    desk.circuit.end("well", was_trying=late)
    assert desk.circuit.state == CLOSED


def test_calls_that_wait_in_silence_ask_for_a_look_which_opens_it_at_once() -> None:
    desk = Desk()
    desk.circuit.admit()
    assert desk.circuit.look_at is None
    desk.circuit.admit()
    assert (desk.alarms, desk.circuit.look_at) == (1, desk.clock.now + 2)

    desk.clock.pass_(2)
    desk.circuit.look("ill")

    assert desk.circuit.is_open


def test_a_look_that_goes_well_clears_calls_that_wait_of_suspicion() -> None:
    desk = Desk()
    desk.circuit.admit()
    desk.circuit.admit()
    desk.clock.pass_(2)

    desk.circuit.look("well")

    assert desk.circuit.state == CLOSED
    assert desk.circuit.look_at == desk.clock.now + 2


def test_a_look_counts_like_a_call_where_nothing_waits() -> None:
    desk = Desk()
    desk.circuit.look("ill")
    desk.circuit.look("ill")
    assert desk.circuit.state == CLOSED

    desk.circuit.look("ill")

    assert desk.circuit.is_open


def test_an_open_circuit_is_looked_at_when_its_time_is_over() -> None:
    desk = Desk().opened()
    assert desk.circuit.look_at == desk.clock.now + 2
    desk.circuit.look("ill")
    assert desk.circuit.state == CircuitState("open", 2)

    desk.clock.pass_(2)
    desk.circuit.look("ill")
    assert desk.circuit.state == CircuitState("open", 4)

    desk.circuit.look("well")
    assert desk.circuit.state == CLOSED


def test_a_reset_closes_it() -> None:
    desk = Desk().opened()
    desk.circuit.reset()

    assert desk.circuit.state == CLOSED
    desk.call("ill", "ill")
    assert desk.circuit.state == CLOSED


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        (RPCError(-32603, "broken"), "well"),
        (HTTPRefused("x", 404), "well"),
        (HTTPRefused("x", 500), "ill"),
        (ConnectionFailed("x", sent=False), "ill"),
        (UpstreamUnavailable("x"), "ill"),
        (UpstreamTimeout("x"), "ill"),
        (UpstreamBusy("x", retry_after=1), "unknown"),
        (CircuitOpen("x"), "unknown"),
        (ProtocolBroken("x"), "unknown"),
        (SessionExpired("x"), "unknown"),
        (UpstreamFailed("x"), "unknown"),
        (TooMany("x"), "unknown"),
        (BadInput("x"), "unknown"),
        (KeyError("x"), "unknown"),
    ],
)
def test_only_a_server_that_does_not_answer_counts_as_ill(
    failure: Exception, verdict: Verdict
) -> None:
    assert verdict_of(failure) == verdict
