"""Results of one server as clients of a merged endpoint must see them: its URIs stay reachable."""

from collections.abc import Callable
from typing import Any

from interlock.gateway.aggregation import exposed_uri
from interlock.gateway.table import Target, View
from interlock.protocol.json import JSONObject, as_list, as_object


def expose_result(
    view: View, target: Target, method: str, asked: Any, result: JSONObject
) -> JSONObject:
    """Return `result` with each resource URI as a client of `view` can read it.

    `asked` is the URI of a resources/read as the client wrote it.
    """
    if view.is_single or len(view.servers) == 1:
        return result
    if method == "resources/read":
        return _mapped(result, "contents", lambda item: _contents(view, target, asked, item))
    if method == "tools/call":
        return _mapped(result, "content", lambda item: _content(view, target, item))
    if method == "prompts/get":
        return _mapped(result, "messages", lambda item: _message(view, target, item))
    return result


def _mapped(result: JSONObject, key: str, change: Callable[[JSONObject], JSONObject]) -> JSONObject:
    items = as_list(result.get(key))
    if not items:
        return result
    changed = [change(node) if (node := as_object(item)) is not None else item for item in items]
    return {**result, key: changed}


def _contents(view: View, target: Target, asked: Any, item: JSONObject) -> JSONObject:
    uri = item.get("uri")
    if uri == target.name:
        return {**item, "uri": asked}
    return _exposed(view, target, item)


def _content(view: View, target: Target, item: JSONObject) -> JSONObject:
    if item.get("type") == "resource_link":
        return _exposed(view, target, item)
    resource = as_object(item.get("resource")) if item.get("type") == "resource" else None
    return item if resource is None else {**item, "resource": _exposed(view, target, resource)}


def _message(view: View, target: Target, item: JSONObject) -> JSONObject:
    content = as_object(item.get("content"))
    return item if content is None else {**item, "content": _content(view, target, content)}


def _exposed(view: View, target: Target, item: JSONObject) -> JSONObject:
    uri = item.get("uri")
    if not isinstance(uri, str):
        return item
    return {**item, "uri": exposed_uri(view.resources, view.templates, target.server, uri)}
