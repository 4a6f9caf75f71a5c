"""One gateway of three processes for all tests that leave it as it was."""

from collections.abc import Iterator

import pytest

from tests.app.trio import Trio, trio


@pytest.fixture(scope="session", name="trio")
def running_trio() -> Iterator[Trio]:
    """Run three processes in front of servers of both eras, here and elsewhere."""
    with trio() as made:
        yield made
