"""How many calls are taken in a time: against a plain model, and for each caller by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import TooMany
from interlock.identity.limits import RateLimit
from interlock.identity.principal import Principal, Role, anonymous
from interlock.policy.rate_limit import Arrivals, Defaults, RateLimited, RateLimits

SECOND = 10**9
THREE = RateLimit.of(3, "second")
LIMITS = st.builds(
    RateLimit.of,
    st.integers(1, 50),
    st.sampled_from(["second", "minute"]),
    st.integers(1, 20),
)
PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 3 * SECOND)), max_size=60)
CALLER = ("key", "k")


@dataclass(frozen=True, slots=True)
class Project:
    id: str = "p"
    rate_limit: RateLimit | None = None


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Bucket:
    """The plain model: a bucket of tokens, filled evenly, from which each call takes one."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._tokens = Fraction(limit.burst)

    def take(self, pause: int) -> int:
        """Return how long the caller has to wait after a pause; 0 where it may call."""
        filled = self._tokens + Fraction(pause, self._limit.interval)
        self._tokens = min(Fraction(self._limit.burst), filled)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        missing = (1 - self._tokens) * self._limit.interval
        assert missing.denominator == 1
        return int(missing)


def key(name: str = "k", limit: RateLimit | None = None) -> Principal:
    return Principal("key", name, name, "p", Role.DEVELOPER, rate_limit=limit)


def person() -> Principal:
    return Principal("person", "x", "x", None, Role.OWNER, is_admin=True)


def limits(clock: Callable[[], int] | None = None, **defaults: RateLimit) -> RateLimits:
    return RateLimits(Defaults(**defaults), clock or Clock())


def taken(take: Callable[[], None], most: int = 10) -> int:
    """Return how many calls are taken at once."""
    for number in range(most):
        try:
            take()
        except RateLimited:
            return number
    return most


@given(LIMITS, PAUSES)
def test_calls_are_taken_and_refused_as_by_a_bucket_of_tokens(
    limit: RateLimit, pauses: list[int]
) -> None:
    arrivals, bucket, now = Arrivals(), Bucket(limit), 0
    for pause in pauses:
        now += pause
        wait = arrivals.wait(CALLER, limit, now)
        assert wait == bucket.take(pause)
        if not wait:
            arrivals.add(CALLER, limit, now)


@given(LIMITS, st.integers(1, 200))
def test_whoever_waits_as_told_is_taken_and_not_a_moment_sooner(
    limit: RateLimit, calls: int
) -> None:
    arrivals, now = Arrivals(), 0
    for _ in range(calls):
        wait = arrivals.wait(CALLER, limit, now)
        if wait > 1:
            assert arrivals.wait(CALLER, limit, now + wait - 1) == 1
        now += wait
        assert arrivals.wait(CALLER, limit, now) == 0
        arrivals.add(CALLER, limit, now)


def test_a_refusal_says_when_to_come_back() -> None:
    clock = Clock()
    counted, caller = limits(clock, key=RateLimit.of(120, "minute", 2)), key()
    for _ in range(2):
        counted.take(caller, Project(), "")
    clock.now = SECOND // 4

    with pytest.raises(RateLimited) as refused:
        counted.take(caller, Project(), "")

    fault = refused.value
    assert (isinstance(fault, TooMany), fault.status, fault.reason) == (True, 429, "rate_limited")
    assert (fault.retry_after, fault.data) == (0.25, {"retry_after_ms": 250})
    assert "120 calls per minute, 2 of them at once" in fault.message


def test_without_any_limit_nobody_is_counted() -> None:
    counted = limits()

    assert taken(lambda: counted.take(key(), Project(), ""), most=1000) == 1000
    assert len(counted._callers) == len(counted._projects) == 0


def test_each_key_is_counted_by_itself() -> None:
    counted = limits(key=THREE)

    assert taken(lambda: counted.take(key("a"), Project(), "")) == 3
    assert taken(lambda: counted.take(key("b"), Project(), "")) == 3


def test_a_key_s_own_limit_goes_before_the_default() -> None:
    counted = limits(key=THREE)
    wide, narrow = key("w", RateLimit.of(5, "second")), key("n", RateLimit.of(1, "second"))

    assert taken(lambda: counted.take(wide, Project(), "")) == 5
    assert taken(lambda: counted.take(narrow, Project(), "")) == 1


def test_a_project_is_counted_over_all_its_callers() -> None:
    counted, project = limits(), Project(rate_limit=THREE)
    callers = iter([key("a"), person(), key("b"), key("c")])

    assert taken(lambda: counted.take(next(callers), project, "")) == 3


def test_a_project_s_own_limit_goes_before_the_default() -> None:
    counted = limits(project=THREE)
    wide = Project("wide", RateLimit.of(5, "second"))

    assert taken(lambda: counted.take(key(), Project("plain"), "")) == 3
    assert taken(lambda: counted.take(key(), wide, "")) == 5


def test_people_have_no_limit_but_their_project_s() -> None:
    counted = limits(key=THREE)

    assert taken(lambda: counted.take(person(), Project(), "")) == 10


def test_what_the_project_refuses_is_not_counted_for_the_key() -> None:
    clock = Clock()
    counted = limits(clock)
    caller = key("a", RateLimit.of(2, "minute"))
    project = Project(rate_limit=RateLimit.of(1, "second"))

    assert taken(lambda: counted.take(caller, project, "")) == 1
    assert taken(lambda: counted.take(caller, project, "")) == 0
    clock.now = SECOND
    assert taken(lambda: counted.take(caller, project, "")) == 1


def test_what_the_key_may_not_is_not_counted_for_the_project() -> None:
    counted, project = limits(), Project(rate_limit=THREE)
    narrow = key("n", RateLimit.of(1, "minute"))

    assert taken(lambda: counted.take(narrow, project, "")) == 1
    assert taken(lambda: counted.take(narrow, project, "")) == 0
    assert taken(lambda: counted.take(key("other"), project, "")) == 2


def test_those_without_a_key_are_counted_by_their_address() -> None:
    counted, project = limits(key=THREE, sessions=THREE), Project()

    for take in (
        lambda host: counted.take(anonymous("p"), project, host),
        lambda host: counted.take_session(anonymous("p"), host),
    ):
        assert [taken(lambda h=h, t=take: t(h)) for h in ("one", "other", "one")] == [3, 3, 0]


def test_new_sessions_are_counted_apart_from_calls() -> None:
    counted = limits(key=THREE, sessions=RateLimit.of(2, "second"))

    assert taken(lambda: counted.take_session(key(), "")) == 2
    assert taken(lambda: counted.take(key(), Project(), "")) == 3


def test_sessions_without_a_limit_are_all_taken() -> None:
    assert taken(lambda: limits().take_session(key(), ""), most=1000) == 1000


def test_those_who_fell_silent_are_forgotten() -> None:
    arrivals = Arrivals()
    for number in range(100):
        arrivals.add(("key", str(number)), THREE, 0)
    for number in range(100, 200):
        arrivals.add(("key", str(number)), THREE, SECOND * number)

    assert len(arrivals) == 1


def test_memory_is_bounded_also_while_nobody_falls_silent() -> None:
    arrivals = Arrivals(most=10)
    for number in range(100):
        arrivals.add(("anonymous", str(number)), THREE, 0)

    assert len(arrivals) == 10
    assert arrivals.wait(("anonymous", "99"), RateLimit.of(1, "second"), 0) > 0
