"""Results of one server as clients of a merged endpoint must see them: its URIs stay reachable."""

from collections.abc import Callable
from typing import Any, Final

from interlock.gateway.aggregation import exposed_uri
from interlock.gateway.table import Target, View
from interlock.protocol.json import JSONObject, as_list, as_object

_WITH_URI: Final = ("resource_link", "resource")


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
        if not _has_uris(result):
            return result
        return _mapped(result, "content", lambda item: _content(view, target, item))
    if method == "prompts/get":
        return _mapped(result, "messages", lambda item: _message(view, target, item))
    return result


def _has_uris(result: JSONObject) -> bool:
    """Tell whether a tool's result names resources; most do not."""
    items: Any = result.get("content")
    # What was read from JSON has no subclasses, and this is asked of every answer.
    if items.__class__ is not list:
        return False
    for item in items:  # noqa: SIM110 -- a generator would take longer than all else here
        if item.__class__ is dict and item.get("type") in _WITH_URI:
            return True
    return False


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
