"""How much is logged about single servers, changed while they run; a restart forgets it."""

from collections.abc import Mapping

from interlock.protocol.json import JSONObject
from interlock.settings import LogLevel
from interlock.station.logs import ServerLog
from interlock.telemetry.logs import set_server_level


class LogLevels:
    """The levels of servers that have one of their own; all others follow the general level.

    `logs` are the kept lines of servers, by id: a level holds for these, too.
    """

    def __init__(self, logs: Mapping[str, ServerLog]) -> None:
        self._logs = logs
        self._levels: dict[str, LogLevel] = {}
        self._places: dict[str, tuple[str, str]] = {}

    def get(self, server_id: str) -> LogLevel | None:
        """Return a server's own level; None where it has none."""
        return self._levels.get(server_id)

    def set(self, server_id: str, level: LogLevel | None) -> None:
        """Give a server a level of its own, or let it follow the general one again."""
        if level is None:
            self._levels.pop(server_id, None)
        else:
            self._levels[server_id] = level
        self._apply(server_id)

    def follow(self, server_id: str, project: str, name: str) -> None:
        """Take note of what a server is called in log lines from now on."""
        self._release(server_id)
        self._places[server_id] = project, name
        self._apply(server_id)

    def forget(self, server_id: str) -> None:
        """Drop a server that is gone."""
        self._release(server_id)
        self._levels.pop(server_id, None)

    def document(self) -> JSONObject:
        """Return all levels as JSON, for another process of the gateway to `take`."""
        return dict(self._levels)

    def take(self, document: Mapping[str, LogLevel]) -> None:
        """Take over the levels of another process."""
        changed = self._levels.keys() | document.keys()
        self._levels = dict(document)
        for server_id in changed:
            self._apply(server_id)

    def _apply(self, server_id: str) -> None:
        level, place = self._levels.get(server_id), self._places.get(server_id)
        if place is not None:
            set_server_level(*place, level)
        if server_id in self._logs:
            self._logs[server_id].keep_from(level)

    def _release(self, server_id: str) -> None:
        place = self._places.pop(server_id, None)
        if place is not None:
            set_server_level(*place, None)
