"""What callers may do."""

import pytest

from interlock.identity.principal import Principal, Role, anonymous


def test_roles_are_ordered() -> None:
    assert sorted(Role) == [Role.REPORTER, Role.DEVELOPER, Role.OWNER]
    assert Role.OWNER > Role.DEVELOPER >= Role.DEVELOPER > Role.REPORTER


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [
        (Role.OWNER, Role.OWNER, True),
        (Role.OWNER, Role.REPORTER, True),
        (Role.DEVELOPER, Role.DEVELOPER, True),
        (Role.DEVELOPER, Role.OWNER, False),
        (Role.REPORTER, Role.DEVELOPER, False),
    ],
)
def test_a_key_may_what_its_role_may_in_its_own_project_only(
    held: Role, asked: Role, expected: bool
) -> None:
    key = Principal("key", "k", "ci", "p1", held)

    assert key.may("p1", asked) is expected
    assert key.may("p2", asked) is False
    assert key.sees("p2") is False


def test_no_project_of_its_own_means_every_project() -> None:
    caller = Principal("person", "u", "u@x", None, Role.DEVELOPER)

    assert caller.may("any", Role.DEVELOPER) is True
    assert caller.may("any", Role.OWNER) is False


def test_an_administrator_may_everything() -> None:
    assert Principal("person", "u", "u@x", None, Role.OWNER, is_admin=True).may("p", Role.OWNER)


def test_anonymous_callers_use_open_projects_and_nothing_else() -> None:
    assert anonymous().may("p1", Role.REPORTER) is False
    assert anonymous("p1").may("p1", Role.DEVELOPER) is True
    assert anonymous("p1").may("p1", Role.OWNER) is False
    assert anonymous("p1").may("p2", Role.REPORTER) is False
