"""Requests mirrored into headers: the specification's own tables and rules, word by word."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, find_invalid_x_mcp_header

from interlock.protocol.headers import (
    HeaderMismatch,
    HeaderParam,
    InvalidAnnotation,
    check_headers,
    check_params,
    decode_value,
    encode_value,
    header_params,
    request_headers,
)
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import META_VERSION

TEXT = st.text(st.characters(codec="utf-8"))
REGION = HeaderParam("mcp-param-region", ("region",))
META = {"_meta": {META_VERSION: "2026-07-28"}}

# The table "Encoding examples" of basic/transports/streamable-http.
ENCODING_EXAMPLES = [
    ("us-west1", "us-west1"),
    ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
    (" padded ", "=?base64?IHBhZGRlZCA=?="),
    ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
    ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
]

# "Example tool definition".
EXECUTE_SQL = {
    "type": "object",
    "properties": {
        "region": {
            "type": "string",
            "description": "The region to execute the query in",
            "x-mcp-header": "Region",
        },
        "query": {"type": "string", "description": "The SQL query to execute"},
    },
    "required": ["region", "query"],
}


def prop(header: Any, kind: Any = "string") -> JSONObject:
    return {"properties": {"a": {"type": kind, "x-mcp-header": header}}}


@pytest.mark.parametrize(("value", "header"), ENCODING_EXAMPLES)
def test_the_specifications_examples_are_encoded_and_decoded(value: str, header: str) -> None:
    assert encode_value(value) == header
    assert decode_value(header) == value


@given(TEXT)
@example("=?base64?=")
@example("=?base64??=")
@example("")
@example("\t")
@example("a\tb")
@example("a\x7f")
@settings(deadline=None)
def test_any_text_survives_as_a_header_value(value: str) -> None:
    header = encode_value(value)

    assert all(" " <= char <= "~" or char == "\t" for char in header)
    assert header == header.strip()
    assert decode_value(header) == value
    assert decode_header_value(header) == value


@given(TEXT)
@settings(deadline=None)
def test_a_received_value_is_decoded_or_refused_and_nothing_else(header: str) -> None:
    try:
        value = decode_value(header)
    except HeaderMismatch:
        return
    assert value == decode_header_value(header)


@pytest.mark.parametrize(
    "header",
    [
        "世界",
        "a\nb",
        "a\r\nx: y",
        "a\x00b",
        " a",
        "a\t",
        "\x7f",
        "=?base64?***?=",
        "=?base64?SGVsbG8?=",
        "=?base64?SGVs bG8=?=",
        "=?base64?/w==?=",
        "=?base64?7aCA?=",
    ],
)
def test_a_malformed_value_is_a_header_mismatch(header: str) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        decode_value(header)

    assert (refused.value.rpc_code, refused.value.status) == (-32020, 400)


@pytest.mark.parametrize("header", ["=?BASE64?YQ==?=", "=?base64?YQ==", "x=?base64?YQ==?="])
def test_only_the_exact_markers_mean_base64(header: str) -> None:
    assert decode_value(header) == header


def test_the_specifications_tool_mirrors_its_region() -> None:
    params = header_params(EXECUTE_SQL)
    call = {
        "name": "execute_sql",
        "arguments": {"region": "us-west1", "query": "SELECT * FROM users"},
    }

    assert params == (REGION,)
    assert request_headers("tools/call", call, params) == [
        ("mcp-method", "tools/call"),
        ("mcp-name", "execute_sql"),
        ("mcp-param-region", "us-west1"),
    ]


@pytest.mark.parametrize(
    ("method", "params", "headers"),
    [
        ("tools/call", {"name": "get_weather"}, {"mcp-name": "get_weather"}),
        (
            "resources/read",
            {"uri": "file:///projects/myapp/config.json"},
            {"mcp-name": "file:///projects/myapp/config.json"},
        ),
        ("prompts/get", {"name": "é"}, {"mcp-name": "=?base64?w6k=?="}),
        ("tools/list", {"name": "x"}, {}),
        ("server/discover", {}, {}),
    ],
)
def test_every_request_names_its_method_and_some_their_object(
    method: str, params: JSONObject, headers: dict[str, str]
) -> None:
    written = request_headers(method, params)

    assert dict(written) == {"mcp-method": method, **headers}
    received = {**dict(written), "mcp-protocol-version": "2026-07-28"}
    check_headers(received, method, {**params, **META})


@pytest.mark.parametrize("header", ["Region", "region", "X-1", "a!#$%&'*+-.^_`|~z"])
def test_a_header_is_any_token_of_rfc_9110_in_any_case(header: str) -> None:
    assert header_params(prop(header)) == (HeaderParam(f"mcp-param-{header.lower()}", ("a",)),)


@pytest.mark.parametrize("kind", ["string", "integer", "boolean"])
def test_texts_integers_and_booleans_may_be_mirrored(kind: str) -> None:
    assert len(header_params(prop("A", kind))) == 1


def test_annotated_properties_may_be_nested_in_objects() -> None:
    schema = {"properties": {"a": {"type": "object", "properties": {"b": prop("C")}}}}

    assert header_params(schema) == (HeaderParam("mcp-param-c", ("a", "b", "a")),)


INVALID_SCHEMAS: list[JSONObject] = [
    prop(""),
    prop("a b"),
    prop("a:b"),
    prop("a\r\nb"),
    prop("a\n"),
    prop("é"),
    prop(5),
    prop(None),
    prop(["A"]),
    prop("A", "number"),
    prop("A", "object"),
    prop("A", "array"),
    prop("A", "null"),
    prop("A", None),
    prop("A", ["string"]),
    prop("A", ["string", "null"]),
    prop("A", {"string": 1}),
    {"x-mcp-header": "A", "type": "string"},
    {"items": prop("A")},
    {"properties": {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}}},
    {
        "properties": {
            "a": {"type": "array", "prefixItems": [{"type": "string", "x-mcp-header": "A"}]}
        }
    },
    {"oneOf": [prop("A")]},
    {"anyOf": [{}, prop("A")]},
    {"allOf": [prop("A")]},
    {"not": prop("A")},
    {"if": prop("A")},
    {"then": prop("A")},
    {"else": prop("A")},
    {"$defs": {"a": prop("A")}},
    {"additionalProperties": {"type": "string", "x-mcp-header": "A"}},
    {"patternProperties": {"^a": {"type": "string", "x-mcp-header": "A"}}},
    {
        "properties": {
            "a": {"type": "string", "x-mcp-header": "Same"},
            "b": {"type": "string", "x-mcp-header": "sAME"},
        }
    },
]


@pytest.mark.parametrize("schema", INVALID_SCHEMAS)
def test_an_annotation_that_breaks_a_rule_makes_the_tool_invalid(schema: JSONObject) -> None:
    assert find_invalid_x_mcp_header(schema) is not None
    with pytest.raises(InvalidAnnotation):
        header_params(schema)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        [],
        {},
        {"properties": None},
        {"properties": []},
        {"properties": {"a": True}},
        {"properties": {"x-mcp-header": {"type": "object"}}},
        {"properties": {"a": {"default": {"x-mcp-header": 1}, "enum": [{"x-mcp-header": "A"}]}}},
        {"properties": {"a": {"const": {"x-mcp-header": 1}}}},
        {"examples": [{"x-mcp-header": "A"}]},
    ],
)
def test_a_schema_without_annotations_mirrors_nothing(schema: Any) -> None:
    assert find_invalid_x_mcp_header(schema) is None
    assert header_params(schema) == ()


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("", ""),
        (42, "42"),
        (-7, "-7"),
        (0, "0"),
        (2**53 - 1, "9007199254740991"),
        (42.0, "42"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_a_value_is_mirrored_and_its_header_accepted(value: Any, header: str) -> None:
    params = {"name": "t", "arguments": {"region": value}}

    assert request_headers("tools/call", params, (REGION,))[2:] == [("mcp-param-region", header)]
    check_params({"mcp-param-region": header}, params, (REGION,))


ABSENT: list[JSONObject] = [
    {},
    {"arguments": None},
    {"arguments": []},
    {"arguments": {}},
    {"arguments": {"region": None}},
    {"arguments": {"region": {"a": 1}}},
    {"arguments": {"region": 2**53}},
]


@pytest.mark.parametrize("params", ABSENT)
def test_no_header_is_written_or_expected_where_there_is_no_value(params: JSONObject) -> None:
    assert request_headers("tools/list", params, (REGION,)) == [("mcp-method", "tools/list")]
    check_params({}, params, (REGION,))
    with pytest.raises(HeaderMismatch, match="not there"):
        check_params({"mcp-param-region": "us"}, params, (REGION,))


def test_a_missing_header_is_refused_where_the_body_has_the_value() -> None:
    with pytest.raises(HeaderMismatch, match="mcp-param-region is missing"):
        check_params({}, {"arguments": {"region": "us"}}, (REGION,))


def test_headers_that_no_argument_is_known_for_are_let_through() -> None:
    check_params({"mcp-param-other": "\xff"}, {"arguments": {}}, (REGION,))


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("eu", "us"),
        ("US", "us"),
        ("", "us"),
        ("=?base64?ZXU=?=", "us"),
        ("43", 42),
        ("42.5", 42),
        ("4_2", 42),
        ("0x2a", 42),
        ("nan", 42),
        ("=?base64?IDQy?=", 42),
        ("1", True),
        ("True", True),
        ("false", True),
        ("9007199254740993", 9007199254740991),
    ],
)
def test_a_header_that_says_something_else_is_refused(sent: str, value: Any) -> None:
    with pytest.raises(HeaderMismatch, match="mcp-param-region differs"):
        check_params({"mcp-param-region": sent}, {"arguments": {"region": value}}, (REGION,))


@pytest.mark.parametrize(
    ("sent", "value"),
    [("42.0", 42), ("42", 42.0), ("42.0", 42.0), ("-7.00", -7), ("=?base64?dXM=?=", "us")],
)
def test_numbers_are_compared_as_numbers_and_texts_decoded(sent: str, value: Any) -> None:
    check_params({"mcp-param-region": sent}, {"arguments": {"region": value}}, (REGION,))


@given(TEXT | st.integers(1 - 2**53, 2**53 - 1) | st.booleans())
@settings(deadline=None)
def test_what_we_mirror_we_accept(value: str | int) -> None:
    params = {"name": "t", "arguments": {"region": value}}
    headers = dict(request_headers("tools/call", params, (REGION,)))

    check_params(headers, params, (REGION,))


CALL = {"name": "get_weather", **META}
SENT = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "get_weather",
}


@pytest.mark.parametrize("name", SENT)
def test_each_standard_header_must_be_there(name: str) -> None:
    headers = {key: value for key, value in SENT.items() if key != name}

    with pytest.raises(HeaderMismatch, match=f"{name} is missing"):
        check_headers(headers, "tools/call", CALL)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/list"),
        ("mcp-method", "Tools/Call"),
        ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="),
        ("mcp-name", "foo"),
        ("mcp-name", "GET_WEATHER"),
        ("mcp-name", ""),
    ],
)
def test_each_standard_header_must_say_what_the_body_says(name: str, value: str) -> None:
    with pytest.raises(HeaderMismatch, match=f"{name} differs"):
        check_headers({**SENT, name: value}, "tools/call", CALL)


def test_an_encoded_name_is_decoded_before_it_is_compared() -> None:
    check_headers({**SENT, "mcp-name": "=?base64?Z2V0X3dlYXRoZXI=?="}, "tools/call", CALL)


def test_a_body_without_a_version_matches_no_header() -> None:
    with pytest.raises(HeaderMismatch, match="mcp-protocol-version differs"):
        check_headers(SENT, "tools/call", {"name": "get_weather"})
