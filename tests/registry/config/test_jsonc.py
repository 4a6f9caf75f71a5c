import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.registry.config.jsonc import parse_jsonc, repeated_keys

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
@settings(deadline=None)
def test_plain_json_reads_as_json(value: object) -> None:
    text = json.dumps(value)

    assert json.loads(text) == parse_jsonc(text)


@given(st.text(alphabet='{}[]",:/*\\\n 1a', max_size=60))
@settings(deadline=None)
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    refusal = ""
    try:
        parse_jsonc(text)
    except BadInput as error:
        refusal = error.message

    assert refusal == "" or refusal.startswith("The configuration ")


def test_comments_and_trailing_commas_pass() -> None:
    text = """
    // Servers of the team.
    {
      "a": [1, 2, /* not this: 3, */ ], // the end
      "b": {"c": true,},
    }
    """

    assert parse_jsonc(text) == {"a": [1, 2], "b": {"c": True}}


def test_what_looks_like_a_comment_in_a_string_stays() -> None:
    text = r'{"url": "http://host/*a*/", "quote": "\"// ,]", "comma": ",}"}'

    expected = {"url": "http://host/*a*/", "quote": '"// ,]', "comma": ",}"}
    assert expected == parse_jsonc(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "line 3, column 3"),
        ('{\n  // a comment\n  "a": tru\n}', "line 3, column 8"),
        ('{"a": 1, /* one\n two */ "b" 2}', "line 2, column 13"),
        ('{\n  "a": 1, /* one', "line 2, column 11"),
        ('{"a": "no end\n}', "line 1, column 14"),
        ('{"a": "no end', "line 1, column 7"),
    ],
)
def test_a_fault_names_its_line_and_column_in_the_text_as_written(text: str, place: str) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_jsonc(text)

    assert f"({place})" in refusal.value.message


@pytest.mark.parametrize("text", ['{"a": NaN}', "[" * 200 + "]" * 200, "1" * 5000, "/*/"])
def test_what_other_parsers_would_read_differently_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_jsonc(text)


def test_many_quotes_without_an_end_are_refused_without_delay() -> None:
    with pytest.raises(BadInput):
        parse_jsonc('"' + '\\"' * 500_000)


def test_a_repeated_key_keeps_its_first_value_and_is_reported() -> None:
    parsed = parse_jsonc('{"a": 1, "a": 2, "b": [{"c": 1, "c": 2, "c": 3}]}')

    assert parsed == {"a": 1, "b": [{"c": 1}]}
    assert list(repeated_keys(parsed)) == ["a", "b.0.c"]


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse_jsonc("[" + '["]"], {},' * 100 + "]") == [["]"], {}] * 100
