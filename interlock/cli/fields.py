"""The fields of a form that a tool asks its user to fill in, each read from a line of text.

Source: 2026-07-28, client/elicitation, "Requested Schema".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object, loads_strict

_YES: Final = frozenset({"y", "yes", "true", "1"})
_NO: Final = frozenset({"n", "no", "false", "0"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field may have, and how people read it."""

    value: Any
    title: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    schema: JSONObject
    is_required: bool

    @property
    def title(self) -> str:
        """What people call it."""
        return str(self.schema.get("title") or self.name)

    @property
    def kind(self) -> str:
        """The type of its value; text where it says none."""
        kind = self.schema.get("type")
        kinds = [kind] if isinstance(kind, str) else as_list(kind) or []
        return next((each for each in kinds if isinstance(each, str) and each != "null"), "string")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The values to choose from; none where any will do."""
        schema = self.schema
        if self.kind == "array":
            schema = as_object(schema.get("items")) or {}
        titled = as_list(schema.get("oneOf")) or as_list(schema.get("anyOf")) or []
        found = [each for one in titled if (each := as_object(one)) and "const" in each]
        if found:
            return tuple(Choice(one["const"], str(one.get("title", one["const"]))) for one in found)
        values = as_list(schema.get("enum")) or []
        titles = as_list(schema.get("enumNames")) or values
        titles = titles if len(titles) == len(values) else values
        return tuple(Choice(*each) for each in zip(values, map(str, titles), strict=True))

    @property
    def hint(self) -> str:
        """What may be entered, in a few words."""
        words = [_KINDS.get(self.kind, self.kind)]
        if self.choices:
            words = ["some of these, with commas" if self.kind == "array" else "one of these"]
        elif self.kind == "string" and "format" in self.schema:
            words = [str(self.schema["format"])]
        if not self.is_required:
            words.append("may be left empty")
        if "default" in self.schema:
            words.append(f"empty for {_written(self.schema['default'])}")
        return ", ".join(words)

    def read(self, line: str) -> Any:
        """Return the value that a line means; None where the field is left out.

        Raises BadInput, whose message says what would do.
        """
        line = line.strip()
        if not line:
            if "default" not in self.schema and self.is_required:
                raise BadInput("This is needed.")
            return self.schema.get("default")
        if self.kind == "array":
            return self._several(line)
        if self.choices:
            return _chosen(line, self.choices)
        value = _READERS.get(self.kind, _anything)(line)
        _check_bounds(value, self.schema)
        if isinstance(value, str):
            _check_format(value, self.schema.get("format"))
        return value

    def _several(self, line: str) -> list[Any]:
        words = [word.strip() for word in line.split(",") if word.strip()]
        found: list[Any] = []
        for word in words:
            value = _chosen(word, self.choices) if self.choices else word
            if value not in found:
                found.append(value)
        least, most = self.schema.get("minItems", 0), self.schema.get("maxItems", math.inf)
        if not least <= len(found) <= most:
            raise BadInput(_between(least, most, "of these are needed"))
        return found


def fields_of(schema: JSONObject) -> list[Field]:
    """Return the fields that a requested schema names, in its order."""
    required = as_list(schema.get("required")) or []
    properties = as_object(schema.get("properties")) or {}
    return [
        Field(name, as_object(each) or {}, is_required=name in required)
        for name, each in properties.items()
    ]


def _chosen(word: str, choices: Sequence[Choice]) -> Any:
    for choice in choices:
        if word in {str(choice.value), choice.title}:
            return choice.value
    if word.isdecimal() and 1 <= int(word) <= len(choices):
        return choices[int(word) - 1].value
    raise BadInput(f"{word!r} is none of these; enter one, or its number.")


def _boolean(line: str) -> bool:
    if line.lower() in _YES | _NO:
        return line.lower() in _YES
    raise BadInput("Enter yes or no.")


def _integer(line: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise BadInput("Enter a whole number.") from None


def _number(line: str) -> float | int:
    try:
        value = float(line)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput("Enter a number.")
    return int(line) if line.lstrip("+-").isdecimal() else value


def _anything(line: str) -> Any:
    try:
        return loads_strict(line.encode())
    except BadInput:
        return line


def _check_bounds(value: Any, schema: JSONObject) -> None:
    if isinstance(value, str):
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if not least <= len(value) <= most:
            raise BadInput(_between(least, most, "characters are needed"))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not least <= value <= most:
            raise BadInput(f"Enter a number{_range(least, most)}.")


def _check_format(text: str, kind: object) -> None:
    check, example = _FORMATS.get(str(kind), (_any_text, ""))
    try:
        is_right = check(text)
    except ValueError:
        is_right = False
    if not is_right:
        raise BadInput(f"This is no {kind}; one is {example}.")


def _any_text(_text: str) -> bool:
    return True


def _is_email(text: str) -> bool:
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and " " not in text


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and " " not in text


def _between(least: float, most: float, what: str) -> str:
    if most == math.inf:
        return f"At least {least} {what}."
    return f"{least} to {most} {what}."


def _range(least: float, most: float) -> str:
    if most == math.inf:
        return f" of at least {least}"
    return f" of at most {most}" if least == -math.inf else f" from {least} to {most}"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    several = as_list(value)
    return ", ".join(map(str, several)) if several is not None else str(value)


_KINDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "several, with commas",
}
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
_FORMATS: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "email": (_is_email, "ada@example.com"),
    "uri": (_is_uri, "https://example.com/"),
    "date": (date.fromisoformat, "2026-07-28"),
    "date-time": (datetime.fromisoformat, "2026-07-28T12:00:00Z"),
}
