"""What every client is told to do: the steps for each server, under the names of one place.

The same steps are done directly at a server and through the gateway, where tools and prompts have
its prefix and the URIs of a later server of two a mark. Labels are the same in both places.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

JSONObject = dict[str, Any]

MESSAGE, UPDATED = "notifications/message", "notifications/resources/updated"
TOOLS_CHANGED = "notifications/tools/list_changed"
LISTS = ("tools", "prompts", "resources", "resourceTemplates")
FOR_THE_ASKABLE = (
    *("get-roots-list", "trigger-elicitation-request", "trigger-url-elicitation"),
    *("trigger-sampling-request", "simulate-research-query"),
)
"""Tools of the reference server that it registers once it knows that its client can be asked."""

MADE = "demo://resource/session/a.gz"
"""The URI of what a tool of the reference server makes for the session of a legacy client."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server as a client sees it; `tag` sets the calls of this client and way apart."""

    server: str
    tag: str
    prefix: str = ""
    mark: str = ""
    is_modern: bool = False

    def does(self, label: str, do: str, **more: Any) -> JSONObject:
        """Make a step."""
        return {"label": f"{self.server}: {label}", "do": do, **more}

    def calls(self, tool: str, label: str = "", **arguments: Any) -> JSONObject:
        """Make the step of calling a tool."""
        name = f"{self.prefix}{tool}"
        return self.does(label or tool, "call", name=name, arguments=arguments)

    def hears(self, label: str, method: str, **where: str) -> JSONObject:
        """Make the step of waiting for a notification."""
        return self.does(label, "hear", method=method, where=where)


Steps = Callable[[Place], list[JSONObject]]


def lists(place: Place, tools: Iterable[str] = (), made: Iterable[str] = ()) -> list[JSONObject]:
    """List everything, once these tools are there, and these URIs of resources."""
    wanted = {"tools": [*tools], "resources": [*made]}
    return [place.does(kind, "list", kind=kind, until=wanted.get(kind, [])) for kind in LISTS]


def reference_server(place: Place) -> list[JSONObject]:
    """Use all that the reference server `everything` offers."""
    steps = [*_calls(place), *_prompts_and_resources(place), *_questions(place)]
    # What belongs to no call reaches a session; a modern client has none.
    return steps if place.is_modern else [*steps, *_news(place)]


def _calls(place: Place) -> list[JSONObject]:
    data = "data:text/plain;base64,aGVsbG8="
    return [
        place.calls("echo", message="안녕 🌏"),
        place.calls("get-sum", a=2, b=0.5),
        place.calls("get-sum", "tool error", a="two", b=0.5),
        place.calls("get-structured-content", location="Chicago"),
        place.calls("get-tiny-image"),
        place.calls("get-annotated-message", messageType="error", includeImage=True),
        place.calls("get-resource-links", count=4),
        place.calls("get-resource-reference", resourceType="Blob", resourceId=5),
        place.calls("gzip-file-as-resource", name="a.gz", data=data, outputType="resource"),
    ]


def _prompts_and_resources(place: Place) -> list[JSONObject]:
    prompt = place.prefix
    template = f"demo://resource/dynamic/text/{{resourceId}}{place.mark}"
    return [
        place.does("prompt", "prompt", name=f"{prompt}simple-prompt", arguments={}),
        place.does("filled prompt", "prompt", name=f"{prompt}args-prompt", arguments={"city": "A"}),
        place.does(
            "prompt with resource",
            "prompt",
            name=f"{prompt}resource-prompt",
            arguments={"resourceType": "Text", "resourceId": "3"},
        ),
        place.does("text", "read", uri=f"demo://resource/dynamic/text/7{place.mark}"),
        place.does("blob", "read", uri=f"demo://resource/dynamic/blob/8{place.mark}"),
        place.does(
            "document",
            "read",
            uri=f"demo://resource/static/document/architecture.md{place.mark}",
        ),
        place.does("no resource", "read", uri=f"demo://resource/static/nothing.md{place.mark}"),
        place.does(
            "completion",
            "complete",
            ref={"type": "ref/prompt", "name": f"{prompt}completable-prompt"},
            argument={"name": "name", "value": "A"},
            context={"department": "Engineering"},
        ),
        place.does(
            "template completion",
            "complete",
            ref={"type": "ref/resource", "uri": template},
            argument={"name": "resourceId", "value": "12"},
        ),
    ]


def _questions(place: Place) -> list[JSONObject]:
    address = {"url": "https://login.example/", "elicitationId": "e-1"}
    return [
        place.calls("trigger-elicitation-request"),
        place.calls("trigger-url-elicitation", message="Sign in.", **address),
        place.calls("trigger-sampling-request", prompt="Say it.", maxTokens=9),
        place.calls("get-roots-list"),
        # By now the server knows the roots, so that it asks for them in the middle of no call.
        place.calls("trigger-long-running-operation", duration=0.06, steps=3),
    ]


def _news(place: Place) -> list[JSONObject]:
    uri = f"demo://resource/dynamic/text/9{place.mark}"
    return [
        place.does("level", "level", level="debug"),
        place.calls("toggle-simulated-logging", "log on"),
        place.hears("log", MESSAGE, data=r"(-level|level-) ?message"),
        place.calls("toggle-simulated-logging", "log off"),
        place.does("subscribe", "watch", uris=[uri]),
        place.calls("toggle-subscriber-updates", "updates on"),
        place.hears("updated", UPDATED, uri=f"^{uri}$"),
        place.calls("toggle-subscriber-updates", "updates off"),
        place.does("unsubscribe", "unwatch", uris=[uri]),
    ]


def clock(place: Place) -> list[JSONObject]:
    """Use the reference server that tells the time."""
    times = {"source_timezone": "UTC", "target_timezone": "Asia/Seoul"}
    return [
        place.calls("get_current_time", timezone="Asia/Seoul"),
        place.calls("convert_time", time="23:30", **times),
        place.calls("convert_time", "tool error", time="25:61", **times),
        place.does("ping", "ping"),
    ]


def twin(place: Place) -> list[JSONObject]:
    """Use the server of the matrix, of either era, for what the reference servers cannot say."""
    return [
        place.does("level", "level", level="debug"),
        *(place.calls(tool) for tool in ("structured", "failing", "fault", "fancy", "image")),
        *(place.calls(tool) for tool in ("audio", "embedded", "linked", "odd", "progress")),
        place.calls("logging"),
        *(_log(place, level) for level in ("debug", "info", "warning")),
        *(place.calls(tool) for tool in ("ask_first", "ask_midway", "ask_url", "sample", "roots")),
        place.does("text", "read", uri=f"test://text{place.mark}"),
        place.does("blob", "read", uri=f"test://blob{place.mark}"),
        place.does("item", "read", uri=f"test://item/3{place.mark}"),
        place.does("prompt", "prompt", name=f"{place.prefix}greet", arguments={"who": "Ada"}),
        place.does("prompt with resource", "prompt", name=f"{place.prefix}attached", arguments={}),
        place.does(
            "completion",
            "complete",
            ref={"type": "ref/prompt", "name": f"{place.prefix}greet"},
            argument={"name": "who", "value": "A"},
        ),
        place.does("hang", "cancel", name=f"{place.prefix}hang", arguments={"tag": place.tag}),
        place.calls("await_cancel", tag=place.tag),
        *_changes(place),
    ]


def twin_progress(place: Place) -> list[JSONObject]:
    """Hear the progress of one call."""
    return [place.calls("progress")]


def _log(place: Place, level: str) -> JSONObject:
    return place.hears(f"log {level}", MESSAGE, logger="^twin$", level=f"^{level}$")


def _changes(place: Place) -> list[JSONObject]:
    uri, added = f"test://watched{place.mark}", f"added-{place.tag}"
    steps = [
        place.does("watch", "watch", uris=[uri]),
        place.calls("touch", uri="test://watched"),
        place.hears("updated", UPDATED, uri=f"^{uri}$"),
        place.calls("add", kind="tools", key=added),
        place.hears("tools changed", TOOLS_CHANGED),
        place.does("grown", "list", kind="tools", until=[f"{place.prefix}{added}"]),
        place.calls(added, "added"),
        place.calls("drop", kind="tools", key=added),
        place.hears("tools changed again", TOOLS_CHANGED),
        place.does("shrunk", "list", kind="tools", gone=[f"{place.prefix}{added}"]),
    ]
    return steps if place.is_modern else [*steps, place.does("unwatch", "unwatch", uris=[uri])]
