"""Clients that others wrote work through the gateway, unmodified, as they do without it.

Each is a program that was told what to do at five servers: through the gateway in every way that it
can come, and at each server directly. The tests read its reports.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.clients.comparing import seen_at
from tests.clients.meeting import ALL, MARKED, OVER_SSE, STEPS, Meeting, meeting
from tests.clients.runs import CLIENTS, MODERN, SSE, Report
from tests.clients.steps import FOR_THE_ASKABLE, LISTS, JSONObject
from tests.integration.servers import EVERYTHING_TOOLS
from tests.matrix.everything_offer import PNG, WAV

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFERENCE = ("everything", "over-http")
TWINS = ("old-twin", "new-twin")
VERSIONS = {True: "2026-07-28", False: "2025-11-25"}
WAYS = [(client, way) for client, each in CLIENTS.items() for way in each.ways]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw that came one way, and what it saw at the servers themselves."""

    client: str
    way: str
    through: Report
    direct: dict[str, Report]

    @property
    def is_modern(self) -> bool:
        """Whether it came in the modern era."""
        return self.way == MODERN

    @property
    def loses_progress(self) -> bool:
        """Whether the client itself loses progress that comes together with an answer."""
        return self.way in CLIENTS[self.client].loses_progress_by

    def source(self, server: str) -> str:
        """Name the server whose own clients see what this client should see of `server`.

        The twins offer the same, each in its era; so a client should see of either what the one
        of its own era says.
        """
        if server not in TWINS:
            return server
        return "new-twin" if self.is_modern else "old-twin"

    def alone(self, server: str) -> dict[str, JSONObject]:
        """Return the outcomes, by step, that the client had without the gateway."""
        outcomes = self.direct[self.source(server)].outcomes
        return {label.partition(": ")[2]: outcome for label, outcome in outcomes.items()}

    def result(self, server: str, step: str) -> Any:
        """Return what a step returned through the gateway."""
        return self.through.result(f"{server}: {step}")

    def outcome(self, server: str, step: str) -> JSONObject:
        """Return all that was seen at a step through the gateway."""
        return self.through.outcomes[f"{server}: {step}"]

    def facts(self, server: str, step: str) -> JSONObject:
        """Return the facts that a tool of a twin told."""
        return self.result(server, step)["structuredContent"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody() -> AsyncIterator[Meeting]:
    async with meeting() as everybody:
        yield everybody


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=WAYS, ids=[" ".join(each) for each in WAYS]
)
async def seen(request: pytest.FixtureRequest, everybody: Meeting) -> Seen:
    client, way = request.param
    reports = await everybody.reports(client)
    return Seen(client, way, reports[way], reports)


async def test_it_agrees_on_the_newest_version_that_both_speak(seen: Seen) -> None:
    facts = seen.through.facts

    assert VERSIONS[seen.is_modern] == facts["version"]
    assert facts["server"]["name"] == "interlock"
    assert {"tools", "prompts", "resources", "completions", "logging"} <= set(facts["capabilities"])
    assert facts["capabilities"]["resources"]["subscribe"] is True
    assert "Everything Server" in facts["instructions"]


async def test_everything_that_a_server_says_reaches_it_as_without_the_gateway(seen: Seen) -> None:
    """Results, errors, progress and questions of each step are those of a direct connection."""
    compared, differences = 0, list[str]()
    for server in STEPS:
        for step, alone in seen.alone(server).items():
            outcome = seen.through.outcomes.get(f"{server}: {step}")
            if outcome is None or _is_beyond_comparison(server, step):
                continue
            # Where the era of the client is not that of the server, the gateway translates.
            across = (server == "new-twin") != seen.is_modern
            expected = seen_at(seen.source(server), alone, across_eras=across)
            found = seen_at(server, outcome, across_eras=across)
            if server in REFERENCE:
                expected["asked"], found["asked"] = _calls_for(expected), _calls_for(found)
            if CLIENTS[seen.client].loses_progress_by:
                # What it lost without the gateway is not what it has to lose through it.
                del expected["progress"], found["progress"]
            if expected != found:
                differences.append(f"{server}: {step}\nalone   {expected}\nthrough {found}")
            compared += 1

    assert not differences, "\n".join(differences)
    assert compared > 100


def _is_beyond_comparison(server: str, step: str) -> bool:
    """Tell of steps whose outcome is chance, or the gateway's own."""
    by_chance = {"log"} if server in REFERENCE else {"grown", "added", "shrunk"}
    # A URI without a mark that nobody has is nobody's, so the gateway answers. Lists come whole.
    by_us = {"no resource"} if server == "everything" else {"ping"}
    return step in by_chance | by_us


def _calls_for(outcome: JSONObject) -> list[JSONObject]:
    """Return what was asked, but not for roots: these servers ask for them when they please."""
    return [each for each in outcome["asked"] if each["method"] != "roots/list"]


@pytest.mark.parametrize("kind", LISTS)
async def test_it_lists_what_the_servers_list(seen: Seen, kind: str) -> None:
    """The items of all servers, in their order, with all their fields."""
    through = seen.through.result(f"{ALL}: {kind}")

    key = {"tools": "name", "prompts": "name", "resources": "uri"}.get(kind, "uriTemplate")
    names = [each[key] for each in through]
    assert len(names) == len(set(names))
    expected: list[JSONObject] = []
    for server in STEPS:
        listed = seen.alone(server)[kind].get("result", [])
        expected += [_unmarked(each, seen) for each in listed if not _is_of_a_session(each, seen)]
    assert expected == [_unmarked(each, seen) for each in through]


def _unmarked(item: JSONObject, seen: Seen) -> JSONObject:
    for server in STEPS:
        # Most of these servers are of the legacy era.
        item = seen_at(server, item, across_eras=seen.is_modern)
    return item


def _is_of_a_session(item: JSONObject, seen: Seen) -> bool:
    """Tell of what a server made for a session, which a client of the modern era has not."""
    return seen.is_modern and "/session/" in item.get("uri", "")


async def test_it_sees_the_tools_that_are_for_clients_that_can_be_asked(seen: Seen) -> None:
    names = [each["name"] for each in seen.through.result(f"{ALL}: tools")]

    for server in REFERENCE:
        offered = {f"{server}__{tool}" for tool in (*EVERYTHING_TOOLS, *FOR_THE_ASKABLE)}
        assert offered <= set(names)


@pytest.mark.parametrize("server", REFERENCE)
async def test_structured_content_is_whole(seen: Seen, server: str) -> None:
    result = seen.result(server, "get-structured-content")

    weather = {"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82}
    assert weather == result["structuredContent"]


@pytest.mark.parametrize("server", TWINS)
async def test_numbers_of_structured_content_are_exact(seen: Seen, server: str) -> None:
    numbers = [2**53, 0.1, -0.0, 1e300, None, {"deep": []}]
    assert numbers == seen.facts(server, "structured")["numbers"]


@pytest.mark.parametrize(
    ("server", "step"),
    [*((each, "tool error") for each in (*REFERENCE, "clock")), *((t, "failing") for t in TWINS)],
)
async def test_the_error_of_a_tool_is_a_result(seen: Seen, server: str, step: str) -> None:
    assert seen.result(server, step)["isError"] is True


@pytest.mark.parametrize("server", TWINS)
async def test_an_error_of_the_protocol_keeps_code_message_and_data(
    seen: Seen, server: str
) -> None:
    error = seen.outcome(server, "fault")["error"]

    assert (error["code"], error["data"]) == (-32602, {"field": "x", "server": "twin"})
    assert "twin refuses." in error["message"]


@pytest.mark.parametrize("server", TWINS)
async def test_images_and_sounds_are_whole(seen: Seen, server: str) -> None:
    picture, sound = (seen.result(server, step)["content"][0] for step in ("image", "audio"))

    assert (picture["type"], picture["data"], picture["mimeType"]) == ("image", PNG, "image/png")
    assert (sound["type"], sound["data"], sound["mimeType"]) == ("audio", WAV, "audio/wav")
    pictures = seen.result("everything", "get-tiny-image")["content"]
    assert [each["type"] for each in pictures] == ["text", "image", "text"]


@pytest.mark.parametrize("server", [*REFERENCE, *TWINS])
async def test_resources_in_results_have_the_uri_under_which_they_can_be_read(
    seen: Seen, server: str
) -> None:
    mark = f"#~{server}" if server in MARKED else ""
    if server in TWINS:
        contents = seen.result(server, "embedded")["content"]
        # What nobody lists is found by its mark alone.
        uris = [f"test://item/5{mark}", f"test://hidden/5#~{server}"]
        assert uris == [each["resource"]["uri"] for each in contents]
        assert f"test://item/3{mark}" == seen.result(server, "item")["contents"][0]["uri"]
        return
    contents = seen.result(server, "get-resource-reference")["content"]
    uris = [each["resource"]["uri"] for each in contents if each["type"] == "resource"]
    assert [f"demo://resource/dynamic/blob/5{mark}"] == uris
    read = seen.result(server, "text")["contents"][0]
    assert f"demo://resource/dynamic/text/7{mark}" == read["uri"]


@pytest.mark.parametrize("server", REFERENCE)
async def test_progress_arrives_whole_and_in_order(seen: Seen, server: str) -> None:
    told = seen.outcome(server, "trigger-long-running-operation")["progress"]
    expected = [[1, 3], [2, 3], [3, 3]]
    if seen.loses_progress:
        del expected[len(told) :]
    assert expected == [each[:2] for each in told]


@pytest.mark.parametrize("server", TWINS)
async def test_progress_carries_its_messages(seen: Seen, server: str) -> None:
    told = seen.outcome(server, "progress")["progress"]
    expected = [[step, 3, f"twin: step {step}"] for step in (1, 2, 3)]
    if seen.loses_progress:
        del expected[len(told) :]
    assert expected == told


@pytest.mark.parametrize("client", CLIENTS)
async def test_who_loses_progress_over_sse_loses_it_without_the_gateway_too(
    everybody: Meeting, client: str
) -> None:
    """So that what is forgiven above is known to be the client's own."""
    reports = await everybody.reports(client)

    told = reports[OVER_SSE].outcomes[f"{OVER_SSE}: progress"]["progress"]
    assert (SSE in CLIENTS[client].loses_progress_by) == (len(told) < 3)


@pytest.mark.parametrize("server", TWINS)
async def test_log_messages_arrive(seen: Seen, server: str) -> None:
    for level in ("debug", "info", "warning"):
        heard = seen.result(server, f"log {level}")
        assert {"server": "twin", "level": level} == heard["data"]
    if not seen.is_modern:
        assert "evel" in seen.result("everything", "log")["data"]


@pytest.mark.parametrize("server", TWINS)
async def test_a_call_that_is_given_up_ends_at_its_server(seen: Seen, server: str) -> None:
    """The second call returns once the server has heard that the first was cancelled."""
    assert seen.result(server, "hang")["ended"] == "the client gave up"
    assert seen.result(server, "await_cancel")["content"][0]["text"] == "twin"


@pytest.mark.parametrize("server", TWINS)
async def test_a_form_is_asked_and_answered_in_the_middle_of_a_call(
    seen: Seen, server: str
) -> None:
    outcome = seen.outcome(server, "ask_midway")

    forms = ["What is your name?", "How old are you?"]
    assert forms == [each["params"]["message"] for each in outcome["asked"]]
    answers = seen.facts(server, "ask_midway")["answers"]
    assert [each["content"] for each in answers] == [{"name": "Ada"}, {"age": 36}]
    if not seen.loses_progress:
        assert [each[0] for each in outcome["progress"]] == [1, 2, 3]


@pytest.mark.parametrize("server", REFERENCE)
async def test_a_form_of_every_kind_of_field_is_asked_and_answered(seen: Seen, server: str) -> None:
    (asked,) = _calls_for(seen.outcome(server, "trigger-elicitation-request"))

    fields = asked["params"]["requestedSchema"]["properties"]
    assert (len(fields), fields["name"]["description"]) == (13, "Your full, legal name")
    content = seen.result(server, "trigger-elicitation-request")["content"]
    assert "- Name: Ada" in content[1]["text"]


@pytest.mark.parametrize(
    ("server", "step", "url"),
    [
        *((each, "trigger-url-elicitation", "https://login.example/") for each in REFERENCE),
        *((each, "ask_url", "https://twin.example/sign-in") for each in TWINS),
    ],
)
async def test_the_person_is_sent_to_an_address(
    seen: Seen, server: str, step: str, url: str
) -> None:
    (asked,) = _calls_for(seen.outcome(server, step))

    assert ("url", url) == (asked["params"]["mode"], asked["params"]["url"])
    assert seen.result(server, step).get("isError", False) is False


@pytest.mark.parametrize(
    ("server", "step", "text"),
    [
        *((each, "trigger-sampling-request", "context: Say it.") for each in REFERENCE),
        *((each, "sample", "Hello from twin") for each in TWINS),
    ],
)
async def test_the_model_of_the_client_is_asked(
    seen: Seen, server: str, step: str, text: str
) -> None:
    (asked,) = _calls_for(seen.outcome(server, step))

    assert asked["method"] == "sampling/createMessage"
    content = asked["params"]["messages"][0]["content"]
    assert text in (content[0] if isinstance(content, list) else content)["text"]
    assert "Hello back" in seen.result(server, step)["content"][0]["text"]


async def test_roots_reach_the_servers_that_ask_for_them(seen: Seen) -> None:
    for server in TWINS:
        answer = seen.facts(server, "roots")["answer"]
        assert answer["roots"] == [{"uri": "file:///home/ada/project", "name": "project"}]
    for server in REFERENCE:
        told = seen.result(server, "get-roots-list")["content"][0]["text"]
        assert "URI: file:///home/ada/project" in told


@pytest.mark.parametrize("server", TWINS)
async def test_it_hears_of_an_updated_resource_under_the_uri_that_it_knows(
    seen: Seen, server: str
) -> None:
    mark = f"#~{server}" if server in MARKED else ""
    assert f"test://watched{mark}" == seen.result(server, "updated")["uri"]


async def test_a_session_hears_of_updates_that_are_for_sessions_alone(seen: Seen) -> None:
    """The reference servers tell only the session that asked for it; modern clients have none."""
    heard = [each for each in REFERENCE if f"{each}: updated" in seen.through.outcomes]

    assert heard == ([] if seen.is_modern else [*REFERENCE])
    for server in heard:
        mark = f"#~{server}" if server in MARKED else ""
        uri = f"demo://resource/dynamic/text/9{mark}"
        assert uri == seen.result(server, "updated")["uri"]


@pytest.mark.parametrize("server", TWINS)
async def test_a_new_tool_is_announced_listed_and_called(seen: Seen, server: str) -> None:
    """The client hears of it, finds it in the list, calls it, and hears when it is gone."""
    for step in ("tools changed", "tools changed again"):
        assert "result" in seen.outcome(server, step)
    added = seen.facts(server, "added")["params"]["name"]
    assert f"{server}__{added}" in [each["name"] for each in seen.result(server, "grown")]
    assert f"{server}__{added}" not in [each["name"] for each in seen.result(server, "shrunk")]


@pytest.mark.parametrize("server", REFERENCE)
async def test_arguments_are_completed(seen: Seen, server: str) -> None:
    assert seen.result(server, "completion")["completion"]["values"] == ["Alice"]
    assert seen.result(server, "template completion")["completion"]["values"] == ["12"]


async def test_ping_is_answered_where_the_era_has_it(seen: Seen) -> None:
    assert seen.is_modern == ("result" not in seen.outcome("clock", "ping"))
