"""The clients and calls of one example, and the comparison of what they saw with the model."""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any

from interlock.gateway.clients import ClientSession
from tests.stateful.model import Call, Channel, Client
from tests.stateful.stage import Stage
from tests.stateful.wire import BOTH, LEGACY, MODERN, NAMED, PREFIX, Exchange, JSONObject, Wire

INFO = {"name": "stateful", "version": "1"}
_TAGS = count(1)


class Play:
    """One example: who is there, what runs, and whether all came as predicted."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.director = stage.director
        self.clients: list[Client] = []
        self.released: set[str] = set()
        self.offered: dict[str, int] = {}
        self.told: list[Exchange] = []
        self.labels = count(1)

    @property
    def calls(self) -> list[Call]:
        """All calls of all clients."""
        return [call for client in self.clients for call in client.calls]

    def in_state(self, *states: str) -> list[Call]:
        """Return the calls that stand so, of clients that are there."""
        return [each for each in self.calls if each.state in states and each.client.is_open]

    def some(self, *kinds: str) -> list[Client]:
        """Return the clients of these kinds that are there."""
        return [each for each in self.clients if each.is_open and each.kind in kinds]

    # What clients send.

    async def open_client(self, kind: str, who: str, *, can_answer: bool, is_loud: bool) -> Client:
        """Let a client come and shake hands."""
        path = "sse" if kind == "sse" else "mcp"
        url = f"{self.stage.gateway.address}/{path}/default"
        wire = Wire(self.stage.http, url, self.stage.news.set)
        main = Channel(None, is_kept=kind in {"http", "json"})
        client = Client(kind, who, can_answer, is_loud, wire, main)
        client.headers = {"authorization": f"Bearer {self.stage.keys[who]}", "accept": BOTH}
        self.clients.append(client)
        if not client.is_modern:
            await self._shake_hands(client)
        return client

    async def _shake_hands(self, client: Client) -> None:
        if client.kind == "sse":
            client.main.label = "main"
            client.main_exchange = client.wire.send("GET", "main", headers=client.headers)
            await self.stage.until(lambda: client.wire.has_endpoint, "the endpoint came")
        else:
            client.headers["mcp-protocol-version"] = LEGACY
        if client.kind == "json":
            client.headers["accept"] = "application/json"
        capabilities = {"elicitation": {}} if client.can_answer else {}
        params = {"protocolVersion": LEGACY, "capabilities": capabilities, "clientInfo": INFO}
        exchange = self.request(client, "initialize", params)
        await self.stage.until(lambda: exchange.is_over, "initialize was answered")
        if client.kind != "sse":
            client.headers["mcp-session-id"] = exchange.headers["mcp-session-id"]
        self.notify(client, "notifications/initialized")
        if client.is_loud:
            self.request(client, "logging/setLevel", {"level": "debug"})
        await self.settle()

    def request(self, client: Client, method: str, params: JSONObject) -> Exchange:
        """Send a request whose answer is an empty success, on a stream of its own."""
        number = client.next_id()
        exchange = self.send(client, number, method, params)
        label = exchange.label if client.kind != "sse" else "main"
        client.owe(Channel(label), ("answer", number, "done"), number)
        return exchange

    def send(self, client: Client, number: int, method: str, params: JSONObject) -> Exchange:
        """Send a request."""
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        headers = dict(client.headers)
        if client.is_modern:
            message["params"] = {**params, "_meta": {**_meta(client), **params.get("_meta", {})}}
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            if method in NAMED:
                headers["mcp-name"] = params[NAMED[method]]
        label = f"post {next(self.labels)}"
        return client.wire.send("POST", label, headers=headers, message=message)

    def notify(self, client: Client, method: str, params: JSONObject | None = None) -> None:
        """Send a notification."""
        self.tell(client, {"jsonrpc": "2.0", "method": method, "params": params or {}})

    def tell(self, client: Client, message: JSONObject) -> None:
        """Send what has no answer; the gateway takes it with 202."""
        headers = client.headers
        self.told.append(client.wire.send("POST", "told", headers=headers, message=message))

    # What the model predicts.

    def new_tag(self) -> str:
        """Return a name that no other call ever had."""
        return f"c{next(_TAGS)}"

    def is_crowded(self, call: Call) -> bool:
        """Tell whether another call is under way on the link of this one."""
        return any(
            other.link == call.link
            for other in self.calls
            if other is not call and other.is_live
            if other.state == "held" or not other.server.is_modern
        )

    def advance(self, call: Call) -> None:
        """Predict what a call does from the step at which it stands to where it waits."""
        while call.position < len(call.steps):
            step = call.steps[call.position]
            if step == "hold" and call.gate not in self.released:
                call.state = "held"
                return
            if step == "ask":
                self._predict_question(call)
                return
            if step == "progress" and call.is_told_progress:
                key = ("progress", call.token, call.gate)
                call.client.owe(self._own_channel(call), key, call.id)
            if step == "log" and not call.is_muted:
                self._predict_log(call)
            call.position += 1
        self.finish(call, "result", call.server.name, call.tag, *call.answers)

    def _own_channel(self, call: Call) -> Channel:
        return call.client.best() if call.client.kind == "json" else call.channel

    def _predict_log(self, call: Call) -> None:
        client, server = call.client, call.server
        if not client.is_loud and (client.is_modern or server.is_modern):
            return
        channel, is_certain = self._own_channel(call), True
        if server.is_duplex and isinstance(call.link, str):
            if not server.is_modern:
                # Nobody knows whose call a message belongs to in a session that clients share.
                return
            # On a link that all share, what the gateway asks for itself may crowd it as well.
            if self.is_crowded(call):
                return
            is_certain = False
        elif server.is_duplex and self.is_crowded(call):
            channel = client.best()
        client.owe(channel, ("log", call.gate), call.id, must=is_certain)

    def _predict_question(self, call: Call) -> None:
        client = call.client
        if not client.can_answer:
            self.finish(call, "error")
            return
        call.state = "asking"
        if client.is_modern:
            client.owe(call.channel, ("answer", call.id, "asked", call.gate), call.id)
            return
        call.asked_on = self._own_channel(call)
        call.is_asked_apart = (
            call.server.is_duplex and not call.server.is_modern and self.is_crowded(call)
        )
        if call.is_asked_apart:
            call.asked_on = client.best()
        client.owe(call.asked_on, ("question", call.gate), call.id)

    def replay(self, call: Call) -> None:
        """Predict a call that a modern server plays again; it tells what came after the answers."""
        call.position = _after_answers(call)
        self.advance(call)

    def finish(self, call: Call, *how: Any) -> None:
        """Predict the answer of a call."""
        call.client.owe(call.channel, ("answer", call.id, *how), call.id)
        call.state = "done"

    # The comparison.

    async def settle(self) -> None:
        """Wait until everything that was predicted came; fail where anything else did."""
        await self.stage.until(self._is_settled, self.story)
        await self.stage.until_true(lambda: not self._wrongly_parked(), self.story)
        self.check()

    def check(self) -> None:
        """Fail where a client saw what it should not have seen."""
        faults = [fault for client in self.clients for fault in client.read()]
        assert not faults, "\n".join([*faults, self.story()])
        refused = [each.status for each in self.told if each.is_over and each.status != 202]
        assert not refused, f"A notification or an answer was refused: {refused}"

    def _is_settled(self) -> bool:
        faults = [fault for client in self.clients for fault in client.read()]
        assert not faults, "\n".join([*faults, self.story()])
        return not self._open_ends()

    def _open_ends(self) -> list[str]:
        return [
            *(f"{each.kind} misses {each.missing}" for each in self.clients if each.missing),
            *(f"not taken: {each.label}" for each in self.told if not each.is_over),
            *(f"does not hold: {call.gate}" for call in self._not_holding()),
            *(f"still open: {call.tag} {call.state}" for call in self._not_ended()),
            *self._wrongly_running(),
            *self._wrongly_watched(),
        ]

    def _not_holding(self) -> Iterable[Call]:
        return (
            call
            for call in self.calls
            if call.state == "held" and call.gate not in self.director.holding
        )

    def _not_ended(self) -> Iterable[Call]:
        ended = (call for call in self.calls if not call.is_live)
        return (call for call in ended if not call.exchange.is_over)

    def _wrongly_running(self) -> list[str]:
        wanted, running = self._to_run(), Counter(self.director.running())
        return [
            f"{tag} runs {running[tag]} times"
            for tag in {*wanted, *running}
            if wanted[tag] != running[tag]
        ]

    def _to_run(self) -> Counter[str]:
        """Return how often each call must run at its server."""
        wanted: Counter[str] = Counter()
        for call in self.calls:
            if call.server.is_modern:
                wanted[call.tag] += call.state == "held"
            elif call.is_live or call.state == "abandoned":
                wanted[call.tag] = 1
        return wanted

    def _wrongly_watched(self) -> list[str]:
        wanted = {uri for client in self.clients for uri in client.subscribed}
        watched = set(self.director.watched())
        deaf = [f"{self.director.deaf} sessions hear nothing yet"] if self.director.deaf else []
        if wanted != watched:
            return [f"watched are {sorted(watched)} instead of {sorted(wanted)}", *deaf]
        return deaf

    def _wrongly_parked(self) -> list[str]:
        """Compare what is parked: what modern clients called at legacy servers, and not heard of."""
        wanted = {
            call.tag
            for call in self.calls
            if call.client.is_modern and not call.server.is_modern
            if call.is_live or call.state in {"abandoned", "dead"}
        }
        parked = len(self.stage.plane.parking)
        return [f"{parked} are parked instead of {len(wanted)}"] if parked != len(wanted) else []

    def story(self) -> str:
        """Return what is still missing, and how every call stands."""
        lines = [*self._open_ends(), *self._wrongly_parked(), "calls:"]
        lines += [
            f"  {call.client.kind} {call.server.name} {call.tag} id {call.id} {call.steps} "
            f"at {call.position} is {call.state}"
            for call in self.calls
        ]
        return "\n".join(lines)

    def session(self, client: Client) -> ClientSession:
        """Return what the gateway keeps of a legacy client."""
        sessions = self.stage.plane.legacy.sessions
        return sessions._sessions[client.headers["mcp-session-id"]]


def _after_answers(call: Call) -> int:
    """Return the step after the last question that was answered; the first where none was."""
    if not call.answers:
        return 0
    asked = [number for number, step in enumerate(call.steps) if step == "ask"]
    return asked[len(call.answers) - 1] + 1


def _meta(client: Client) -> JSONObject:
    meta: JSONObject = {
        f"{PREFIX}protocolVersion": MODERN,
        f"{PREFIX}clientInfo": INFO,
        f"{PREFIX}clientCapabilities": {"elicitation": {}} if client.can_answer else {},
    }
    if client.is_loud:
        meta[f"{PREFIX}logLevel"] = "debug"
    return meta
