import pytest

from interlock.policy.timeout import timeout_of

SERVER = 60.0


@pytest.mark.parametrize(
    ("tool", "seconds"),
    [
        ("get_user", 5.0),
        ("get_all", 20.0),
        ("get_all_users", 30.0),
        ("export", SERVER),
        ("GET_user", SERVER),
    ],
)
def test_a_name_goes_before_a_pattern_and_the_longest_pattern_before_others(
    tool: str, seconds: float
) -> None:
    by_tool = {"get_*": 20.0, "get_user": 5.0, "get_all_*": 30.0}

    assert timeout_of(tool, SERVER, by_tool) == seconds


def test_a_pattern_for_all_stands_in_for_the_servers_own() -> None:
    assert timeout_of("anything", SERVER, {"*": 1.5}) == 1.5
