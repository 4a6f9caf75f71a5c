"""Which process of a gateway must serve a request, decided from a real routing table."""

from typing import Any

import pytest

from interlock.errors import InterlockError, NotFound
from interlock.gateway.aggregation import project_entry
from interlock.gateway.call import Trace
from interlock.gateway.clients import ClientSession
from interlock.gateway.entry import Arrival
from interlock.gateway.handover import KEEPER, SESSION_HEADER, Handover
from interlock.gateway.relay import Relay
from interlock.gateway.table import ServerEntry
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import LATEST_MODERN, META_CAPABILITIES, META_VERSION
from tests.gateway.offers import PROJECT, catalogue, facts, principal, server

COUNT, HERE, OTHER = 4, 1, 2
TAG = "0123abcd"
LEGACY_TASKS: JSONObject = {"tools": {}, "tasks": {"list": {}}}
MODERN_TASKS: JSONObject = {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}


def offering(name: str, **more: Any) -> ServerEntry:
    """Return a server with one of each, some called the same at all servers."""
    offered = catalogue(
        tools=["act"],
        prompts=["ask"],
        resources=[f"test://{name}", "test://same"],
        templates=[f"test://{name}/{{id}}"],
        said=facts(more.pop("capabilities", None)),
    )
    return server(name, offered, **more)


HOSTED = offering("hosted", process=KEEPER)
REMOTE = offering("remote")


def process(number: int = HERE) -> Handover:
    relay = Relay(number, [f"{each}.sock" for each in range(COUNT)])
    return Handover(number, COUNT, tag=TAG, relay=relay)


def arrival(*servers: ServerEntry, at: str | None = None, session: str | None = None) -> Arrival:
    return Arrival(
        principal=principal(),
        project=project_entry(PROJECT, servers or (REMOTE, HOSTED)),
        place=(PROJECT.name, at),
        headers={} if session is None else {SESSION_HEADER: session},
        address="127.0.0.1",
        trace=Trace(request_id="r1", transport="streamable-http"),
        meet=lambda _project, _mark, _capabilities: None,
    )


def legacy(method: str, **params: Any) -> jsonrpc.Request:
    return jsonrpc.Request(1, method, params)


def modern(method: str, **params: Any) -> jsonrpc.Request:
    meta = {META_VERSION: LATEST_MODERN, META_CAPABILITIES: {}}
    return jsonrpc.Request(1, method, {**params, "_meta": meta})


@pytest.mark.parametrize(
    "session",
    ["", "x", ".x", "-1.x", "+1.x", " 1.x", "1", "4.x", "64.x", "001.x", "99999999999.x", "٢.x"],
)
def test_a_session_that_no_process_can_have_made_is_looked_for_here(session: str) -> None:
    assert process().of_session(session) == HERE


def test_a_session_is_found_from_everywhere_by_the_id_that_its_process_gave_it() -> None:
    made = {number: ClientSession.new_id(process(number).session_mark) for number in range(COUNT)}

    for here in range(COUNT):
        found = {number: process(here).of_session(each) for number, each in made.items()}
        assert {number: number for number in range(COUNT)} == found


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        legacy("tools/call", name="hosted__act"),
        legacy("tools/call", name="remote__act", requestState=f"il1.{TAG}.3.sealed"),
        jsonrpc.Notification("notifications/cancelled", {"requestId": 1}),
        jsonrpc.Response(1, {"result": {}}),
    ],
)
def test_what_belongs_to_a_session_goes_where_the_session_is(
    message: jsonrpc.Message | list[jsonrpc.Message] | None,
) -> None:
    assert process().of_message(arrival(session=f"{OTHER}.x"), message) == OTHER
    assert process().of_message(arrival(session="x"), message) == HERE
    assert process().of_message(arrival(), message) == HERE


def test_a_session_opens_where_all_servers_of_its_endpoint_can_be_called() -> None:
    opening = legacy("initialize", capabilities={})

    assert process().of_message(arrival(), opening) == KEEPER
    assert process().of_message(arrival(at="hosted"), opening) == KEEPER
    assert process().of_message(arrival(at="remote"), opening) == HERE
    assert process().of_message(arrival(REMOTE), opening) == HERE
    # One that is open already says nothing about the next.
    assert process().of_message(arrival(REMOTE, session=f"{OTHER}.x"), opening) == HERE


def test_a_session_whose_endpoint_has_got_a_hosted_server_ends_and_others_do_not() -> None:
    project = project_entry(PROJECT, [REMOTE, HOSTED])

    with pytest.raises(NotFound, match="send initialize again"):
        process().check_home(project.unified)
    with pytest.raises(NotFound):
        process().check_home(project.single["hosted"])
    process().check_home(project.single["remote"])
    process(KEEPER).check_home(project_entry(PROJECT, [REMOTE]).unified)
    Handover().check_home(project.unified)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (modern("tools/call", name="hosted__act"), KEEPER),
        (modern("tools/call", name="remote__act"), HERE),
        (modern("prompts/get", name="hosted__ask"), KEEPER),
        (modern("prompts/get", name="remote__ask"), HERE),
        (modern("resources/read", uri="test://hosted"), KEEPER),
        (modern("resources/read", uri="test://hosted/7"), KEEPER),
        (modern("resources/read", uri="test://remote/7"), HERE),
        (modern("resources/read", uri="test://same"), HERE),
        (modern("resources/read", uri="test://same#~hosted"), KEEPER),
        (modern("completion/complete", ref={"type": "ref/prompt", "name": "hosted__ask"}), KEEPER),
        (modern("completion/complete", ref={"type": "ref/prompt", "name": "remote__ask"}), HERE),
    ],
)
def test_a_modern_request_goes_to_the_process_that_can_call_its_server(
    request_: jsonrpc.Request, expected: int
) -> None:
    assert process().of_message(arrival(), request_) == expected
    assert process().of_message(arrival(session=f"{OTHER}.x"), request_) == expected
    # The keeper can call every server.
    assert process(KEEPER).of_message(arrival(REMOTE), request_) == KEEPER


@pytest.mark.parametrize(
    "method",
    [
        *("server/discover", "tools/list", "prompts/list"),
        *("resources/list", "resources/templates/list"),
    ],
)
def test_lists_are_answered_where_they_are_asked_for(method: str) -> None:
    assert process().of_message(arrival(), modern(method)) == HERE
    assert process().of_message(arrival(at="hosted"), modern(method)) == HERE


@pytest.mark.parametrize(
    "request_",
    [
        modern("tools/call", name="nobody__act"),
        modern("tools/call", name=7),
        modern("resources/read"),
        modern("skills/list"),
        modern("tasks/get", taskId="x"),
    ],
)
def test_what_leads_nowhere_is_settled_where_every_server_is(request_: jsonrpc.Request) -> None:
    assert process().of_message(arrival(), request_) == KEEPER
    assert process().of_message(arrival(REMOTE), request_) == HERE


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_a_task_is_asked_for_where_every_server_is_whoever_has_tasks_by_now(method: str) -> None:
    """A hosted server of which nothing is known yet may be the one that made it."""
    remote, unread = offering("remote", capabilities=MODERN_TASKS), server("new", process=KEEPER)

    assert process().of_message(arrival(remote, unread), modern(method, taskId="x")) == KEEPER
    assert process().of_message(arrival(remote, unread, at="remote"), modern(method)) == HERE


def test_legacy_clients_of_servers_that_list_tasks_meet_in_one_process() -> None:
    """What `tasks/list` names is what one process saw being made."""
    listing = offering("listing", capabilities=LEGACY_TASKS)
    opening = legacy("initialize", capabilities={})

    assert process().of_message(arrival(REMOTE, listing), opening) == KEEPER
    assert process().home(project_entry(PROJECT, [listing]).unified) == KEEPER
    assert process().of_message(arrival(REMOTE, listing, at="remote"), opening) == HERE
    # One that is open elsewhere stays there: its own tasks are there too.
    process().check_home(project_entry(PROJECT, [listing]).unified)


def test_a_stream_of_changes_is_served_here_unless_it_follows_a_hosted_server() -> None:
    def listen(at: str | None = None, **wanted: Any) -> int:
        request = modern("subscriptions/listen", notifications=wanted)
        return process().of_message(arrival(at=at), request)

    assert listen(toolsListChanged=True) == HERE
    assert listen(resourceSubscriptions=["test://remote", "test://nobody", 7]) == HERE
    assert listen(resourceSubscriptions=["test://remote", "test://hosted"]) == KEEPER
    assert listen(taskIds=["x"]) == KEEPER
    assert listen(at="remote", taskIds=["x"]) == HERE


def test_a_parked_call_is_found_by_its_state_whatever_its_server() -> None:
    for number in range(COUNT):
        state = f"{process(number).state_mark}sealed"
        for name in ("hosted__act", "remote__act", "nobody__act"):
            retry = modern("tools/call", name=name, requestState=state)
            assert process().of_message(arrival(), retry) == number


@pytest.mark.parametrize(
    "state",
    [
        *("", "sealed", "2.sealed", "il1.2.sealed", f"il2.{TAG}.2.sealed", "il1.89abcdef.2.sealed"),
        *(f"il1.{TAG}.4.sealed", f"il1.{TAG}.x.sealed", f"il1.{TAG}.2", f" il1.{TAG}.2.sealed"),
        *(None, 7, ["x"], {"state": f"il1.{TAG}.2.sealed"}),
    ],
)
def test_a_state_that_our_parking_cannot_have_made_does_not_lead_a_request_away(
    state: object,
) -> None:
    for name, expected in (("hosted__act", KEEPER), ("remote__act", HERE)):
        retry = modern("tools/call", name=name, requestState=state)
        assert process().of_message(arrival(), retry) == expected


async def test_a_gateway_of_one_process_hands_nothing_over_and_marks_nothing() -> None:
    alone = Handover()
    state = f"il1.{TAG}.2.sealed"

    assert (alone.session_mark, alone.state_mark) == ("", "")
    assert alone.of_session("2.x") == KEEPER
    for message in (
        None,
        legacy("initialize", capabilities={}),
        modern("tools/call", name="remote__act", requestState=state),
    ):
        assert alone.of_message(arrival(session="2.x"), message) == KEEPER
    with pytest.raises(InterlockError, match="only one"):
        await alone.relay(1, {}, b"", _never, _never)


async def _never(*_: object) -> Any:
    raise AssertionError("Nothing is read or sent.")
