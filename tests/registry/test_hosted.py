"""Servers that another process hosts: what it says of them survives the way, and is shown here."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.errors import UpstreamUnavailable
from interlock.gateway.table import Catalogue
from interlock.protocol.json import JSONObject, dumps
from interlock.protocol.versions import Era
from interlock.registry.entities import Server
from interlock.registry.hosted import Host, HostedElsewhere, HostedState, is_hosted
from interlock.registry.port import Runner, with_definition
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget
from tests.gateway.offers import catalogue, facts

NOW = datetime(2026, 8, 1, tzinfo=UTC)
PROCESS = StdioTarget("server", ("--fast",))
DEEP: JSONObject = {
    "name": "deep",
    "x": {"numbers": [2**80, -(2**63), 0.1, None], "é": "\U0001f600"},
}
for _ in range(100):
    DEEP = {"name": "deep", "x": DEEP}
OFFERED = catalogue(
    tools=["act", DEEP],
    prompts=["ask"],
    resources=["test://a"],
    templates=["test://{id}"],
    said=facts({"tools": {"listChanged": True}}, "Be kind."),
    ttl_ms=5000,
    is_private=True,
)
STATE = HostedState(
    server_id="s1",
    condition="stale",
    reason="Server `hosted` ended with exit code 1.",
    eras=frozenset({Era.LEGACY, Era.MODERN}),
    catalogue=OFFERED,
    variants={"0123": OFFERED, "4567": catalogue(tools=["more"])},
)


class Here:
    """What another process knows of hosted servers: kinds of clients that it told, changes heard."""

    def __init__(self) -> None:
        self.met: list[tuple[str, str, JSONObject]] = []
        self.changed: list[Runner] = []
        self.host = Host(0, lambda *kind: self.met.append(kind))

    def runner(self, **more: Any) -> HostedElsewhere:
        return self.host.runner(kept(**more), self.changed.append)


def kept(offered: Catalogue | None = None, **definition: Any) -> Server:
    """Return a server as the database has it."""
    named = ServerDefinition("hosted", **{"target": PROCESS, "timeout": 7.0, **definition})
    return Server("s1", "p1", "w1", 0, named, NOW, NOW, frozenset({Era.LEGACY}), offered)


def sent(state: HostedState) -> HostedState:
    """Return a state as it is read at the other end of a line of JSON."""
    return HostedState.read(json.loads(dumps(state.document())))


@pytest.mark.parametrize("state", [STATE, HostedState("s1"), HostedState("s1", "ok", None)])
def test_a_state_is_the_same_after_the_way_as_before(state: HostedState) -> None:
    assert sent(state) == state


def test_a_state_tells_all_that_the_table_shows_of_a_server() -> None:
    here = Here()
    runner = here.runner()
    here.host.take(STATE)

    assert HostedState.of(runner) == STATE


def test_a_server_of_which_nothing_was_heard_shows_what_it_last_offered_and_is_starting() -> None:
    entry = Here().runner(offered=OFFERED).entry

    assert (entry.id, entry.name, entry.timeout) == ("s1", "hosted", 7.0)
    assert (entry.condition, entry.reason) == ("starting", "It is being started.")
    assert (entry.catalogue, entry.process) == (OFFERED, 0)
    assert entry.upstream.eras == frozenset({Era.LEGACY})


def test_what_is_heard_is_shown_and_said_on() -> None:
    here = Here()
    runner = here.runner()

    here.host.take(STATE)

    assert here.changed == [runner]
    entry = runner.entry
    assert (entry.condition, entry.reason) == (STATE.condition, STATE.reason)
    assert (entry.catalogue, entry.variants) == (OFFERED, STATE.variants)
    assert entry.upstream.eras == STATE.eras
    assert runner.catalogue == OFFERED


def test_a_state_that_lost_its_catalogue_does_not_empty_the_lists() -> None:
    here = Here()
    runner = here.runner()
    here.host.take(STATE)
    here.host.take(HostedState("s1", "failed", "It does not answer."))

    assert (runner.entry.condition, runner.entry.catalogue) == ("failed", OFFERED)


def test_what_was_heard_before_a_server_was_known_counts() -> None:
    here = Here()
    here.host.take(STATE)

    assert here.runner().entry.condition == "stale"
    assert here.changed == []


def test_the_host_hears_which_kinds_of_clients_come() -> None:
    here = Here()

    here.runner().meet({"0123": {"sampling": {}}, "4567": {"roots": {}}})

    assert here.met == [("p1", "0123", {"sampling": {}}), ("p1", "4567", {"roots": {}})]


async def test_nobody_calls_a_server_from_a_process_that_does_not_host_it() -> None:
    """Requests are handed over before; one that got this far is told to try again."""
    runner = Here().runner()

    with pytest.raises(UpstreamUnavailable, match="another process"):
        await runner.upstream.shared()
    await runner.watch(frozenset({"test://a"}))
    runner.restart()
    await runner.close()


async def test_a_server_that_is_closed_is_forgotten() -> None:
    here = Here()
    runner = here.runner()
    here.host.take(STATE)
    await runner.close()
    here.changed.clear()

    assert here.host.state("s1") == HostedState("s1")
    here.host.take(STATE)
    assert here.changed == []


async def test_closing_the_runner_of_an_old_definition_leaves_that_of_the_new_one() -> None:
    here = Here()
    old = here.runner()
    here.host.take(STATE)
    new = here.runner(timeout=9.0)
    await old.close()
    here.changed.clear()

    here.host.take(STATE)

    assert (here.changed, new.entry.condition, new.entry.timeout) == ([new], "stale", 9.0)


def test_a_new_definition_keeps_what_was_learnt_only_while_the_place_is_the_same() -> None:
    here = Here()
    runner = here.runner()
    here.host.take(STATE)

    same = with_definition(runner, kept(timeout=9.0))
    other = with_definition(runner, kept(target=StdioTarget("another")))

    assert (same.catalogue, same.eras) == (OFFERED, STATE.eras)
    assert (other.catalogue, other.eras) == (None, None)


def test_only_processes_that_we_start_are_hosted() -> None:
    assert is_hosted(kept())
    assert not is_hosted(kept(target=HTTPTarget("http://127.0.0.1:1/mcp")))
