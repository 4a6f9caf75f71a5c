"""Every requirement that is listed is proven by tests that exist, and says where it comes from."""

import ast
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from tests.matrix.features import FEATURES
from tests.matrix.test_matrix import MODULES
from tests.requirements.manifest import Manifest, load

ROOT = Path(__file__).parents[2]
CHECKERS = {"test_manifest.py", "test_clauses.py"}
CELL = "tests/matrix/test_matrix.py::test_cell"
LINK = re.compile(
    r"https://modelcontextprotocol\.io/specification/\d{4}-\d\d-\d\d(?:/[a-z-]+)+(?:#(?:[a-z0-9-]|%[0-9A-F]{2})+)?"
)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load()


@lru_cache
def functions_of(file: str) -> frozenset[str]:
    """Return the names of the test functions in a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (
        each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


def exists(test: str) -> bool:
    """Tell whether a test is there; one in brackets is a feature of the matrix."""
    name, bracket, feature = test.partition("[")
    file, _, function = name.partition("::")
    if bracket and (name != CELL or feature.removesuffix("]") not in FEATURES):
        return False
    return (ROOT / file).is_file() and function in functions_of(file)


def test_every_test_that_is_named_exists(manifest: Manifest) -> None:
    assert {each.__name__ for each in MODULES} == {each.__module__ for each in FEATURES.values()}
    named = {test for each in manifest.requirements for test in each.tests}

    assert sorted(test for test in named if not exists(test)) == []


@pytest.mark.parametrize(
    "test",
    [
        "tests/requirements/test_manifest.py::test_of_nothing",
        "tests/requirements/no_such_file.py::test_every_test_that_is_named_exists",
        "tests/requirements/test_manifest.py::exists",
        f"{CELL}[no such feature]",
        "tests/requirements/test_manifest.py::test_every_test_that_is_named_exists[a]",
    ],
)
def test_a_test_that_is_not_there_is_noticed(test: str) -> None:
    assert not exists(test)


def test_every_requirement_has_a_test_and_a_clause(manifest: Manifest) -> None:
    assert [each.id for each in manifest.requirements if not each.tests or not each.clauses] == []
    assert [
        each.id for each in manifest.requirements if len({*each.tests}) != len(each.tests)
    ] == []


def test_every_id_is_unique_and_names_its_version_and_page(manifest: Manifest) -> None:
    ids = Counter(each.id for each in manifest.requirements)

    assert [each for each, count in ids.items() if count > 1] == []
    assert [
        each.id
        for each in manifest.requirements
        if not re.fullmatch(r"\d{4}-\d\d-\d\d/[a-z-]+/[a-z0-9-]+", each.id)
        or each.id.split("/")[:2] != [each.page.split("/")[0], each.page.split("/")[-1]]
    ] == []


def test_every_link_is_well_formed_and_every_role_known(manifest: Manifest) -> None:
    assert [each.link for each in manifest.requirements if not LINK.fullmatch(each.link)] == []
    assert {each.role for each in manifest.requirements} == {"server", "client", "proxy"}
    assert [each.id for each in manifest.requirements if not each.clause.endswith(".")] == []


def test_each_clause_is_either_proven_or_given_a_reason(manifest: Manifest) -> None:
    proven, unproven = {*manifest.proven()}, Counter(manifest.unproven())

    assert [each for each, count in unproven.items() if count > 1 or each in proven] == []
    assert {page for page, _ in proven | unproven.keys()} == manifest.pages.keys()
    assert [
        each for _, each in proven | unproven.keys() if not re.fullmatch("[0-9a-f]{8}", each)
    ] == []
    assert all(each.reason.endswith(".") for each in (*manifest.not_ours, *manifest.unkept))


def test_every_test_in_this_folder_proves_a_requirement(manifest: Manifest) -> None:
    named = {test for each in manifest.requirements for test in each.tests}
    files = [each for each in Path(__file__).parent.glob("test_*.py") if each.name not in CHECKERS]
    here = {
        f"{file}::{test}"
        for file in (each.relative_to(ROOT).as_posix() for each in files)
        for test in functions_of(file)
    }

    assert here != set()
    assert sorted(here - named) == []
