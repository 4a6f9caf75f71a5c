"""The path of a call, once it is known who calls: find the route, ask the policies, send it on."""

import time
from dataclasses import replace

from interlock.audit.record import resource_target
from interlock.errors import BadInput, Forbidden, RPCError
from interlock.gateway.aggregation import find_resource
from interlock.gateway.bridging import Bridge
from interlock.gateway.call import Call
from interlock.gateway.lists import LIST_KINDS, list_page
from interlock.gateway.rewriting import expose_result
from interlock.gateway.table import ServerEntry, Target, View
from interlock.gateway.task_lists import list_tasks
from interlock.gateway.tasks import OF_ONE_TASK, Tasks, has_tasks
from interlock.gateway.tracing import carry
from interlock.policy.access import may_call
from interlock.policy.breaker import CircuitOpen
from interlock.protocol import jsonrpc
from interlock.protocol.headers import check_params
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import META_SERVER_INFO, Era


class ResourceNotFound(BadInput):
    """No server has such a resource; the eras have different codes for it."""

    reason = "resource_not_found"


class Pipeline:
    """Answers one request of either era; everything that carries a call comes through here."""

    def __init__(self, bridge: Bridge, tasks: Tasks, page_size: int) -> None:
        self._bridge = bridge
        self._tasks = tasks
        self._page_size = page_size

    async def answer(self, call: Call) -> JSONObject:
        """Return the result of a call. Raises InterlockError and RPCError."""
        if call.method in LIST_KINDS:
            return self._list(call)
        self._allow(call)
        if call.method == "tasks/list":
            return await list_tasks(call, self._tasks, self._bridge)
        target, params = self._route(call)
        call.trace.server = target.server.name
        call.trace.found = (call.view.project, target.server.name, tool_label(call, target))
        if call.era is Era.MODERN:
            check_params(call.headers, call.params, target.mirrored)
        call.trace.sent = now = time.perf_counter()
        params = carry(call.trace, params)
        try:
            result = await self._send(call, target, params)
        except CircuitOpen:
            # The server never got it, and record, numbers and spans say so.
            call.trace.sent = None
            raise
        finally:
            call.trace.answered = max(now, time.perf_counter())
        call.trace.tool_error = result.get("isError") is True
        return expose_result(call.view, target, call.method, call.params.get("uri"), result)

    def _route(self, call: Call) -> tuple[Target, JSONObject]:
        if call.method in OF_ONE_TASK:
            target, params = self._tasks.find(call.principal, call.view, call.params)
            self._tasks.check(call.principal, target, call.scope(target.server))
            return target, params
        target, params = find_target(call)
        check_declared(target.server, call.method)
        return target, params

    async def _send(self, call: Call, target: Target, params: JSONObject) -> JSONObject:
        if not has_tasks(target.server):
            return await self._bridge.send(call, target, params)
        caller = self._tasks.caller(call.principal, target.server, call.caller)
        result = await self._bridge.send(replace(call, caller=caller), target, params)
        scope = call.scope(target.server)
        self._tasks.remember(call.principal, target.server.id, result, call.session, scope)
        return self._tasks.shown(call.principal, call.view, target, call.method, result)

    def _allow(self, call: Call) -> None:
        project_id = call.principal.project_id
        if not call.principal.may_call:
            raise Forbidden(
                f"The role {call.principal.role.value} may read lists but not use them; "
                f"ask an owner of the project for a developer's key (project {project_id})."
            )

    def _list(self, call: Call) -> JSONObject:
        page = list_page(call.view, call.method, call.params, self._page_size)
        if call.era is Era.LEGACY:
            return page
        return cacheable(call.view, page)


def check_declared(server: ServerEntry, method: str) -> None:
    """Refuse a request whose capability its server did not declare. Raises RPCError.

    Servers from before a capability could be declared are asked all the same.
    """
    if server.catalogue is None:
        return
    facts = server.catalogue.facts
    resources = as_object(facts.capabilities.get("resources")) or {}
    match method:
        case "completion/complete":
            is_declared = "completions" in facts.capabilities or facts.version == "2024-11-05"
        case "resources/subscribe":
            is_declared = facts.era is Era.MODERN or resources.get("subscribe") is True
        case _:
            return
    if not is_declared:
        raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"{server.name} does not offer {method}.")


def cacheable(view: View, result: JSONObject) -> JSONObject:
    """Return a result of the gateway's own as the modern era wants it, with caching hints."""
    meta = {META_SERVER_INFO: view.facts.info, **(as_object(result.get("_meta")) or {})}
    scope = "private" if view.is_private else "public"
    hints: JSONObject = {"resultType": "complete", "ttlMs": view.ttl_ms, "cacheScope": scope}
    return {**hints, **result, "_meta": meta}


def find_target(call: Call) -> tuple[Target, JSONObject]:
    """Return the server behind a request, and its params as that server names things.

    Raises BadInput where a name leads nowhere, RPCError for a method that no server can take.
    """
    view, params = call.view, call.params
    match call.method:
        case "tools/call":
            return _by_name(view, "tool", params)
        case "prompts/get":
            return _by_name(view, "prompt", params)
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            target = _resource(view, params.get("uri"))
            return target, {**params, "uri": target.name}
        case "completion/complete":
            return _by_reference(view, params)
        case _:
            return Target(_for_method(view, call.method), ""), params


def _for_method(view: View, method: str) -> ServerEntry:
    """Return the one server that can take a method that the gateway does not know.

    It is the only one there is, or the only one with a capability of that name: `skills/list` goes
    to the server that says it has `skills`. Raises RPCError.
    """
    if len(view.servers) == 1:
        return view.servers[0]
    family = method.partition("/")[0]
    able = [each for each in view.servers if _names(each, family)]
    if len(able) == 1:
        return able[0]
    several = "; several servers may have it, so send it to the endpoint of one." if able else ""
    raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {method}{several}")


def _names(server: ServerEntry, family: str) -> bool:
    """Tell whether a server has a capability or an extension of this name."""
    capabilities = server.catalogue.facts.capabilities if server.catalogue is not None else {}
    groups = (as_object(capabilities.get(name)) or {} for name in ("extensions", "experimental"))
    names = {*capabilities, *(key for group in groups for key in group)}
    return any(name == family or name.endswith(f"/{family}") for name in names)


def _by_name(view: View, kind: str, params: JSONObject) -> tuple[Target, JSONObject]:
    name = params.get("name")
    if not isinstance(name, str):
        raise BadInput(f'"params.name" must be the name of a {kind}.')
    target = (view.tools if kind == "tool" else view.prompts).get(name)
    if target is None:
        if view.is_single and _may_exist(view, view.servers[0], kind, name):
            only = view.servers[0]
            return only.tool(name) if kind == "tool" else Target(only, name), params
        raise BadInput(f"Unknown {kind}: {name}")
    return target, params if target.name == name else {**params, "name": target.name}


def _may_exist(view: View, server: ServerEntry, kind: str, name: str) -> bool:
    """Tell whether a server of which nothing is known yet may have such an item for the caller."""
    if server.catalogue is not None:
        return False
    return kind != "tool" or may_call(view.access, server, name)


def _resource(view: View, uri: object) -> Target:
    if not isinstance(uri, str):
        raise BadInput('"params.uri" must be the URI of a resource.')
    target = find_resource(view, uri)
    if target is None:
        raise ResourceNotFound(f"Resource not found: {uri}")
    return target


def _by_reference(view: View, params: JSONObject) -> tuple[Target, JSONObject]:
    reference = as_object(params.get("ref")) or {}
    if reference.get("type") == "ref/prompt":
        target, named = _by_name(view, "prompt", reference)
        return target, {**params, "ref": named}
    target = _resource(view, reference.get("uri"))
    return target, {**params, "ref": {**reference, "uri": target.name}}


def tool_label(call: Call, target: Target) -> str:
    """Return the tool that a call is counted under; nothing where none is known to exist."""
    is_known = call.method == "tools/call" and target.server.catalogue is not None
    return target.name if is_known else ""


def target_name(params: JSONObject) -> str | None:
    """Return what a request is about, as its client named it, for the record."""
    name, uri = params.get("name"), params.get("uri")
    if isinstance(name, str):
        return name
    if isinstance(uri, str):
        return resource_target(uri)
    reference = as_object(params.get("ref"))
    return target_name(reference) if reference is not None else None
