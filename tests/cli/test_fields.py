"""A line that a user enters becomes the value that a form's schema wants, or is sent back."""

from typing import Any

import pytest

from interlock.cli.fields import fields_of
from interlock.errors import BadInput

COLORS = {"type": "string", "enum": ["#F00", "#0F0"], "enumNames": ["Red", "Green"]}
TITLED = {"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "2"}]}
SEVERAL = {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 1, "maxItems": 2}
SEVERAL_TITLED = {"type": "array", "items": {"anyOf": [{"const": "a", "title": "An A"}]}}


def read(schema: dict[str, Any], line: str, *, required: bool = True) -> Any:
    names = ["x"] if required else []
    (field,) = fields_of({"type": "object", "properties": {"x": schema}, "required": names})
    return field.read(line)


@pytest.mark.parametrize(
    ("schema", "line", "value"),
    [
        ({"type": "string"}, " Ada ", "Ada"),
        ({}, "Ada", "Ada"),
        ({"type": "integer"}, "36", 36),
        ({"type": "number"}, "36", 36),
        ({"type": "number"}, "-1.5", -1.5),
        ({"type": ["null", "integer"]}, "1", 1),
        ({"type": "boolean"}, "y", True),
        ({"type": "boolean"}, "No", False),
        ({"type": "boolean", "default": True}, "", True),
        ({"type": "string", "format": "email"}, "ada@example.com", "ada@example.com"),
        ({"type": "string", "format": "uri"}, "https://example.com/", "https://example.com/"),
        ({"type": "string", "format": "date"}, "2026-07-28", "2026-07-28"),
        ({"type": "string", "format": "date-time"}, "2026-07-28T12:00:00Z", "2026-07-28T12:00:00Z"),
        ({"type": "string", "format": "unheard-of"}, "x", "x"),
        (COLORS, "Green", "#0F0"),
        (COLORS, "#F00", "#F00"),
        (COLORS, "2", "#0F0"),
        (TITLED, "Red", "r"),
        (TITLED, "2", "2"),
        (SEVERAL, "a, 3", ["a", "c"]),
        (SEVERAL_TITLED, "An A, a", ["a"]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
    ],
)
def test_a_line_is_read_by_its_schema(schema: dict[str, Any], line: str, value: object) -> None:
    found = read(schema, line)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 3}, "ab"),
        ({"type": "string", "maxLength": 3}, "abcd"),
        ({"type": "integer"}, "1.5"),
        ({"type": "integer", "minimum": 18}, "17"),
        ({"type": "number", "maximum": 1}, "1.1"),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "much"),
        ({"type": "boolean"}, "perhaps"),
        ({"type": "string", "format": "email"}, "ada"),
        ({"type": "string", "format": "uri"}, "example"),
        ({"type": "string", "format": "date"}, "28.7.2026"),
        ({"type": "string", "format": "date-time"}, "noon"),
        (COLORS, "Blue"),
        (COLORS, "3"),
        (SEVERAL, "a, b, c"),
        (SEVERAL, "d"),
        (SEVERAL, ","),
    ],
)
def test_what_the_schema_does_not_allow_is_sent_back(schema: dict[str, Any], line: str) -> None:
    with pytest.raises(BadInput):
        read(schema, line)


def test_what_is_not_required_may_be_left_out() -> None:
    assert read({"type": "integer"}, "", required=False) is None


def test_each_field_says_what_may_be_entered() -> None:
    schema = {
        "properties": {
            "name": {"type": "string", "title": "Name", "format": "email"},
            "color": {**COLORS, "default": "#F00"},
            "sure": {"type": "boolean", "default": False},
        },
        "required": ["name"],
    }

    assert [(field.title, field.hint) for field in fields_of(schema)] == [
        ("Name", "email"),
        ("color", "one of these, may be left empty, empty for #F00"),
        ("sure", "yes or no, may be left empty, empty for no"),
    ]
