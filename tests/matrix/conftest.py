"""Leaves out what the protocol cannot say."""

import pytest

from tests.matrix.limits import limit_of

pytest.register_assert_rewrite(
    "tests.matrix.features_calls",
    "tests.matrix.features_lists",
    "tests.matrix.features_questions",
    "tests.matrix.features_resources",
    "tests.matrix.features_changes",
    "tests.matrix.features_wire",
    "tests.matrix.features_sessions",
    "tests.matrix.features_streams",
    "tests.matrix.features_tasks",
    "tests.matrix.features_task_news",
    "tests.matrix.task_steps",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells that no client and server could fill; the table marks them."""
    left_out = [item for item in items if _is_unsayable(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_unsayable(item: pytest.Item) -> bool:
    params: dict[str, str] = getattr(getattr(item, "callspec", None), "params", {})
    if not {"feature", "client", "back"} <= params.keys():
        return False
    place = (params["feature"], params["client"], params["back"])
    return limit_of(*place) is not None
