"""Slowing down those who guess passwords."""

import pytest

from interlock.errors import TooMany
from interlock.identity.throttle import LoginThrottle
from tests.identity.conftest import Clock

HOME = "192.0.2.1"


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    return LoginThrottle(clock=clock.seconds)


def pause(throttle: LoginThrottle, email: str = "a@x", address: str = HOME) -> float:
    """Return the seconds to wait, or count an attempt and return 0."""
    try:
        throttle.begin(email, address)
    except TooMany as refusal:
        return refusal.retry_after
    return 0.0


def test_five_attempts_are_free_and_the_sixth_waits(throttle: LoginThrottle) -> None:
    assert [pause(throttle) for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_each_further_failure_doubles_the_pause_up_to_a_quarter_hour(
    throttle: LoginThrottle, clock: Clock
) -> None:
    for _ in range(5):
        pause(throttle)

    pauses: list[float] = []
    for _ in range(10):
        pauses.append(pause(throttle))
        clock.pass_by(pauses[-1])
        assert pause(throttle) == 0

    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_asking_again_during_a_pause_does_not_lengthen_it(
    throttle: LoginThrottle, clock: Clock
) -> None:
    for _ in range(5):
        pause(throttle)
    for _ in range(50):
        pause(throttle)

    clock.pass_by(4)
    assert pause(throttle) == 1
    clock.pass_by(1)
    assert pause(throttle) == 0


def test_a_success_forgives(throttle: LoginThrottle) -> None:
    for _ in range(5):
        pause(throttle)

    throttle.succeed("a@x", HOME)

    assert [pause(throttle) for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_another_address_is_not_held_up(throttle: LoginThrottle) -> None:
    for _ in range(6):
        pause(throttle)

    assert pause(throttle, address="192.0.2.2") == 0


def test_one_address_that_tries_many_people_is_held_up(throttle: LoginThrottle) -> None:
    for number in range(25):
        assert pause(throttle, email=f"{number}@x") == 0

    assert pause(throttle, email="one-more@x") == 5
    assert pause(throttle, email="one-more@x", address="192.0.2.2") == 0


def test_many_addresses_that_try_one_person_are_held_up(throttle: LoginThrottle) -> None:
    for number in range(100):
        assert pause(throttle, address=f"198.51.100.{number}") == 0

    assert pause(throttle, address="203.0.113.1") == 5


def test_a_whole_ipv6_network_counts_as_one_address(throttle: LoginThrottle) -> None:
    for number in range(5):
        assert pause(throttle, address=f"2001:db8:0:1::{number}") == 0

    assert pause(throttle, address="2001:db8:0:1:ffff::9") == 5
    assert pause(throttle, address="2001:db8:0:2::9") == 0


def test_a_success_does_not_wash_the_address_clean(throttle: LoginThrottle) -> None:
    for number in range(24):
        pause(throttle, email=f"{number}@x")
    assert pause(throttle, email="own@x") == 0
    throttle.succeed("own@x", HOME)

    assert pause(throttle, email="25@x") == 0
    assert pause(throttle, email="26@x") == 5


def test_failures_are_forgotten_after_a_quiet_hour(throttle: LoginThrottle, clock: Clock) -> None:
    for _ in range(6):
        pause(throttle)

    clock.pass_by(3601)

    assert [pause(throttle) for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_memory_is_bounded_and_the_longest_at_rest_is_forgotten_first(clock: Clock) -> None:
    throttle = LoginThrottle(clock=clock.seconds, capacity=30)
    for _ in range(6):
        pause(throttle, email="old@x", address="unix socket")
    for number in range(200):
        pause(throttle, email=f"{number}@x", address=f"198.51.100.{number}")

    assert len(throttle._attempts) == 30
    assert pause(throttle, email="old@x", address="unix socket") == 0
