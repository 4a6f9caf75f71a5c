"""Answers to list requests: from memory, in pages, honest about servers that are not well."""

import base64
import binascii

from interlock.errors import BadInput
from interlock.gateway.table import Kind, View
from interlock.protocol.json import JSONObject

LIST_KINDS: dict[str, Kind] = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
_KEYS: dict[Kind, str] = {
    "tools": "name",
    "resources": "uri",
    "resourceTemplates": "uriTemplate",
    "prompts": "name",
}


def list_page(view: View, method: str, params: JSONObject, page_size: int) -> JSONObject:
    """Return one page of a list. Raises BadInput for a cursor that is not ours.

    A cursor names the last item that was seen, so it survives changes of the list before it.
    """
    kind = LIST_KINDS[method]
    items = view.lists[kind]
    start = _start(items, _KEYS[kind], params.get("cursor"))
    page = items[start : start + page_size]
    result: JSONObject = {kind: list(page)}
    if start + page_size < len(items):
        result["nextCursor"] = _cursor(start + page_size, page[-1][_KEYS[kind]])
    if view.list_meta is not None:
        result["_meta"] = dict(view.list_meta)
    return result


def _cursor(index: int, last: str) -> str:
    return base64.urlsafe_b64encode(f"{index}:{last}".encode()).decode().rstrip("=")


def _start(items: tuple[JSONObject, ...], key: str, cursor: object) -> int:
    if cursor is None:
        return 0
    index, last = _read(cursor)
    if 0 < index <= len(items) and items[index - 1][key] == last:
        return index
    for position, item in enumerate(items):
        if item[key] == last:
            return position + 1
    raise BadInput('"cursor" is out of date; start again without it.')


def _read(cursor: object) -> tuple[int, str]:
    try:
        padded = str(cursor) + "=" * (-len(str(cursor)) % 4)
        index, _, last = base64.b64decode(padded, b"-_", validate=True).decode().partition(":")
        return int(index), last
    except (binascii.Error, ValueError) as error:
        raise BadInput('"cursor" is not one of ours; start again without it.') from error
