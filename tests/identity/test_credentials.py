"""Where credentials stand in a request."""

import pytest

from interlock.errors import Unauthenticated
from interlock.identity.credentials import api_key_in


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "expected"),
    [
        ([], [], None),
        (["Bearer k"], [], "k"),
        (["bearer   k "], [], "k"),
        ([], [" k "], "k"),
        (["Bearer k"], ["k"], "k"),
        (["Bearer k", "Bearer k"], ["k", "k"], "k"),
    ],
)
def test_a_key_is_read_from_either_header(
    authorization: list[str], x_api_key: list[str], expected: str | None
) -> None:
    assert api_key_in(authorization, x_api_key) == expected


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        (["Bearer hidden-1"], ["hidden-2"]),
        (["Bearer hidden-1", "Bearer hidden-2"], []),
        ([], ["hidden-1", "hidden-2"]),
        (["Bearer hidden-1"], [""]),
        (["Basic hidden-1"], []),
        (["hidden-1"], []),
        (["Bearer"], []),
        (["Bearer "], []),
        ([""], []),
    ],
)
def test_what_disagrees_or_is_no_key_is_refused_without_repeating_it(
    authorization: list[str], x_api_key: list[str]
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        api_key_in(authorization, x_api_key)

    assert "hidden" not in caught.value.message
