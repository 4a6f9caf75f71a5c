"""Which process of the gateway must serve a request: the one that has what it is about.

A session, and a call that waits for its client, live in the process that began them; a process
that we host is spoken to by the keeper alone. Everything else is served where it arrives.
"""

from collections.abc import Iterable
from typing import Final

from interlock.errors import InterlockError, NotFound, RPCError
from interlock.gateway.aggregation import find_resource
from interlock.gateway.call import Call
from interlock.gateway.clients import facts_of
from interlock.gateway.entry import Arrival
from interlock.gateway.http import Receive, Scope, Send
from interlock.gateway.lists import LIST_KINDS
from interlock.gateway.modern import is_modern
from interlock.gateway.pipeline import find_target
from interlock.gateway.relay import Relay
from interlock.gateway.table import ServerEntry, View
from interlock.gateway.tasks import OF_ONE_TASK, lists_tasks
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.versions import META_CAPABILITIES, Era
from interlock.upstreams.port import ClientFacts, Nobody

KEEPER: Final = 0
SESSION_HEADER: Final = "mcp-session-id"
_ANYWHERE: Final = frozenset({"server/discover", *LIST_KINDS})


class Handover:
    """What one process knows of the others; a gateway of one process hands nothing over.

    `number` is this process's own, of `count`. `session_mark` and `state_mark` begin the ids of
    sessions and the states of waiting calls that are made here, so that every process knows where
    they are kept; `tag` tells our states from those of another gateway behind us.
    """

    def __init__(
        self, number: int = KEEPER, count: int = 1, *, tag: str = "", relay: Relay | None = None
    ) -> None:
        self.number = number
        self.is_alone = relay is None
        self._count = count
        self._relay = relay
        self._states = f"il1.{tag}."
        self.session_mark = "" if self.is_alone else f"{number}."
        self.state_mark = "" if self.is_alone else f"{self._states}{number}."

    def of_session(self, session_id: str | None) -> int:
        """Return the process that keeps a session.

        An id that no process can have made is looked for here, and not found.
        """
        if self.is_alone or session_id is None:
            return self.number
        found = self._process(session_id)
        return self.number if found is None else found

    def of_view(self, view: View) -> int:
        """Return the process where all servers of an endpoint can be called."""
        if self.is_alone:
            return self.number
        return self._of_servers(view.servers)

    def home(self, view: View) -> int:
        """Return the process where sessions of an endpoint are to be opened.

        `tasks/list` names what one process saw being made, so that sessions which can ask for it
        meet in one.
        """
        if not self.is_alone and any(lists_tasks(each) for each in view.servers):
            return KEEPER
        return self.of_view(view)

    def of_message(
        self, arrival: Arrival, message: jsonrpc.Message | list[jsonrpc.Message] | None
    ) -> int:
        """Return the process for a message or a batch, or for a request without any."""
        if self.is_alone:
            return self.number
        if isinstance(message, jsonrpc.Request):
            if is_modern(arrival.headers, message.params, message.method):
                return self._of_modern(arrival, message)
            if message.method == "initialize":
                return self.home(arrival.view(facts_of(message.params).capabilities))
        return self.of_session(arrival.headers.get(SESSION_HEADER))

    def check_home(self, view: View) -> None:
        """Refuse requests of a session whose endpoint has got a server that only others can call.

        The client opens another session then, and comes to the right process. Raises NotFound.
        """
        if not self.is_alone and self.of_view(view) != self.number:
            raise NotFound("This session has ended; send initialize again.")

    async def relay(
        self, process: int, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> bool:
        """Hand a request over; `Relay.send` says what is returned and raised."""
        if self._relay is None:
            raise InterlockError(f"There is no process {process}; this gateway has only one.")
        return await self._relay.send(process, scope, body, receive, send)

    def _of_modern(self, arrival: Arrival, message: jsonrpc.Request) -> int:
        parked = self._of_state(message.params.get("requestState"))
        if parked is not None:
            return parked
        if message.method in _ANYWHERE:
            return self.number
        meta = as_object(message.params.get("_meta")) or {}
        capabilities = as_object(meta.get(META_CAPABILITIES)) or {}
        view = arrival.view(capabilities)
        if message.method in OF_ONE_TASK:
            # Whose task it is, only the pipeline knows; here its server may not be known yet.
            return self.of_view(view)
        if message.method == "subscriptions/listen":
            wanted = as_object(message.params.get("notifications")) or {}
            # Whose tasks these are, only the pipeline knows.
            servers = view.servers if wanted.get("taskIds") else _watched(view, wanted)
            return self._of_servers(servers)
        call = Call(
            view=view,
            principal=arrival.principal,
            era=Era.MODERN,
            client=ClientFacts({}, capabilities),
            method=message.method,
            params=message.params,
            caller=Nobody(),
            trace=arrival.trace,
        )
        try:
            target, _ = find_target(call)
        except (InterlockError, RPCError):
            # What leads nowhere, or where only the pipeline knows, is settled where all can be.
            return self.of_view(view)
        return self._of_servers([target.server])

    def _of_state(self, state: object) -> int | None:
        if not isinstance(state, str) or not state.startswith(self._states):
            return None
        return self._process(state.removeprefix(self._states))

    def _process(self, marked: str) -> int | None:
        digits, dot, _ = marked.partition(".")
        if not dot or not digits.isascii() or not digits.isdecimal() or len(digits) > 2:  # noqa: PLR2004 -- 64 processes at most
            return None
        return int(digits) if int(digits) < self._count else None

    def _of_servers(self, servers: Iterable[ServerEntry]) -> int:
        return next((each.process for each in servers if each.process is not None), self.number)


def _watched(view: View, wanted: JSONObject) -> Iterable[ServerEntry]:
    for uri in as_list(wanted.get("resourceSubscriptions")) or ():
        target = find_resource(view, uri) if isinstance(uri, str) else None
        if target is not None:
            yield target.server
