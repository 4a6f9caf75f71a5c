"""A server that keeps falling is restarted ever later, then left alone, then tried again."""

import pytest

from interlock.station.supervisor import RestartPolicy


def steady() -> RestartPolicy:
    """Return a policy whose delays are not shortened by chance."""
    return RestartPolicy(lambda: 0.0)


def fall(policy: RestartPolicy, now: float) -> float:
    """Start and end at once; return when the policy would start again, or its `retry_at`."""
    policy.started(now)
    policy.ended(now)
    delay = policy.delay_before_restart(now)
    return now + delay if delay is not None else policy.retry_at or 0.0


def fall_until_open(policy: RestartPolicy) -> float:
    """Let the policy open its circuit and return the moment of the last fall."""
    last = again = 0.0
    while policy.retry_at is None:
        last, again = again, fall(policy, again)
    return last


def test_a_first_start_is_not_delayed() -> None:
    assert steady().delay_before_restart(5.0) == 0.0


def test_delays_double() -> None:
    policy, now, delays = steady(), 0.0, []
    for _ in range(5):
        again = fall(policy, now)
        delays.append(round(again - now, 6))
        now = again

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]


def test_delays_stay_below_ten_seconds() -> None:
    policy, now, delays = steady(), 0.0, []
    for _ in range(12):
        # Runs of 50 s are not stable, yet five restarts never fall within one minute.
        policy.started(now)
        policy.ended(now + 50)
        delay = policy.delay_before_restart(now + 50)
        assert delay is not None
        delays.append(round(delay, 6))
        now += 50 + delay

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 10, 10]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.1), (0.5, 0.0875), (1.0, 0.075)])
def test_chance_shortens_a_delay_by_up_to_a_quarter(chance: float, delay: float) -> None:
    policy = RestartPolicy(lambda: chance)

    assert fall(policy, 0.0) == pytest.approx(delay)


def test_the_delay_left_shrinks_as_time_passes() -> None:
    policy = steady()
    fall(policy, 100.0)

    assert policy.delay_before_restart(100.05) == pytest.approx(0.05)
    assert policy.delay_before_restart(101.0) == 0.0


def test_the_circuit_opens_after_five_restarts_within_a_minute() -> None:
    policy, now = steady(), 0.0
    for _ in range(5):
        now = fall(policy, now)
        assert policy.retry_at is None

    policy.started(now)
    policy.ended(now)

    assert policy.delay_before_restart(now) is None
    assert policy.retry_at == now + 30


def test_an_open_circuit_lets_one_attempt_through_after_thirty_seconds() -> None:
    policy = steady()
    opened = fall_until_open(policy)

    assert policy.delay_before_restart(opened + 29.9) is None
    assert policy.delay_before_restart(opened + 30) == 0.0


def test_a_failed_attempt_opens_the_circuit_again() -> None:
    policy = steady()
    opened = fall_until_open(policy)

    for turn in range(1, 5):
        assert fall(policy, opened + 30 * turn) == opened + 30 * (turn + 1)


def test_an_attempt_that_falls_within_a_minute_has_failed() -> None:
    policy = steady()
    opened = fall_until_open(policy)
    policy.started(opened + 30)
    assert policy.retry_at is None

    policy.ended(opened + 89)

    assert policy.retry_at == opened + 119


def test_a_long_run_closes_the_circuit_and_starts_the_delays_anew() -> None:
    policy = steady()
    opened = fall_until_open(policy)
    policy.started(opened + 30)

    policy.ended(opened + 91)

    assert policy.retry_at is None
    assert policy.delay_before_restart(opened + 91) == pytest.approx(0.1)


def test_restarts_older_than_a_minute_do_not_count() -> None:
    policy, now = steady(), 0.0
    for _ in range(20):
        now = max(fall(policy, now), now + 16)

    assert policy.retry_at is None
