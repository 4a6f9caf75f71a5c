"""What each client must see: predicted from what it did, and compared with what it saw."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.stateful.stage import Server
from tests.stateful.wire import PREFIX, Exchange, JSONObject, Seen, Wire

Key = tuple[Any, ...]

CHANGED: Key = ("changed",)
STEPS = ("progress", "log", "hold", "ask")


@dataclass(slots=True)
class Owed:
    """A message that a client must see, or may if not `must`, on the stream that `where` names.

    Messages of one call come in order; `of` names the call.
    """

    key: Key
    where: str
    of: object
    must: bool = True


@dataclass(slots=True)
class Channel:
    """An ordered run of messages to one client, and the HTTP stream that carries it at the moment.

    What nobody follows waits if it `is_kept`, and is lost otherwise. The stream of an answer
    surely `has_events` once something came before the answer; else it may be the answer alone.
    """

    label: str | None
    is_kept: bool = False
    has_events: bool = False
    prefix: str | None = None
    pending: list[tuple[Key, object, bool]] = field(default_factory=list[Any])


@dataclass(slots=True, eq=False)
class Call:
    """One call of a tool: where it stands, and where its messages go."""

    client: "Client"
    server: Server
    id: int
    tag: str
    steps: tuple[str, ...]
    channel: Channel
    exchange: Exchange = field(default_factory=lambda: Exchange("none", is_over=True))
    tool: str = "play"
    has_token: bool = False
    began_with_token: bool = False
    position: int = 0
    answers: list[str] = field(default_factory=list[str])
    state: str = "running"
    asked_on: Channel | None = None
    is_asked_apart: bool = False
    is_muted: bool = False
    retried: JSONObject = field(default_factory=dict[str, Any])

    @property
    def gate(self) -> str:
        """The name of the step at which the call stands."""
        return f"{self.tag}/{self.position}"

    @property
    def token(self) -> str:
        """The progress token; the same for the calls of all clients with this id."""
        return f"t{self.id}"

    @property
    def is_told_progress(self) -> bool:
        """Whether its server has a token to report progress with, and its client one to hear it."""
        is_wanted = self.has_token if self.server.is_modern else self.began_with_token
        return is_wanted and self.has_token and not self.is_muted

    @property
    def is_live(self) -> bool:
        """Whether it waits for something."""
        return self.state in {"held", "asking"}

    @property
    def is_unheard(self) -> bool:
        """Whether what it asks may wait on a stream that nobody follows."""
        return self.state == "asking" and self.asked_on is not None and self.asked_on.label is None

    @property
    def link(self) -> object:
        """What carries the call to its server; calls on one duplex link are told apart badly."""
        wants_own_logs = self.client.is_loud and self.server.is_duplex
        if self.server.is_modern or not (self.client.can_answer or wants_own_logs):
            return self.server.name
        if self.client.kind == "modern":
            return self
        return self.client, self.server.name


@dataclass(slots=True, eq=False)
class Client:
    """One client as the model knows it."""

    kind: str
    who: str
    can_answer: bool
    is_loud: bool
    wire: Wire
    main: Channel
    headers: dict[str, str] = field(default_factory=dict[str, str])
    is_open: bool = True
    owed: list[Owed] = field(default_factory=list[Owed])
    calls: list[Call] = field(default_factory=list[Call])
    subscribed: set[str] = field(default_factory=set[str])
    main_exchange: Exchange | None = None
    number: int = 0
    history: defaultdict[str, dict[int, tuple[Key, object]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _read: int = 0

    @property
    def is_modern(self) -> bool:
        """Whether it is of the modern era."""
        return self.kind == "modern"

    def next_id(self) -> int:
        """Return an id; all clients use the same ones."""
        self.number += 1
        return self.number

    def owe(self, channel: Channel, key: Key, of: object, *, must: bool = True) -> None:
        """Predict a message on a channel."""
        if channel.label is not None:
            self.owed.append(Owed(key, channel.label, of, must))
            channel.has_events = channel.has_events or (must and key[0] != "answer")
        elif channel.is_kept:
            channel.pending.append((key, of, must))

    def doubt(self, call: Call) -> None:
        """Take note that what nobody has heard of a call yet may not come any more."""
        for channel in (self.main, call.channel):
            channel.pending = [
                (key, of, must and of != call.id) for key, of, must in channel.pending
            ]

    def follow(self, channel: Channel, label: str, after: str | None) -> None:
        """Predict what comes when `label` takes a channel up: all after an event, or what is new."""
        channel.label = label
        if after is not None:
            prefix, _, number = after.rpartition("-")
            for known, (key, of) in sorted(self.history[prefix].items()):
                if known > int(number):
                    self.owed.append(Owed(key, label, of))
        self.owed.extend(Owed(key, label, of, must) for key, of, must in channel.pending)
        channel.pending.clear()

    def best(self) -> Channel:
        """Return where a message is read soonest that belongs to no call that could be told."""
        if self.main.label is not None:
            return self.main
        running = [call for call in self.calls if call.is_live or call.state == "running"]
        channels = [call.channel for call in reversed(running) if call.channel is not self.main]
        return next((each for each in channels if self.kind != "json"), self.main)

    def read(self) -> list[str]:
        """Take what was seen since; return what nobody owed."""
        faults = list(self.wire.faults)
        for seen in self.wire.seen[self._read :]:
            key = self._named(key_of(seen.message))
            owed = self._take(seen, key)
            if owed is None and key != CHANGED:
                faults.append(f"{self.kind} saw {key} on {seen.stream}: {seen.message}")
            faults += self._remember(seen, key, owed)
        self._read = len(self.wire.seen)
        return faults

    def _named(self, key: Key) -> Key:
        """Return the key of a withdrawal with the question's text instead of its id."""
        if key[0] != "withdrawn":
            return key
        asked = (each.message for each in self.wire.seen if each.message.get("id") == key[1])
        texts = (each["params"]["message"] for each in asked if "method" in each)
        return "withdrawn", next(texts, key[1])

    def _take(self, seen: Seen, key: Key) -> Owed | None:
        for index, owed in enumerate(self.owed):
            if (owed.key, owed.where) != (key, seen.stream):
                continue
            before = [each for each in self.owed[:index] if each.of == owed.of and each.must]
            if not any(each.where == owed.where for each in before):
                return self.owed.pop(index)
        return None

    def _remember(self, seen: Seen, key: Key, owed: Owed | None) -> list[str]:
        if seen.event_id is None:
            return []
        prefix, _, number = seen.event_id.rpartition("-")
        known = self.history[prefix].setdefault(int(number), (key, owed.of if owed else None))
        if known[0] != key:
            return [f"{self.kind}: event {seen.event_id} was {known[0]} and is now {key}"]
        return []

    @property
    def missing(self) -> list[Owed]:
        """What it must see and has not."""
        return [owed for owed in self.owed if owed.must]


def key_of(message: JSONObject) -> Key:  # noqa: PLR0911 -- one for each kind of message
    """Return what matters of a message, so that the predicted and the seen can be compared."""
    params = message.get("params") or {}
    match message.get("method"):
        case None:
            return ("answer", message.get("id"), *_answer(message))
        case "notifications/progress":
            return "progress", params["progressToken"], params["message"]
        case "notifications/message":
            return "log", params["data"]
        case "elicitation/create":
            return "question", params["message"]
        case "notifications/cancelled":
            return "withdrawn", params["requestId"]
        case "notifications/resources/updated":
            return "updated", params["uri"]
        case "notifications/tools/list_changed":
            return CHANGED
        case "notifications/subscriptions/acknowledged":
            agreed = params["notifications"].get("resourceSubscriptions", ())
            return "agreed", params["_meta"][f"{PREFIX}subscriptionId"], *agreed
        case method:
            return method, str(params)


def _answer(message: JSONObject) -> Key:
    result = message.get("result")
    if result is None:
        return ("error",)
    if result.get("resultType") == "input_required":
        asked = [each["params"]["message"] for each in result["inputRequests"].values()]
        return "asked", *asked
    told = result.get("structuredContent")
    if told is not None:
        answers = [each.get("content", {}).get("value", each["action"]) for each in told["answers"]]
        return "result", told["server"], told["tag"], *answers
    return ("done",)
