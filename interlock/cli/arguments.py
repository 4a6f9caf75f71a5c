"""A tool's arguments from the command line: one JSON object, or `key=value` read by its schema."""

import sys
from collections.abc import Sequence
from typing import Any

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object, loads_strict

MAX_INPUT = 4 * 1024 * 1024  # bytes


def read_arguments(words: Sequence[str], schema: JSONObject) -> JSONObject:
    """Return the arguments that `words` mean: `{…}`, `-` for JSON on stdin, or `key=value …`.

    A value stays text where the schema says so or where it is no JSON. Raises BadInput.
    """
    if len(words) == 1 and words[0] == "-":
        return _whole(sys.stdin.buffer.read(MAX_INPUT))
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        return _whole(words[0].encode())
    properties = as_object(schema.get("properties")) or {}
    arguments: JSONObject = {}
    for word in words:
        name, is_pair, text = word.partition("=")
        if not name or not is_pair:
            raise BadInput(f"{word[:40]!r} is no argument; write key=value, or one JSON object.")
        arguments[name] = _value(text, as_object(properties.get(name)) or {})
    return arguments


def _whole(text: bytes) -> JSONObject:
    arguments = as_object(loads_strict(text))
    if arguments is None:
        raise BadInput('The arguments must be one JSON object, such as \'{"city": "Seoul"}\'.')
    return arguments


def _value(text: str, schema: JSONObject) -> Any:
    kind = schema.get("type")
    kinds = [kind] if isinstance(kind, str) else as_list(kind) or []
    if "string" in kinds:
        return text
    try:
        return loads_strict(text.encode())
    except BadInput:
        return text
