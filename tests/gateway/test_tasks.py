"""Handles of tasks: whose they are, where they lead, and where ids stand in messages."""

import pytest

from interlock.gateway.clients import ClientSession
from interlock.gateway.table import Target, View
from interlock.gateway.tasks import RELATED, TASK_STATUS, Tasks, UnknownTask, has_tasks, lists_tasks
from interlock.identity.principal import Principal, Role
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import ClientFacts
from tests.gateway.offers import catalogue, facts, server, unified

LEGACY: JSONObject = {"tools": {}, "tasks": {"list": {}, "cancel": {}}}
MODERN: JSONObject = {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}
ANN = Principal("key", "ann", "Ann", "p1", Role.DEVELOPER)
BOB = Principal("key", "bob", "Bob", "p1", Role.DEVELOPER)
ONE = server("one", catalogue(tools=["slow"], resources=["test://a"], said=facts(LEGACY)))
TWO = server("two", catalogue(tools=["slow"], resources=["test://a"], said=facts(LEGACY)))
BOTH = unified(ONE, TWO)


def tasks() -> Tasks:
    return Tasks(bytes(range(32)))


def target(name: str, view: View = BOTH) -> Target:
    return Target(next(each for each in view.servers if each.name == name), "slow")


def test_equal_ids_of_two_servers_get_handles_that_lead_back_to_each() -> None:
    made = tasks()
    handles = {each.name: made.handle(ANN, each.id, "1") for each in (ONE, TWO)}

    assert handles["one"] != handles["two"]
    for name, handle in handles.items():
        found, params = made.find(ANN, BOTH, {"taskId": handle, "x": 1})
        assert (found.server.name, found.name) == (name, "1")
        assert params == {"taskId": "1", "x": 1}


def test_a_handle_is_the_same_each_time_and_after_a_restart() -> None:
    assert tasks().handle(ANN, ONE.id, "1") == tasks().handle(ANN, ONE.id, "1")
    assert Tasks(bytes(32)).handle(ANN, ONE.id, "1") != tasks().handle(ANN, ONE.id, "1")


@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_changed_handle_leads_nowhere(place: int) -> None:
    made = tasks()
    handle = made.handle(ANN, ONE.id, "1")
    other = "A" if handle[place] != "A" else "B"
    changed = handle[:place] + other + (handle[place + 1 :] if place >= 0 else "")

    with pytest.raises(UnknownTask, match="taskId"):
        made.find(ANN, BOTH, {"taskId": changed})


@pytest.mark.parametrize("handle", [None, 7, "", "1", "é", ["x"], {}])
def test_what_was_never_a_handle_leads_nowhere(handle: object) -> None:
    with pytest.raises(UnknownTask):
        tasks().find(ANN, BOTH, {"taskId": handle})


def test_a_handle_is_good_for_its_own_caller_and_endpoint_only() -> None:
    made = tasks()
    handle = made.handle(ANN, TWO.id, "1")

    with pytest.raises(UnknownTask):
        made.find(BOB, BOTH, {"taskId": handle})
    with pytest.raises(UnknownTask):
        made.find(ANN, unified(ONE), {"taskId": handle})


def test_ids_become_handles_in_all_that_tells_of_a_task() -> None:
    made = tasks()
    handle = made.handle(ANN, TWO.id, "1")
    related = {"_meta": {RELATED: {"taskId": "1", "x": 2}, "kept": 3}}
    shown = {"_meta": {RELATED: {"taskId": handle, "x": 2}, "kept": 3}}
    pairs: list[tuple[str, JSONObject, JSONObject]] = [
        ("tools/call", {"task": {"taskId": "1", "ttl": 5}}, {"task": {"taskId": handle, "ttl": 5}}),
        (
            "tools/call",
            {"resultType": "task", "taskId": "1"},
            {"resultType": "task", "taskId": handle},
        ),
        (
            "tasks/get",
            {"taskId": "1", "status": "working"},
            {"taskId": handle, "status": "working"},
        ),
        ("tasks/result", {"content": [], **related}, {"content": [], **shown}),
    ]

    for method, result, expected in pairs:
        assert made.shown(ANN, BOTH, target("two"), method, result) == expected


def test_a_result_that_is_no_task_keeps_a_field_of_that_name() -> None:
    result: JSONObject = {"content": [], "taskId": "1", "_meta": {RELATED: "odd"}}

    assert tasks().shown(ANN, BOTH, target("two"), "tools/call", result) == result


@pytest.mark.parametrize("method", ["tasks/result", "tasks/get"])
def test_what_a_task_ended_with_names_resources_as_clients_reach_them(method: str) -> None:
    link: JSONObject = {"type": "resource_link", "uri": "test://a", "name": "a"}
    final: JSONObject = {"content": [link]}
    result = final if method == "tasks/result" else {"status": "completed", "result": final}

    shown = tasks().shown(ANN, BOTH, target("two"), method, result)

    final = shown if method == "tasks/result" else shown["result"]
    assert final["content"][0]["uri"] == "test://a#~two"


def test_a_caller_is_listed_the_tasks_that_were_made_for_it() -> None:
    made = tasks()
    made.remember(ANN, ONE.id, {"task": {"taskId": "1"}}, None)
    made.remember(BOB, ONE.id, {"task": {"taskId": "2"}}, None)
    made.remember(ANN, TWO.id, {"resultType": "task", "taskId": "2"}, None)
    made.remember(ANN, TWO.id, {"content": []}, None)
    listed = [{"taskId": "1"}, {"taskId": "2"}, {"taskId": "3"}, {}, "odd"]

    assert made.own(ANN, ONE, listed) == [{"taskId": made.handle(ANN, ONE.id, "1")}]
    assert made.own(BOB, ONE, listed) == [{"taskId": made.handle(BOB, ONE.id, "2")}]
    assert made.own(ANN, TWO, listed) == [{"taskId": made.handle(ANN, TWO.id, "2")}]
    assert made.own(ANN, ONE, None) == []


def test_equal_ids_in_sessions_of_their_own_are_kept_apart() -> None:
    made, listed = tasks(), [{"taskId": "1"}, {"taskId": "2"}]
    made.remember(ANN, ONE.id, {"task": {"taskId": "1"}}, None)
    made.remember(BOB, ONE.id, {"task": {"taskId": "1"}}, None, "bob's")
    made.remember(BOB, ONE.id, {"task": {"taskId": "2"}}, None, "bob's")

    anns, bobs = ({"taskId": made.handle(who, ONE.id, "1")} for who in (ANN, BOB))
    other = {"taskId": made.handle(BOB, ONE.id, "2")}
    assert made.own(ANN, ONE, listed) == [anns]
    assert made.own(BOB, ONE, listed) == [other]
    assert made.own(BOB, ONE, listed, "bob's") == [bobs, other]
    assert made.own(ANN, ONE, listed, "bob's") == []


def test_a_handle_does_not_lead_to_somebody_elses_task_of_the_same_id() -> None:
    made = tasks()
    made.remember(ANN, ONE.id, {"task": {"taskId": "1"}}, None)
    made.remember(BOB, ONE.id, {"task": {"taskId": "1"}}, None, "bob's")
    found, _ = made.find(BOB, BOTH, {"taskId": made.handle(BOB, ONE.id, "1")})

    made.check(BOB, found, "bob's")
    made.check(BOB, found, "another session of bob's")
    with pytest.raises(UnknownTask):
        made.check(BOB, found, "")


async def test_a_status_told_to_all_reaches_the_session_that_made_the_task() -> None:
    made = tasks()
    clients = [
        ClientSession(who, ("shop", None), ClientFacts({}), "2025-11-25") for who in (ANN, BOB)
    ]
    made.remember(ANN, ONE.id, {"task": {"taskId": "1"}}, clients[0])

    made.heard(ONE.id, {"taskId": "1", "status": "completed"})
    made.heard(ONE.id, {"taskId": "2", "status": "completed"})
    made.heard(TWO.id, {"taskId": "1", "status": "completed"})

    assert [each.standalone.size for each in clients] == [1, 0]
    text = clients[0].standalone.only().decode()
    assert TASK_STATUS in text
    assert made.handle(ANN, ONE.id, "1") in text


class Ear:
    """A client that keeps what it hears and answers with what it was asked."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, JSONObject]] = []

    def notify(self, method: str, params: JSONObject) -> None:
        self.heard.append((method, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        self.heard.append((method, params))
        return {"answered": True, "_meta": params.get("_meta", {})}


async def test_a_client_is_asked_under_its_handle_and_its_answer_names_the_servers_id() -> None:
    made, ear = tasks(), Ear()
    caller = made.caller(ANN, TWO, ear)
    handle = made.handle(ANN, TWO.id, "1")

    answer = await caller.ask("elicitation/create", {"_meta": {RELATED: {"taskId": "1"}}})
    caller.notify("notifications/progress", {"_meta": {RELATED: {"taskId": "1"}}})
    caller.notify(TASK_STATUS, {"taskId": "1"})

    assert answer == {"answered": True, "_meta": {RELATED: {"taskId": "1"}}}
    assert ear.heard == [
        ("elicitation/create", {"_meta": {RELATED: {"taskId": handle}}}),
        ("notifications/progress", {"_meta": {RELATED: {"taskId": handle}}}),
        (TASK_STATUS, {"taskId": handle}),
    ]


async def test_a_task_that_the_client_runs_for_the_server_keeps_its_id() -> None:
    made, ear = tasks(), Ear()

    answer = await made.caller(ANN, TWO, ear).ask(
        "tasks/result", {"taskId": "c", "_meta": {RELATED: {"taskId": "c"}}}
    )

    assert ear.heard == [("tasks/result", {"taskId": "c", "_meta": {RELATED: {"taskId": "c"}}})]
    assert answer["_meta"] == {RELATED: {"taskId": "c"}}


def test_servers_say_in_either_eras_way_that_they_make_tasks() -> None:
    modern = server("new", catalogue(said=facts(MODERN)))
    plain = server("plain", catalogue())
    unknown = server("unknown")

    assert [has_tasks(each) for each in (ONE, modern, plain, unknown)] == [True, True, False, False]
    assert [lists_tasks(each) for each in (ONE, modern, plain, unknown)] == [
        True,
        False,
        False,
        False,
    ]
