"""Announcements of changed lists: told to the other processes at once, to clients a moment later."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from interlock.app.echo import Echo, Kinds, merged, written
from interlock.gateway.changes import Changes, Listener
from interlock.gateway.table import Kind
from interlock.protocol.json import JSONObject, dumps

DEADLINE = 60.0  # seconds; the machine may be slow
TOOLS = frozenset[Kind]({"tools"})
PROMPTS = frozenset[Kind]({"prompts"})
NONE = frozenset[Kind]()
SAID_TOOLS = "notifications/tools/list_changed"
SAID_PROMPTS = "notifications/prompts/list_changed"


class Ears:
    """Clients of one process, and what the process tells the others."""

    def __init__(self) -> None:
        self.told: list[JSONObject] = []
        self.changes = Changes()
        self.echo = Echo(self.changes, self.told.append)

    def at(self, server: str | None = None, mark: str = "") -> asyncio.Queue[str]:
        """Return what a client at an endpoint of the project `shop` hears."""
        heard: asyncio.Queue[str] = asyncio.Queue()
        self.changes.add(Listener("shop", server, lambda said, _: heard.put_nowait(said), mark))
        return heard


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    async with asyncio.timeout(DEADLINE):
        made = Ears()
        yield made
        made.echo.close()


async def test_what_is_noticed_here_is_told_at_once_and_announced_afterwards(ears: Ears) -> None:
    heard = ears.at()

    ears.echo.noticed("shop", None, {"": TOOLS})

    assert ears.told == [{"project": "shop", "server": None, "kinds": {"": ["tools"]}}]
    assert heard.empty()
    assert await heard.get() == SAID_TOOLS


async def test_what_others_noticed_is_announced_and_not_told_again(ears: Ears) -> None:
    heard = ears.at("one")

    ears.echo.heard(json.loads(dumps(written("shop", "one", {"": TOOLS | PROMPTS}))))

    assert {await heard.get(), await heard.get()} == {SAID_TOOLS, SAID_PROMPTS}
    assert ears.told == []


async def test_changes_of_one_moment_are_announced_once(ears: Ears) -> None:
    heard, of_one = ears.at(), ears.at("one")
    for _ in range(3):
        ears.echo.noticed("shop", None, {"": TOOLS})
        ears.echo.heard({"project": "shop", "server": None, "kinds": {"": ["tools"]}})
    ears.echo.noticed("shop", "one", {"": PROMPTS})

    assert (await of_one.get(), await heard.get()) == (SAID_PROMPTS, SAID_TOOLS)
    assert (heard.empty(), of_one.empty()) == (True, True)
    # The next moment is another announcement.
    ears.echo.noticed("shop", None, {"": TOOLS})
    assert await heard.get() == SAID_TOOLS


async def test_a_change_that_changes_no_list_is_nobodys_concern(ears: Ears) -> None:
    heard = ears.at()

    ears.echo.noticed("shop", None, {"": NONE, "m1": NONE})
    ears.echo.noticed("shop", None, {"": PROMPTS})

    assert await heard.get() == SAID_PROMPTS
    assert len(ears.told) == 1


async def test_clients_hear_of_the_lists_that_they_are_shown(ears: Ears) -> None:
    plain, able, other = ears.at(), ears.at(mark="m1"), ears.at(mark="m2")

    ears.echo.noticed("shop", None, {"": TOOLS, "m1": NONE})
    ears.echo.heard({"project": "shop", "server": None, "kinds": {"m2": ["prompts"]}})

    assert await plain.get() == SAID_TOOLS
    assert {await other.get(), await other.get()} == {SAID_TOOLS, SAID_PROMPTS}
    assert able.empty()


async def test_nothing_is_announced_after_the_end(ears: Ears) -> None:
    heard, later = ears.at(), asyncio.Event()
    ears.echo.noticed("shop", None, {"": TOOLS})

    ears.echo.close()

    asyncio.get_running_loop().call_later(0.5, later.set)
    await later.wait()
    assert heard.empty()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({}, {"": TOOLS}, {"": TOOLS}),
        ({"": TOOLS}, {"": PROMPTS}, {"": TOOLS | PROMPTS}),
        ({"": TOOLS}, {"m1": PROMPTS}, {"": TOOLS, "m1": TOOLS | PROMPTS}),
        ({"": TOOLS, "m1": NONE}, {"": PROMPTS}, {"": TOOLS | PROMPTS, "m1": PROMPTS}),
        ({"m1": TOOLS}, {"m1": PROMPTS}, {"m1": TOOLS | PROMPTS}),
        ({"m1": TOOLS}, {"m2": TOOLS}, {"m1": TOOLS, "m2": TOOLS}),
    ],
)
def test_two_changes_are_one_for_everybody(one: Kinds, other: Kinds, both: Kinds) -> None:
    """Who is not named by its mark hears what all the others hear."""
    assert merged(one, other) == both
    assert merged(other, one) == both
