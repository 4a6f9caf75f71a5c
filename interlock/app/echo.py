"""Announcing changed lists in every process of the gateway, whichever of them noticed.

A client may hear of a change from one process and then ask another, which must know it by then. So
a change is announced a moment after it was noticed, and each process announces the others' too:
the last announcement comes after the last process has the new lists.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from interlock.gateway.changes import Changes
from interlock.gateway.table import Kind
from interlock.protocol.json import JSONObject

MOMENT: Final = 0.2  # seconds

Place: TypeAlias = tuple[str, str | None]
Kinds: TypeAlias = Mapping[str, frozenset[Kind]]


class Echo:
    """Takes what one process noticed, tells the others by `tell`, and announces both together."""

    def __init__(self, changes: Changes, tell: Callable[[JSONObject], None]) -> None:
        self._changes = changes
        self._tell = tell
        self._pending: dict[Place, Kinds] = {}
        self._timer: asyncio.TimerHandle | None = None

    def noticed(self, project: str, server: str | None, kinds: Kinds) -> None:
        """Take a change of an endpoint's lists that was noticed here, by the mark of who sees it."""
        if any(kinds.values()):
            self._tell(written(project, server, kinds))
            self._add((project, server), kinds)

    def heard(self, said: JSONObject) -> None:
        """Take a change that another process noticed."""
        kinds = {mark: frozenset[Kind](each) for mark, each in said["kinds"].items()}
        self._add((said["project"], said["server"]), kinds)

    def close(self) -> None:
        """Announce nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _add(self, place: Place, kinds: Kinds) -> None:
        self._pending[place] = merged(self._pending.get(place, {}), kinds)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._announce)

    def _announce(self) -> None:
        pending, self._pending, self._timer = self._pending, {}, None
        for (project, server), kinds in pending.items():
            self._changes.lists_changed(project, server, kinds)


def written(project: str, server: str | None, kinds: Kinds) -> JSONObject:
    """Return a change as JSON."""
    listed = {mark: sorted(each) for mark, each in kinds.items()}
    return {"project": project, "server": server, "kinds": listed}


def merged(one: Kinds, other: Kinds) -> Kinds:
    """Return two changes as one; the mark "" stands for all that are not named."""
    return {
        mark: one.get(mark, one.get("", frozenset[Kind]()))
        | other.get(mark, other.get("", frozenset[Kind]()))
        for mark in one.keys() | other.keys()
    }
