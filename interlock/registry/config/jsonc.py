"""JSON as people write it: comments and trailing commas pass, a repeated key stays in view."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from interlock.errors import BadInput
from interlock.protocol.json import MAX_DEPTH, as_list

# A string ends at its quote or, where that is missing, at the line's end: the text then fails in
# the parser, which names the place.
_STRING = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENTS = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMAS = re.compile(_STRING + r"|,(?=\s*[}\]])", re.DOTALL)
_BRACKETS = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_VISIBLE = re.compile(r"[^\n]")


class JSONCObject(dict[str, Any]):
    """A JSON object that remembers which keys were written more than once.

    The first value of such a key is the one that it holds.
    """

    repeated: tuple[str, ...] = ()


def parse_jsonc(text: str) -> Any:
    """Parse JSON that may carry `//` and `/* */` comments and trailing commas.

    Objects come back as `JSONCObject`. Raises BadInput naming the line and the column.
    """
    plain = _TRAILING_COMMAS.sub(_blank_comma, _COMMENTS.sub(_blank_comment, text))
    _check_depth(plain)
    try:
        return _DECODER.decode(plain)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:].removesuffix(" at").removesuffix(" starting")
        raise BadInput(
            f"The configuration is not valid JSON: {reason} (line {error.lineno}, "
            f"column {error.colno}). Correct it there."
        ) from None
    except ValueError as error:
        raise BadInput(f"The configuration is not valid JSON: {error}.") from None


def repeated_keys(value: Any, place: str = "") -> Iterator[str]:
    """Yield the path of every key within `value` that was written more than once."""
    if isinstance(value, JSONCObject):
        for key in value.repeated:
            yield f"{place}{key}"
        for key, member in value.items():
            yield from repeated_keys(member, f"{place}{key}.")
    for index, item in enumerate(as_list(value) or ()):
        yield from repeated_keys(item, f"{place}{index}.")


def _blank_comment(match: re.Match[str]) -> str:
    found = match.group()
    if found.startswith('"'):
        return found
    if found.startswith("/*") and not (found.endswith("*/") and len(found) > len("/*/")):
        line = match.string.count("\n", 0, match.start()) + 1
        column = match.start() - match.string.rfind("\n", 0, match.start())
        raise BadInput(
            f"The configuration has a comment that does not end (line {line}, column {column}). "
            "Close it with */."
        )
    return _VISIBLE.sub(" ", found)


def _blank_comma(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.startswith('"') else " "


def _check_depth(plain: str) -> None:
    if plain.count("[") + plain.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(plain):
        if match.group() in "[{":
            depth += 1
        elif match.group() in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise BadInput(f"The configuration is nested deeper than {MAX_DEPTH} levels.")


def _object(pairs: list[tuple[str, Any]]) -> JSONCObject:
    members = JSONCObject()
    repeated: dict[str, None] = {}
    for key, value in pairs:
        if key in members:
            repeated[key] = None
        else:
            members[key] = value
    members.repeated = tuple(repeated)
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
