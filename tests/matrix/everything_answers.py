"""What the everything server answers to each request that both eras know."""

from everything_call import Call
from everything_offer import SKILLED, JSONObject
from everything_tools import call_tool
from everything_world import INVALID_PARAMS, Fault

METHOD_NOT_FOUND = -32601
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}

FUTURE = {False: {"notes/list"}, True: {"notes/list", "skills/list"}}
"""Methods from the future, by whether a server is the skilled one."""


async def answer(call: Call) -> JSONObject:
    """Return the result of a request. Raises Fault."""
    if call.method in LISTS:
        kind = LISTS[call.method]
        return call.world.page(call.listed(kind), kind, call.params.get("cursor"))
    match call.method:
        case "tools/call":
            return await call_tool(call)
        case "prompts/get":
            return _prompt(call)
        case "resources/read":
            return {"contents": [call.world.read(call.params["uri"], call.more["resources"])]}
        case "completion/complete":
            return _completion(call)
        case "notes/list" | "skills/list" if call.method in FUTURE[call.server == SKILLED]:
            return _future(call)
        case _:
            raise Fault(METHOD_NOT_FOUND, f"Method not found: {call.method}")


def _future(call: Call) -> JSONObject:
    """Answer a method that no version of the protocol knows, and tell what reached the server."""
    return {"server": call.server, "params": call.params, "x-future": {"kept": [1, None]}}


def _prompt(call: Call) -> JSONObject:
    name = call.params["name"]
    if name not in {each["name"] for each in call.listed("prompts")}:
        raise Fault(INVALID_PARAMS, f"{call.server} has no prompt {name!r}.")
    who = call.arguments.get("who", "you")
    content: JSONObject = {"type": "text", "text": f"{name}: hello {who} from {call.server}"}
    if name == "attached":
        content = {"type": "resource", "resource": call.world.read("test://text")}
    return {"description": f"{name} of {call.server}", "messages": [_said(content)]}


def _said(content: JSONObject) -> JSONObject:
    return {"role": "user", "content": content}


def _completion(call: Call) -> JSONObject:
    reference, argument = call.params["ref"], call.params["argument"]
    known = {each["name"] for each in call.listed("prompts")} | {
        each["uriTemplate"] for each in call.world.lists["resourceTemplates"]
    }
    name = reference.get("name") or reference.get("uri")
    if name not in known:
        raise Fault(INVALID_PARAMS, f"{call.server} has no {name!r} to complete.")
    context = (call.params.get("context") or {}).get("arguments") or {}
    values = [f"{call.server}:{argument['name']}={argument['value']}", *sorted(context.values())]
    return {"completion": {"values": values, "total": 40, "hasMore": True}}
