import pytest

from interlock.registry.config.variables import UnknownReference, Variables, workspace_of

VARIABLES = Variables(
    environ={"TOKEN": "abc", "EMPTY": "", "HOME": "/home/ada", "SLY": "${TOKEN}"},
    inputs={"key": "typed"},
    workspace="/srv/shop",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $TOKEN {x} $", "plain $TOKEN {x} $"),
        ("Bearer ${TOKEN}", "Bearer abc"),
        ("${TOKEN}${TOKEN}", "abcabc"),
        ("${env:TOKEN}", "abc"),
        ("${EMPTY}", ""),
        ("${EMPTY:-spare}", "spare"),
        ("${TOKEN:-spare}", "abc"),
        ("${MISSING:-http://host:1/a}", "http://host:1/a"),
        ("${MISSING:-}", ""),
        ("${input:key}", "typed"),
        ("${workspaceFolder}/data", "/srv/shop/data"),
        ("${workspaceFolderBasename}", "shop"),
        ("${userHome}${/}x", "/home/ada/x"),
        ("${unclosed", "${unclosed"),
        ("${SLY}", "${TOKEN}"),
    ],
)
def test_a_reference_stands_for_its_value(text: str, expected: str) -> None:
    assert expected == VARIABLES.expand(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("${MISSING}", "MISSING"),
        ("${env:MISSING}", "MISSING"),
        ("${input:other}", "other"),
        ("${MISSING:-${TOKEN}}", "MISSING"),
        ("${command:pick}", "${NAME}"),
        ("${}", "${NAME}"),
    ],
)
def test_a_reference_without_a_value_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UnknownReference, match=r"\.$") as refusal:
        VARIABLES.expand(text)

    assert named in refusal.value.message


def test_folders_that_are_not_known_are_refused() -> None:
    nowhere = Variables(environ={})

    for text in ("${workspaceFolder}", "${workspaceFolderBasename}", "${userHome}"):
        with pytest.raises(UnknownReference):
            nowhere.expand(text)


def test_a_bare_name_counts_only_where_the_client_says_so() -> None:
    bare = Variables(environ={"TOKEN": "abc"}, bare=True)

    assert bare.expand("$TOKEN/${TOKEN} pa$word") == "abc/abc pa$word"
    assert [bare.leaves("pa$word"), bare.leaves("$TOKEN")] == [True, False]
    assert not VARIABLES.leaves("pa$word")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/srv/shop/.vscode/mcp.json", "/srv/shop"),
        ("/srv/shop/.mcp.json", "/srv/shop"),
        ("C:\\shop\\.cursor\\mcp.json", "C:/shop"),
        ("mcp.json", None),
        ("", None),
    ],
)
def test_the_workspace_is_the_folder_of_the_file_or_the_one_above(
    source: str, expected: str | None
) -> None:
    assert expected == workspace_of(source)


def test_values_never_show_in_a_representation() -> None:
    assert "abc" not in repr(VARIABLES)
