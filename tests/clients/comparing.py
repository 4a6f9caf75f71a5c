"""Makes what was seen through the gateway comparable with what the server says to the same client."""

import base64
import json
import re
from typing import Any

from tests.clients.steps import JSONObject

PREFIX = "io.modelcontextprotocol/"
OF_ONE_ERA = {"resultType", "ttlMs", "cacheScope", f"{PREFIX}serverInfo", "execution"}

# What is another each time, as the reference servers write it.
_PASSING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "<moment>"),
    (re.compile(r"\d{1,2}:\d\d:\d\d [AP]M"), "<time>"),
    (re.compile(r"session [0-9a-f-]{36}"), "<session>"),
)
_OWN_STREAM = f"{PREFIX}subscriptionId"


def seen_at(server: str, outcome: JSONObject, *, across_eras: bool) -> JSONObject:
    """Return an outcome as the server's own client would see it.

    Names and URIs lose what tells servers apart. `across_eras` says that client and server are of
    two eras, so that what only one of them has is left out.
    """
    return _plain(outcome, server, across_eras=across_eras)


def _plain(value: Any, server: str, *, across_eras: bool) -> Any:
    if isinstance(value, list):
        return [_plain(each, server, across_eras=across_eras) for each in value]
    if isinstance(value, dict):
        return _plain_object(value, server, across_eras=across_eras)
    if isinstance(value, str):
        return _plain_text(value, server)
    return value


def _plain_object(value: JSONObject, server: str, *, across_eras: bool) -> JSONObject:
    members: JSONObject = {
        key: "<its own>" if key == _OWN_STREAM else _plain(each, server, across_eras=across_eras)
        for key, each in value.items()
        if not (across_eras and key in OF_ONE_ERA)
    }
    if "x-unknown" in members:
        # The twins say another thing here each.
        members["x-unknown"] = "<kept>"
    if "blob" in members:
        members["blob"] = _plain_blob(members["blob"])
    if across_eras and members.get("_meta") == {}:
        del members["_meta"]
    if across_eras and members.get("mode") == "url":
        # Only the legacy era gives such a question an id; the gateway makes one up for it.
        members.pop("elicitationId", None)
    return members


def _plain_text(value: str, server: str) -> Any:
    value = value.removeprefix(f"{server}__").replace(f"#~{server}", "")
    try:
        # Some clients change the order of members in what they answer, and servers repeat it.
        whole = json.loads(value) if value.startswith("{") else None
    except ValueError:
        whole = None
    return _timeless(value) if whole is None else _plain(whole, server, across_eras=False)


def _plain_blob(value: str) -> str:
    """Return the text within a blob without its time, or a blob that is no text as it is."""
    try:
        return _timeless(base64.b64decode(value).decode())
    except ValueError:
        return value


def _timeless(value: str) -> str:
    for pattern, name in _PASSING:
        value = pattern.sub(name, value)
    return value
