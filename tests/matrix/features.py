"""The features of the matrix: each name with the check that a cell must pass."""

from collections.abc import Awaitable, Callable

from tests.matrix.cell import Cell

Check = Callable[[Cell], Awaitable[None]]

FEATURES: dict[str, Check] = {}


def feature(name: str) -> Callable[[Check], Check]:
    """Name the feature that a function checks; it passes by not raising."""

    def named(check: Check) -> Check:
        assert name not in FEATURES, f"Two checks are named {name}."
        FEATURES[name] = check
        return check

    return named
