"""Whatever clients and servers do, in whatever order: nothing is lost, mixed up or left behind."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from interlock.upstreams import streamable_http
from tests.stateful import leaks
from tests.stateful.machine import Sessions
from tests.stateful.stage import Stage, stage

_ALL = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
# Where a step hangs, each of the many examples tried to shorten the first waits for its deadline.
_AS_FOUND = settings(_ALL, phases=[Phase.generate])
PROFILES = {
    "ci": settings(_AS_FOUND, max_examples=16, stateful_step_count=30, derandomize=True),
    "first": settings(_AS_FOUND, max_examples=400, stateful_step_count=40),
    "long": settings(_ALL, max_examples=400, stateful_step_count=60),
    "deep": settings(_ALL, max_examples=60, stateful_step_count=300),
}
PROFILE = PROFILES[os.environ.get("TEST_STATEFUL", "ci")]


@pytest.fixture(scope="module")
def shared() -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch, stage() as built:
        # A server that comes back soon is found soon, and no step has to wait for it.
        patch.setattr(streamable_http, "RECONNECT_DELAY", 0.05)
        built.run(leaks.warm_up(built))
        yield built


def test_clients_and_servers_in_any_order(shared: Stage) -> None:
    class SharedSessions(Sessions):
        def __init__(self) -> None:
            super().__init__(shared)

    run_state_machine_as_test(SharedSessions, settings=PROFILE)
