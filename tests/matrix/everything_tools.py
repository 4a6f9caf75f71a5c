"""The tools of the everything server: one for each feature, telling what reached the server."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from everything_call import Call
from everything_offer import AGE_FORM, NAME_FORM, PNG, WAV, JSONObject
from everything_world import KEYS, Fault


def text(value: str, **more: object) -> JSONObject:
    """Return a tool's result that is one text."""
    return {"content": [{"type": "text", "text": value}], **more}


def told(**facts: object) -> JSONObject:
    """Return a tool's result that tells some facts."""
    return text(json.dumps(facts), structuredContent=facts)


async def fancy(call: Call) -> JSONObject:
    """Return what the output schema promises."""
    return told(leaves=[call.server])


async def echo(call: Call) -> JSONObject:
    """Tell all that reached the server."""
    return told(server=call.server, params=call.params, headers=dict(call.headers))


async def structured(call: Call) -> JSONObject:
    """Return structured content with numbers that are easily lost."""
    return told(server=call.server, numbers=[2**53, 0.1, -0.0, 1e300, None, {"deep": []}])


async def failing(call: Call) -> JSONObject:
    """Fail as a tool."""
    return text(f"{call.server} cannot do this.", isError=True)


async def fault(call: Call) -> JSONObject:
    """Fail as a protocol error with data."""
    raise Fault(-32602, f"{call.server} refuses.", {"field": "x", "server": call.server})


async def image(call: Call) -> JSONObject:
    """Return an image."""
    item = {"type": "image", "data": PNG, "mimeType": "image/png", "annotations": {"priority": 1}}
    return {"content": [item, {"type": "text", "text": call.server}]}


async def audio(call: Call) -> JSONObject:
    """Return a sound."""
    item = {"type": "audio", "data": WAV, "mimeType": "audio/wav"}
    return {"content": [item, {"type": "text", "text": call.server}]}


async def embedded(call: Call) -> JSONObject:
    """Return a resource whole."""
    contents = [call.world.read(uri) for uri in ("test://item/5", "test://hidden/5")]
    return {"content": [{"type": "resource", "resource": each} for each in contents]}


async def linked(call: Call) -> JSONObject:
    """Return links to resources: listed, made by a template, and known to this server alone."""
    uris = ("test://text", "test://item/7", "test://hidden/7")
    return {
        "content": [
            {"type": "resource_link", "uri": uri, "name": call.server, "mimeType": "text/plain"}
            for uri in uris
        ]
    }


async def odd(call: Call) -> JSONObject:
    """Return fields that no version of the protocol knows."""
    return {
        "content": [
            {"type": "text", "text": call.server, "x-item": {"kept": 1}, "_meta": {"a": 1}}
        ],
        "structuredContent": {"server": call.server},
        "_meta": {"example.com/result": [call.server, None]},
        "x-result": {"kept": [1, {"2": 3}]},
    }


async def progress(call: Call) -> JSONObject:
    """Tell of three steps."""
    for step in (1, 2, 3):
        call.progress(step, 3)
    return text(call.server)


async def logging(call: Call) -> JSONObject:
    """Log at three levels."""
    for level in ("debug", "info", "warning"):
        call.log(level, {"server": call.server, "level": level})
    return text(call.server)


async def hang(call: Call) -> JSONObject:
    """Never end; note who cancelled."""
    call.progress(1, 2)
    await _until_cancelled(call, call.arguments["tag"])
    return {}


async def _until_cancelled(call: Call, tag: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        call.world.cancelled[tag].set()


async def await_cancel(call: Call) -> JSONObject:
    """End once the call of that tag was cancelled."""
    await call.world.cancelled[call.arguments["tag"]].wait()
    return text(call.server)


async def ask_first(call: Call) -> JSONObject:
    """Ask for a name before anything else."""
    answer = await call.ask("elicitation/create", NAME_FORM)
    return told(server=call.server, answer=answer)


async def ask_midway(call: Call) -> JSONObject:
    """Work, ask, work, ask, work."""
    call.progress(1, 3)
    name = await call.ask("elicitation/create", NAME_FORM)
    call.progress(2, 3)
    age = await call.ask("elicitation/create", AGE_FORM)
    call.progress(3, 3)
    return told(server=call.server, answers=[name, age])


async def ask_url(call: Call) -> JSONObject:
    """Send the user to an address."""
    question: JSONObject = {
        "mode": "url",
        "message": "Please sign in.",
        "url": f"https://{call.server}.example/sign-in",
    }
    answer = await call.ask("elicitation/create", question)
    return told(server=call.server, answer=answer)


async def announce_url(call: Call) -> JSONObject:
    """Say that the user has come back from an address."""
    call.tell_all("notifications/elicitation/complete", elicitationId=f"e-{call.server}")
    return text(call.server)


async def sample(call: Call) -> JSONObject:
    """Let the client's model say something."""
    question: JSONObject = {
        "messages": [
            {"role": "user", "content": {"type": "text", "text": f"Hello from {call.server}"}}
        ],
        "systemPrompt": "Be brief.",
        "modelPreferences": {"hints": [{"name": "small"}], "costPriority": 0.5},
        "temperature": 0.25,
        "maxTokens": 50,
        "stopSequences": ["END"],
        "metadata": {"vendor": {"kept": True}},
    }
    answer = await call.ask("sampling/createMessage", question)
    return told(server=call.server, answer=answer)


async def roots(call: Call) -> JSONObject:
    """Ask which folders the client shows."""
    return told(server=call.server, answer=await call.ask("roots/list", {}))


async def await_roots(call: Call) -> JSONObject:
    """End once the client said that its folders changed, after it heard of progress."""
    call.world.roots_changed.clear()
    call.progress(1, 2)
    await call.world.roots_changed.wait()
    return text(call.server)


async def touch(call: Call) -> JSONObject:
    """Update a resource."""
    call.world.touch(call.arguments["uri"])
    return text(call.server)


async def add(call: Call) -> JSONObject:
    """Add an item to a list; an added tool echoes."""
    kind, key = call.arguments["kind"], call.arguments["key"]
    item: JSONObject = {"name": key, KEYS[kind]: key}
    if kind == "tools":
        item["inputSchema"] = {"type": "object"}
        TOOLS[key] = echo
    call.world.add(kind, item)
    return text(call.server)


async def drop(call: Call) -> JSONObject:
    """Take an item from a list."""
    call.world.drop(call.arguments["kind"], call.arguments["key"])
    return text(call.server)


async def slow(call: Call) -> JSONObject:
    """Work as the arguments say: wait, tell of progress, ask, hold, fail, and end with a link."""
    wanted = call.arguments
    if "gate" in wanted:
        await call.world.gates[wanted["gate"]].wait()
    for step in (1, 2):
        call.progress(step, 2)
    answers = [await call.ask("elicitation/create", NAME_FORM)] if wanted.get("ask") else []
    if "hold" in wanted:
        await _until_cancelled(call, wanted["hold"])
    if wanted.get("fail") == "error":
        raise Fault(-32050, f"{call.server} gives up.", {"server": call.server})
    if wanted.get("fail") == "result":
        return text(f"{call.server} cannot do this.", isError=True)
    return {**await linked(call), "structuredContent": {"server": call.server, "answers": answers}}


async def open_gate(call: Call) -> JSONObject:
    """Let whoever waits at a gate go on."""
    call.world.gates[call.arguments["gate"]].set()
    return text(call.server)


async def await_gate(call: Call) -> JSONObject:
    """End once a gate is open."""
    await call.world.gates[call.arguments["gate"]].wait()
    return text(call.server)


async def stepwise(call: Call) -> JSONObject:
    """Tell of two steps, wait at a gate, tell of two more, and end with a long text."""
    gate = call.arguments["gate"]
    call.progress(1, 4)
    call.progress(2, 4)
    await call.world.gates[gate].wait()
    call.progress(3, 4)
    call.progress(4, 4)
    call.world.gates[f"{gate}, passed"].set()
    return text("x" * call.arguments["size"])


async def in_turn(call: Call) -> JSONObject:
    """Wait until all calls of a tag are there, and end after those with higher numbers."""
    tag, number, last = (call.arguments[name] for name in ("tag", "number", "last"))
    call.progress(1, 2)
    present = call.world.turns[tag]
    present.add(number)
    if len(present) > last:
        call.world.gates[f"{tag} {last}"].set()
    await call.world.gates[f"{tag} {number}"].wait()
    call.progress(2, 2)
    call.world.gates[f"{tag} {number - 1}"].set()
    return told(server=call.server, number=number)


async def announce(call: Call) -> JSONObject:
    """Send a notification of any method."""
    call.tell(call.arguments["method"], **call.arguments["params"])
    return text(call.server)


async def await_note(call: Call) -> JSONObject:
    """Tell the params of a notification that the client sent."""
    return told(server=call.server, params=await call.world.noted[call.arguments["method"]].get())


async def switch_on(call: Call) -> JSONObject:
    """Add an item to a list in this client's session only; a tool echoes."""
    kind, key = call.arguments["kind"], call.arguments["key"]
    item: JSONObject = {"name": key, KEYS[kind]: key}
    call.switch_on(kind, {**item, "inputSchema": {"type": "object"}} if kind == "tools" else item)
    return text(call.server)


async def end_session(call: Call) -> JSONObject:
    """End the session; over stdio this is the process."""
    call.end_session()
    return text(call.server)


TOOLS: dict[str, Callable[[Call], Awaitable[JSONObject]]] = {
    each.__name__: each
    for each in (
        *(fancy, echo, structured, failing, fault, image, audio, embedded, linked, odd),
        *(progress, logging, hang, await_cancel, ask_first, ask_midway, ask_url, announce_url),
        *(sample, roots, await_roots, touch, add, drop),
        *(slow, open_gate, await_gate, stepwise, in_turn, announce, await_note),
        *(switch_on, end_session),
    )
}
TOOLS["mirrored"] = TOOLS["app"] = echo
TOOLS["task_only"] = slow


async def call_tool(call: Call) -> JSONObject:
    """Run the tool that a call names."""
    name = call.params.get("name", "")
    is_switched_on = any(each["name"] == name for each in call.more["tools"])
    tool = echo if is_switched_on else TOOLS.get(name)
    if tool is None:
        raise Fault(-32602, f"{call.server} has no tool {call.params.get('name')!r}.")
    return await tool(call)
